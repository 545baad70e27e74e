package sigma

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		value string
		op    Op
		text  string
		want  bool
	}{
		{"ConsoleLogin", OpEqual, "consolelogin", true},
		{"ConsoleLogin", OpEqual, "ConsoleLogin ", false},
		{"", OpEqual, "", true},
		{"", OpEqual, "x", false},
		{"Describe*", OpEqual, "DescribeInstances", true},
		{"Describe*", OpEqual, "Describe", true},
		{"*Instances", OpEqual, "RunInstances", true},
		{"*inst*", OpEqual, "RunInstances", true},
		{"Run*s", OpEqual, "RunInstances", true},
		{"Run*s", OpEqual, "Runs", true},
		{"Runs*s", OpEqual, "Runs", false},
		{"a*a", OpEqual, "a", false},
		{"?", OpEqual, "", false},
		{"?", OpEqual, "ä", true},
		{"?", OpEqual, "ab", false},
		{"m?st*r", OpEqual, "Mister", true},
		{"*a*b*c", OpEqual, "xaxbxbcxc", true},
		{"*a*b*c", OpEqual, "xaxcxb", false},
		{`a\*b`, OpEqual, "a*b", true},
		{`a\*b`, OpEqual, "axb", false},
		{`a\?b`, OpEqual, "a?b", true},
		{`a\\*`, OpEqual, `a\b`, true},
		{`a\\*`, OpEqual, "a*", false},
		{`a\\\*b`, OpEqual, `a\*b`, true},
		{`C:\Windows`, OpEqual, `c:\windows`, true},
		{`C:\\Windows`, OpEqual, `c:\windows`, true},
		{`a\\\\b`, OpEqual, `a\\b`, true},
		{`end\`, OpEqual, `end\`, true},
		{"admin", OpContains, "TheAdministrator", true},
		{"adm*n", OpContains, "an admiration", true},
		{"adm*x", OpContains, "an admiration", false},
		{"arn:aws:", OpStartsWith, "ARN:AWS:iam", true},
		{"arn:aws:", OpStartsWith, "x arn:aws:", false},
		{"/0", OpEndsWith, "10.0.0.0/0", true},
		{"/0", OpEndsWith, "10.0.0.0/10", false},
		{"STRASSE", OpEqual, "strasse", true},
		{"straße", OpEqual, "STRAẞE", true}, // one character each way
		{"straße", OpEqual, "STRASSE", false},
		{"ÄÖÜ", OpEndsWith, "xäöü", true},
		{"Σ", OpEqual, "ς", true},
		{"kelvin", OpEqual, "\u212aelvin", true}, // the Kelvin sign is three bytes
		{"kelvin", OpContains, "x\u212aELVINx", true},
		{"kel", OpEndsWith, "x\u212aEL", true},
		{"İ", OpEqual, "i", false},
	} {
		p := compilePattern(tokenize(tt.value), tt.op, false)
		if got := p.match(tt.text); got != tt.want {
			t.Errorf("%s %q on %q is %v", tt.op, tt.value, tt.text, got)
		}
	}
}

func TestCasedPatterns(t *testing.T) {
	for _, tt := range []struct {
		value string
		op    Op
		text  string
		want  bool
	}{
		{"Root", OpEqual, "Root", true},
		{"Root", OpEqual, "root", false},
		{"oo", OpContains, "Root", true},
		{"OO", OpContains, "Root", false},
		{"Ro", OpStartsWith, "Root", true},
		{"ro", OpStartsWith, "Root", false},
		{"ot", OpEndsWith, "Root", true},
		{"OT", OpEndsWith, "Root", false},
		{"R?o*", OpEqual, "Root", true},
		{"r?o*", OpEqual, "Root", false},
	} {
		p := compilePattern(tokenize(tt.value), tt.op, true)
		if got := p.match(tt.text); got != tt.want {
			t.Errorf("cased %s %q on %q is %v", tt.op, tt.value, tt.text, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		value, raw string
		want       bool
	}{
		{"5", "5", true},
		{"5", "5.0", true},
		{"5", "50", false},
		{"5.50", "5.5", true},
		{"1e3", "1000", true},
		{"-1", "-1", true},
		{"9007199254740993", "9007199254740992", false}, // one number as a float
		{"012", "12", false},                            // an account has its zeros
		{"5*", "50", true},
		{"five", "5", false},
		{"true", "true", true},
		{"TRUE", "true", true},
		{"0", "0.0", true},
		{"0", "true", false},
		{"-0.0", "false", false},
		{"1", "true", false},
	} {
		p := compilePattern(tokenize(tt.value), OpEqual, false)
		if got := p.matchScalar(tt.raw); got != tt.want {
			t.Errorf("%s on %s is %v", tt.value, tt.raw, got)
		}
	}
}

func TestDecimal(t *testing.T) {
	for in, want := range map[string]string{
		"5": "5", "012345678901": "012345678901", "0x1F": "31", "0o17": "15", "1_000": "1000", "+7": "7", ".5": "0.5", "-3": "-3", ".inf": ".inf",
	} {
		if got := decimal(in); got != want {
			t.Errorf("decimal(%q) = %q, want %q", in, got, want)
		}
	}
}

// Patterns agree with the regular expressions that say the same.
func TestPatternsAgreeWithRegularExpressions(t *testing.T) {
	letters := []rune("aAbBkK\u212aſsßẞäÄ*?\\.")
	value := rapid.StringOfN(rapid.SampledFrom(letters), 0, 8, -1)
	text := rapid.StringOfN(rapid.SampledFrom(letters), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		v, s := value.Draw(t, "value"), text.Draw(t, "text")
		op := rapid.SampledFrom([]Op{OpEqual, OpContains, OpStartsWith, OpEndsWith}).Draw(t, "op")
		cased := rapid.Bool().Draw(t, "cased")
		p := compilePattern(tokenize(v), op, cased)
		if got, want := p.match(s), wildcardRegexp(v, op, cased).MatchString(s); got != want {
			t.Fatalf("%s %q (cased %v) on %q is %v, want %v", op, v, cased, s, got, want)
		}
	})
}

// wildcardRegexp translates a value, on its own reading of the escapes.
func wildcardRegexp(value string, op Op, cased bool) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s`)
	if !cased {
		b.WriteByte('i')
	}
	b.WriteString(`)^`)
	if op == OpContains || op == OpEndsWith {
		b.WriteString(".*")
	}
	for value != "" {
		switch {
		case strings.HasPrefix(value, `\*`), strings.HasPrefix(value, `\?`), strings.HasPrefix(value, `\\`):
			b.WriteString(regexp.QuoteMeta(value[1:2]))
			value = value[2:]
		case value[0] == '*':
			b.WriteString(".*")
			value = value[1:]
		case value[0] == '?':
			b.WriteString(".")
			value = value[1:]
		default:
			_, width := utf8.DecodeRuneInString(value)
			b.WriteString(regexp.QuoteMeta(value[:width]))
			value = value[width:]
		}
	}
	if op == OpContains || op == OpStartsWith {
		b.WriteString(".*")
	}
	b.WriteString(`$`)
	return regexp.MustCompile(b.String())
}
