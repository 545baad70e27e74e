package screen_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/screen"
)

// sequences are the only ones that may reach a terminal.
var sequences = strings.NewReplacer("\x1b[1m", "", "\x1b[2m", "", "\x1b[33m", "", "\x1b[36m", "", "\x1b[1;31m", "", "\x1b[1;37;41m", "", "\x1b[0m", "")

// check fails unless text is lines of at most width columns of what a terminal
// shows and does not obey.
func check(t interface{ Errorf(string, ...any) }, l screen.Look, text string) {
	if !strings.HasSuffix(text, "\n\n") {
		t.Errorf("no empty line at the end of %q", text)
	}
	if l.Color {
		text = sequences.Replace(text)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > l.Width {
			t.Errorf("%d columns instead of %d: %q", n, l.Width, line)
		}
		if !utf8.ValidString(line) {
			t.Errorf("not UTF-8: %q", line)
		}
		for _, r := range line {
			if unicode.Is(unicode.C, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
				t.Errorf("%U in %q", r, line)
			}
		}
	}
}

func TestNothingThatARecordHoldsReachesTheTerminalRaw(t *testing.T) {
	text := rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.SampledFrom([]rune("\x1b[]\x07\u202e\u2066\u200b\u009b\r\n\t\x00\ufeff \"a"))),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"arn:aws:iam::111122223333:user/alice", "arn:aws:sts::1:assumed-role/a/b", "arn:aws:iam::", "RunInstances", "ConsoleLogin", "AuthorizeSecurityGroupIngress", "TerminateInstances"}),
	)
	value := rapid.Custom(func(t *rapid.T) any {
		list := []any{map[string]any{"cidrIp": text.Draw(t, "cidr"), "instanceId": text.Draw(t, "instance"), "ipProtocol": text.Draw(t, "protocol"), "ipRanges": map[string]any{"items": []any{map[string]any{"cidrIp": text.Draw(t, "range")}}}}}
		return map[string]any{
			text.Draw(t, "name"): text.Draw(t, "value"), "ConsoleLogin": text.Draw(t, "result"), "groupId": text.Draw(t, "group"),
			"instancesSet": map[string]any{"items": list}, "ipPermissions": map[string]any{"items": list},
		}
	})
	record := rapid.Custom(func(t *rapid.T) json.RawMessage {
		data, err := json.Marshal(map[string]any{
			"eventName": text.Draw(t, "eventName"), "errorCode": text.Draw(t, "errorCode"), "awsRegion": text.Draw(t, "region"),
			"sourceIPAddress": text.Draw(t, "address"), "userIdentity": map[string]any{"arn": text.Draw(t, "arn")},
			"requestParameters": value.Draw(t, "parameters"), "responseElements": value.Draw(t, "response"),
		})
		if err != nil {
			t.Fatal(err)
		}
		return data
	})
	rapid.Check(t, func(t *rapid.T) {
		a := alert.Alert{
			Revision: rapid.IntRange(1, 3).Draw(t, "revision"), Count: rapid.IntRange(1, 1e6).Draw(t, "count"),
			State: rapid.SampledFrom([]alert.State{alert.Open, alert.Ended, alert.Superseded, alert.Withdrawn, "new"}).Draw(t, "state"),
			Rule:  alert.Rule{Title: text.Draw(t, "title"), Level: rapid.OneOf(text, rapid.SampledFrom([]string{"low", "critical"})).Draw(t, "level")},
			Group: rapid.MapOfN(text, text, 0, 3).Draw(t, "group"),
			Actor: text.Draw(t, "actor"), SourceIP: text.Draw(t, "source"), SourceCountry: text.Draw(t, "country"),
			Account: text.Draw(t, "account"), Region: text.Draw(t, "region"), SupersededBy: text.Draw(t, "superseded by"),
			FirstSeen: time.UnixMilli(rapid.Int64Range(-1e14, 2e14).Draw(t, "first")), LastSeen: time.UnixMilli(rapid.Int64Range(-1e14, 2e14).Draw(t, "last")),
			Records: rapid.SliceOfN(record, 0, 3).Draw(t, "records"),
		}
		l := screen.Look{Color: rapid.Bool().Draw(t, "color"), Width: rapid.IntRange(24, 130).Draw(t, "width")}
		check(t, l, l.Alert(&a))
	})
}

func FuzzAlert(f *testing.F) {
	for _, a := range append(night(), hostile()) {
		data, err := a.JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, 80, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, width int, color bool) {
		a, err := alert.Parse(data)
		if err != nil {
			return
		}
		l := screen.Look{Color: color, Width: 24 + int(uint8(width))}
		check(t, l, l.Alert(&a))
	})
}

func TestSafe(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"text":                    {"user alice", "user alice"},
		"letters of the world":    {"Zoë 値 алиса 🔑", "Zoë 値 алиса 🔑"},
		"an escape sequence":      {"\x1b[31m", `\x1b[31m`},
		"its one character form":  {"\u009b31m", `\u009b31m`},
		"line breaks":             {"a\r\nb\u2028c\u0085", `a\r\nb\u2028c\u0085`},
		"delete":                  {"\x7f", `\x7f`},
		"the turn of direction":   {"\u202egpj.exe\u2069", `\u202egpj.exe\u2069`},
		"what has no width":       {"a\u200bb\ufeffc\u00add", `a\u200bb\ufeffc\u00add`},
		"letters without ink":     {"\u3164\u115f\u2800", `\u3164\u115f\u2800`},
		"tags":                    {"\U000e0041", `\U000e0041`},
		"spaces that are not one": {"a\u00a0b\u3000c", `a\u00a0b\u3000c`},
		"private use":             {"\ue000", `\ue000`},
		"not UTF-8":               {"a\xff\x01\xc3", `a\xff\x01\xc3`},
		"a byte that was lost":    {"a\ufffdb\n", "a\ufffdb" + `\n`},
		"a backslash":             {`CORP\alice`, `CORP\alice`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := screen.Safe(tt.in); got != tt.want {
				t.Errorf("Safe(%q) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestWideCharactersTakeTwoColumns(t *testing.T) {
	a := detection("login", record("ConsoleLogin", `{"userName":"`+strings.Repeat("名", 100)+`"}`, "198.51.100.7", `"x":1`))
	for line := range strings.Lines(screen.Look{Width: 60}.Alert(&a)) {
		wide := strings.Count(line, "名")
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) + wide; n > 60 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestTook(t *testing.T) {
	tests := map[time.Duration]string{
		time.Second:              "1s",
		6 * time.Minute:          "6m",
		90 * time.Minute:         "1h30m",
		26 * time.Hour:           "26h",
		20 * time.Minute:         "20m",
		10 * time.Hour:           "10h",
		48 * time.Hour:           "2d",
		76*time.Hour + time.Hour: "3d5h",
		3599 * time.Second:       "59m59s",
		3601 * time.Second:       "1h0m1s",
	}
	for took, want := range tests {
		a := alert.Alert{FirstSeen: noon, LastSeen: noon.Add(took)}
		if got := (screen.Look{}).Alert(&a); !strings.Contains(got, "UTC  "+want+"\n") {
			t.Errorf("%s is shown in %q, want %s", took, got, want)
		}
	}
}
