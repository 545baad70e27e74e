package sigma

import (
	"reflect"
	"strings"
	"testing"
)

func TestConditions(t *testing.T) {
	names := []string{"sel", "sel_a", "sel_b", "filter", "_hidden", "1", "all", "a-b.c", "notable", "sélection"}
	for _, tt := range []struct{ text, want string }{
		{"sel", "sel"},
		{"sel and filter", "sel and filter"},
		{"sel or sel_a and not filter", "sel or (sel_a and not filter)"},
		{"(sel or sel_a) and filter", "(sel or sel_a) and filter"},
		{"not not sel", "not not sel"},
		{"not sel and filter", "not sel and filter"},
		{"not (sel and filter)", "not (sel and filter)"},
		{"sel AND NOT filter", "sel and not filter"},
		{"((sel))", "sel"},
		{"sel and(sel_a)", "sel and sel_a"},
		{"sel\n  and\n  filter", "sel and filter"},
		{"1 of sel*", "1 of sel*"},
		{"any of sel_*", "1 of sel_*"},
		{"all of them", "all of them"},
		{"1 of THEM and not 1 of f*r", "1 of them and not 1 of f*r"},
		{"1", "1"},
		{"all and 1", "all and 1"},
		{"a-b.c and not notable", "a-b.c and not notable"},
		{"1 of a-* or all of *lection", "1 of a-* or all of *lection"},
		{"Any Of sel_* And not 1 of filter*", "1 of sel_* and not 1 of filter*"},
		{"sel and sel_a and sel_b", "sel and sel_a and sel_b"},
	} {
		x, err := parseCondition(tt.text, names)
		if err != nil || x.String() != tt.want {
			t.Errorf("%q: %v, %v; want %s", tt.text, x, err, tt.want)
		}
	}
}

func TestOfStandsForNames(t *testing.T) {
	names := []string{"sel", "sel_a", "sel_b", "filter", "_hidden"}
	for _, tt := range []struct{ text, want string }{
		{"1 of them", "sel sel_a sel_b filter"},
		{"1 of *", "sel sel_a sel_b filter"},
		{"1 of sel*", "sel sel_a sel_b"},
		{"1 of *_*", "sel_a sel_b"},
		{"all of *e*", "sel sel_a sel_b filter"},
		{"1 of s*_b", "sel_b"},
		{"1 of sel", "sel"},
		{"all of _*", "_hidden"},
		{"1 of _h*", "_hidden"},
	} {
		x, err := parseCondition(tt.text, names)
		if err != nil || strings.Join(x.(Of).Names, " ") != tt.want {
			t.Errorf("%q: %v, %v; want %s", tt.text, x, err, tt.want)
		}
	}
}

func TestConditionErrorsPointToTheirPlace(t *testing.T) {
	names := []string{"sel", "filter", "_hidden"}
	for _, tt := range []struct {
		text   string
		offset int
		msg    string
	}{
		{"", 0, "the condition is empty"},
		{"sel filter", 4, `unexpected "filter"`},
		{"sel and", 7, "ends where a detection is expected"},
		{"and sel", 0, `"and" where a detection is expected`},
		{"(sel", 0, `"(" is never closed`},
		{"sel)", 3, `")" without "("`},
		{"(sel filter)", 5, `write "and", "or" or ")"`},
		{"()", 1, `")" where a detection is expected`},
		{"not", 3, "ends where a detection is expected"},
		{"2 of sel*", 0, `"2 of" is not part of Sigma`},
		{"0 of sel*", 0, `"0 of" is not part of Sigma; write "1 of", "any of" or "all of"`},
		{"not 0 of them", 4, `"0 of" is not part of Sigma`},
		{"1 of", 4, `needs "them"`},
		{"1 of (sel)", 5, `needs "them"`},
		{"1 of nothing*", 5, "stands for no detection"},
		{"1 of *idden", 5, `"*idden" leaves out detections whose name starts with "_"`},
		{"sel and fliter", 8, `did you mean "filter"?`},
		{"sel | near filter", 4, "write a correlation document"},
		{strings.Repeat("(", 200) + "sel" + strings.Repeat(")", 200), 101, "nested more than 100 deep"},
		{strings.Repeat("not ", 200) + "sel", 404, "nested more than 100 deep"},
	} {
		_, err := parseCondition(tt.text, names)
		got, ok := err.(*conditionError)
		if !ok || got.offset != tt.offset || !strings.Contains(got.msg, tt.msg) {
			t.Errorf("%q: %+v; want %d: …%s…", tt.text, err, tt.offset, tt.msg)
		}
	}
}

// FuzzCondition: whatever parses prints as a condition that parses to the same
// tree.
func FuzzCondition(f *testing.F) {
	for _, seed := range []string{"sel and not 1 of filter*", "((a or b) and not c) or all of them", "any of s*", "not", "1 of", "|", "a)("} {
		f.Add(seed)
	}
	names := []string{"sel", "filter", "a", "b", "c", "1", "all", "s*"}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := parseCondition(text, names)
		if err != nil {
			if e := err.(*conditionError); e.offset < 0 || e.offset > len(text) || e.msg == "" {
				t.Fatalf("%q: %+v", text, e)
			}
			return
		}
		again, err := parseCondition(x.String(), names)
		if err != nil || !reflect.DeepEqual(x, again) {
			t.Fatalf("%q prints as %q, which is %v, %v", text, x, again, err)
		}
	})
}
