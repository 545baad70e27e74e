package screen

import (
	"os"
	"testing"
)

func TestColorful(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want bool
	}{
		{"a terminal has colours", map[string]string{"TERM": "xterm-256color"}, true},
		{"unless somebody asked for none", map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		{"an empty NO_COLOR asks for nothing", map[string]string{"TERM": "xterm", "NO_COLOR": ""}, true},
		{"a dumb terminal has none", map[string]string{"TERM": "dumb"}, false},
		{"one that does not say what it is neither", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := colorful(func(name string) string { return tt.env[name] }); got != tt.want {
				t.Errorf("colorful = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAPipeGetsPlainText(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if got := LookOf(w); got != (Look{}) {
		t.Errorf("LookOf(a pipe) = %+v, want the zero Look", got)
	}
}

func TestPrimitives(t *testing.T) {
	plain, color := Look{}, Look{Color: true}
	tests := map[string]struct{ got, want string }{
		"bold":                         {color.Bold("x"), "\x1b[1mx\x1b[0m"},
		"dim":                          {color.Dim("x"), "\x1b[2mx\x1b[0m"},
		"nothing stays nothing":        {color.Dim(""), ""},
		"plain bold":                   {plain.Bold("x"), "x"},
		"done":                         {plain.Check(true), "✓"},
		"not done":                     {color.Check(false), "\x1b[31m✗\x1b[0m"},
		"an error":                     {color.Severity("error"), "\x1b[1;31merror\x1b[0m"},
		"a warning":                    {color.Severity("warning"), "\x1b[33mwarning\x1b[0m"},
		"a plain error":                {plain.Severity("error"), "error"},
		"a level":                      {color.Level("high"), "\x1b[1;31mHIGH\x1b[0m"},
		"the longest level is cut":     {plain.Level("informational"), "INFO"},
		"a level that Sigma lacks":     {plain.Level("fatal"), "FATAL"},
		"and a long one":               {plain.Level("catastrophic"), "CATA…HIC"},
		"the widest level fills its 8": {plain.Level("critical"), "CRITICAL"},
	}
	for name, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", name, tt.got, tt.want)
		}
	}
}
