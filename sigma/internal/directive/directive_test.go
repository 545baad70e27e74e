package directive

import "testing"

func TestLower(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"a: b\n":                        "a: b\n",
		"%YAML 1.2\n---\na: b\n":        "%YAML 1.1\n---\na: b\n",
		"\uFEFF%YAML 1.2\r\n---\na: b":  "\uFEFF%YAML 1.1\r\n---\na: b",
		"# c\n\n%YAML 1.2\n---\n":       "# c\n\n%YAML 1.1\n---\n",
		"a: b\n...\n%YAML  1.2\n---\n":  "a: b\n...\n%YAML  1.1\n---\n",
		"%TAG ! x\n%YAML 1.2\n---\na\n": "%TAG ! x\n%YAML 1.1\n---\na\n",
		"---\na: 'b\n%YAML 1.2\n'\n":    "---\na: 'b\n%YAML 1.2\n'\n",
		"%YAML 2.0\n---\n":              "%YAML 2.0\n---\n",
		"%YAML 1.1\n---\n":              "%YAML 1.1\n---\n",
	} {
		given := []byte(text)
		if got := string(Lower(given)); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if string(given) != text {
			t.Errorf("%q itself has been changed", text)
		}
	}
}
