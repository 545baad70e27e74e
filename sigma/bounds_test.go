package sigma

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// Each of these files is small, and would take minutes or all memory if all that
// it stands for were made.
func TestSmallFilesThatStandForMuch(t *testing.T) {
	rule := func(before, detection, condition string) string {
		return "title: A\nlogsource: {product: aws}\n" + before + "detection:\n" + detection + "  condition: " + condition + "\n"
	}
	times := func(n int, s string) string { return strings.Repeat(s, n) }
	long := "x: &x '" + times(100_000, "a") + "'\n"
	var names, fields, aliases, inputs strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&names, "  s%d: {a: 1}\n", i)
		fmt.Fprintf(&fields, "f%d, ", i)
		fmt.Fprintf(&aliases, "a%d: {r: f}, ", i)
		fmt.Fprintf(&inputs, "r%d and ", i)
	}
	counting := "title: C\ncorrelation: {rules: [r], timespan: 5m, condition: {gte: 2}, type: event_count, "
	const room = "the values of the rule, with all that modifiers, placeholders and aliases make of them, are longer than 4194304 characters"
	for name, tt := range map[string]struct{ text, want string }{
		"a long text often":               {rule(long, "  s: {a|contains: ["+times(10_000, "*x, ")+"]}\n", "s"), room},
		"a long text encoded":             {rule(long, "  s: {a|wide|base64offset|contains: ["+times(10, "*x, ")+"]}\n", "s"), room},
		"a long expression often":         {rule(strings.Replace(long, "aa", "a?", -1), "  s: {a|re: ["+times(10_000, "*x, ")+"]}\n", "s"), room},
		"expressions that repeat":         {rule("", "  s:\n    a|re:\n"+times(2000, "    - '((a{10}){10}){10}'\n"), "s"), room},
		"a long text with dashes":         {rule("", "  s: {a|windash|base64|contains: '"+times(5, " -x")+times(100_000, "a")+"'}\n", "s"), room},
		"many encodings":                  {rule("", "  s: {a|"+times(60, "base64|")+"contains: aaaa}\n", "s"), `modifier "base64" would be encoding number 5, and at most 4 are possible`},
		"a pattern for many, often":       {rule("", names.String(), times(5000, "1 of s* or ")+"s1"), "the rule has more than 200000 values"},
		"a pattern longer than any name":  {rule("", names.String(), "1 of s"+times(100_000, "*s")), "is longer than 256 characters"},
		"many unknown names in the parts": {rule("", names.String(), "["+times(5000, "nothing, ")+"s1]"), `no detection is called "nothing"`},
		"many fields to group by":         {counting + "group-by: [" + fields.String() + "]}\n", "there are 5000 fields and at most 32 are possible"},
		"many aliases":                    {counting + "aliases: {" + aliases.String() + "}}\n", "there are 5000 aliases and at most 64 are possible"},
		"many rules in a text":            {"title: C\ncorrelation: {timespan: 5m, type: temporal, condition: " + inputs.String() + "r}\n", "there are 5001 rules and at most 64 are possible"},
		"a long name":                     {strings.Replace(small("a", ""), "name: a", "name: "+times(257, "n"), 1), "name: it is longer than 256 characters"},
		"a long id":                       {small("a", "id: "+times(257, "n")+"\n"), "id: it is longer than 256 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			c, errs := Parse("r.yml", []byte(tt.text))
			if len(errs) == 0 || !strings.Contains(errs[0].Error(), tt.want) {
				t.Errorf("errors %v, want %q", errs, tt.want)
			}
			if len(c.Rules)+len(c.Correlations) > 0 {
				t.Error("there is a rule")
			}
			for _, err := range errs {
				if n := len([]rune(err.Error())); n > 500 {
					t.Errorf("an error of %d characters", n)
				}
			}
		})
	}
}

func TestErrorsQuoteLittle(t *testing.T) {
	long := strings.Repeat("k", 100_000)
	for _, text := range []string{
		small("a", "")[:strings.Index(small("a", ""), "condition:")] + "condition: " + long + "}\n",
		strings.Replace(small("a", ""), "eventName", "'eventName|"+long+"'", 1),
		"title: " + long + "\n",
		strings.Replace(small("a", ""), "eventName", "eventName|re", 1) + "---\ntitle: B\nlogsource: {product: aws}\ndetection: {s: {a|re: '" + strings.Repeat("(", 100_000) + "'}, condition: s}\n",
	} {
		_, errs := Parse("r.yml", []byte(text))
		if len(errs) == 0 {
			t.Errorf("no error of %.80s", text)
		}
		for _, err := range errs {
			if n := len([]rune(err.Error())); n > 400 {
				t.Errorf("%d characters: %.200s", n, err.Error())
			}
		}
	}
}

// Suggestions look at all names, and nobody reads thousands of them.
func TestFewErrorsHaveSuggestions(t *testing.T) {
	var text strings.Builder
	text.WriteString(small("alpha", ""))
	for i := range 100 {
		text.WriteString(over(fmt.Sprintf("c%d", i), "alpah", ""))
	}
	_, errs := compileText(t, text.String(), Options{})
	with := 0
	for _, err := range errs {
		if strings.Contains(err, "did you mean") {
			with++
		}
	}
	if len(errs) != 100 || with != maxErrors {
		t.Errorf("%d of %d errors have a suggestion, want %d", with, len(errs), maxErrors)
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	_, errs := Load(fstest.MapFS{"r.yml": {Mode: fs.ModeNamedPipe}, "ok.yml": {Data: []byte(small("a", ""))}}, ".")
	if len(errs) != 1 || errs[0].Error() != "r.yml: not a regular file; write the rules into one" {
		t.Errorf("%v", errs)
	}
}

// A detection that is named often is looked at once.
func TestNamesOnceInACondition(t *testing.T) {
	set, errs := compileText(t, "title: A\nlogsource: {product: aws}\ndetection:\n  s: {a: 1}\n  t: {b: 1}\n  condition: "+strings.Repeat("s and ", 1000)+"t\n", Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if n, ok := set.Rules()[0].condition.(andNode); !ok || len(n) != 2 {
		t.Errorf("%T of %d", set.Rules()[0].condition, len(n))
	}
}
