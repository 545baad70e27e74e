package sigma

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		opts        Options
		want        []string
	}{
		{"a correlation that mutes a rule", small("a", "") + over("c", "a", ""), Options{},
			[]string{`r.yml:7: rule "Correlate c": rule "a" does not alert any more, since this correlation counts it; write "generate: true" for both, or "generate: false" if that is meant`}},
		{"a correlation that mutes two", small("a", "") + small("b", "") + over("c", "a, b, a", ""), Options{},
			[]string{`r.yml:12: rule "Correlate c": rules "a", "b" do not alert any more, since this correlation counts them; write "generate: true" for both, or "generate: false" if that is meant`}},
		{"a correlation that mutes a correlation", small("a", "") + over("c", "a", "generate: true\n") + over("d", "c", ""), Options{},
			[]string{`r.yml:12: rule "Correlate d": rule "c" does not alert any more, since this correlation counts it; write "generate: true" for both, or "generate: false" if that is meant`}},
		{"with generate nothing is muted", small("a", "") + over("c", "a", "generate: true\n"), Options{}, nil},
		{"without generate in so many words it is meant", small("a", "") + over("c", "a", "generate: false\n"), Options{}, nil},
		{"another one generates", small("a", "") + over("c", "a", "") + over("d", "a", "generate: true\n"), Options{}, nil},
		{"a rule that is disabled anyway", small("a", "") + over("c", "a", ""), Options{Disable: []string{"a"}}, nil},
		{"a filter that is an exception", small("a", "") + filtering("f", "any", "not sel"), Options{}, nil},
		{"a filter that is none", small("a", "") + filtering("f", "any", "sel"), Options{},
			[]string{`r.yml:10:71: rule "Filter f": filter.condition: "sel" is not a negation: rules ring only where it holds; for an exception write "not (sel)"`}},
		{"a filter that is for no rule", filtering("f", "any", "not sel"), Options{},
			[]string{`r.yml:2: rule "Filter f": filter: there is no rule whose logsource has {product: aws, service: cloudtrail}`}},
		{"an alias of another name", small("a", "") + correlate("c", "type: event_count, rules: [a], group-by: ipp, timespan: 5m, condition: {gte: 2}, aliases: {ip: {a: sourceIPAddress}}, generate: true", ""), Options{},
			[]string{`r.yml:9:106: rule "Correlate c": correlation.aliases: alias "ip" is not used; name it in "group-by"; did you mean "ipp"?`}},
		{"a condition that begins by holding", small("a", "") + correlate("c", "type: event_count, rules: [a], timespan: 5m, condition: {lt: 3}, generate: true", ""), Options{},
			[]string{`r.yml:9:71: rule "Correlate c": correlation.condition: "lt: 3" holds at the first event already and never fires on silence; write gt or gte to wait for more`}},
		{"a range", small("a", "") + correlate("c", "type: event_count, rules: [a], timespan: 5m, condition: {gt: 1, lt: 3}, generate: true", ""), Options{}, nil},
		{"a sum may be small", small("a", "") + correlate("c", "type: value_sum, rules: [a], timespan: 5m, condition: {field: x, lt: 3}, generate: true", ""), Options{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, errs := compileText(t, tt.rules, tt.opts)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			var got []string
			for _, w := range set.Warnings() {
				got = append(got, w.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
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
