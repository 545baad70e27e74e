package sigma

import "testing"

func TestWarningsAboutFilters(t *testing.T) {
	testWarnings(t, []warningCase{
		{"a filter that is an exception", small("a", "") + filtering("f", "any", "not sel"), Options{}, nil},
		{"a filter that is none", small("a", "") + filtering("f", "any", "sel"), Options{},
			[]string{`r.yml:10:71: rule "Filter f": filter.condition: "sel" is not a negation: rules ring only where it holds; for an exception write "not (sel)"`}},
		{"a filter that is for no rule", filtering("f", "any", "not sel"), Options{},
			[]string{`r.yml:2: rule "Filter f": filter: there is no rule whose logsource has {product: aws, service: cloudtrail}`}},
		{"a filter whose field is in another case", small("a", "") + "---\ntitle: F\nlogsource: {product: aws}\nfilter: {rules: [a], sel: {UserAgent: x}, condition: not sel}\n", Options{},
			[]string{`r.yml:9:28: rule "F": selection "sel": no record has a field "UserAgent", since fields are compared with case; write "userAgent"`}},
	})
}

func TestAbsentHolds(t *testing.T) {
	for text, want := range map[string]bool{
		"not a":             true,
		"not (a or b)":      true,
		"not a and not b":   true,
		"not 1 of them":     true,
		"not a or b":        true,
		"a":                 false,
		"a and not b":       false,
		"all of them":       false,
		"not (not a)":       false,
		"a or not (b or c)": true,
	} {
		x, err := parseCondition(text, []string{"a", "b", "c"})
		if err != nil {
			t.Fatal(err)
		}
		if got := absentHolds(x); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
