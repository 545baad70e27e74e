package sigma

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/sigma/window"
)

// correlate writes a correlation with a name in few words; the body is on line
// 4 of the document.
func correlate(name, body, rest string) string {
	return "---\ntitle: Correlate " + name + "\nname: " + name + "\ncorrelation: {" + body + "}\n" + rest
}

// over counts events, without a group.
func over(name, rules, rest string) string {
	return correlate(name, "type: event_count, timespan: 5m, condition: {gte: 3}, rules: ["+rules+"], group-by: []", rest)
}

func TestWhatRingsInAChain(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		opts        Options
		want        string
	}{
		{"the outermost alone", small("a", "") + over("c", "a", "") + over("d", "c", ""), Options{}, "a medium feeds d\nd medium"},
		{"in any order", over("d", "c", "") + over("c", "a", "") + small("a", ""), Options{}, "a medium feeds d\nd medium"},
		{"the inner one as well, with generate", small("a", "") + over("c", "a", "") + over("d", "c", "generate: true\n"), Options{}, "a medium feeds c feeds d\nc medium\nd medium"},
		{"the rule as well, with generate", small("a", "") + over("c", "a", "generate: true\n") + over("d", "c", ""), Options{}, "a medium alerts feeds d\nd medium"},
		{"a rule at two levels", small("a", "") + over("c", "a", "") + over("d", "c, a", ""), Options{}, "a medium feeds d\nd medium"},
		{"an inner one of two", small("a", "") + over("c", "a", "") + over("d", "c", "") + over("e", "c", ""), Options{}, "a medium feeds d feeds e\nd medium\ne medium"},
		{"the highest level of all", small("a", "level: high\n") + small("b", "level: low\n") + over("c", "a", "") + over("d", "c, b", ""), Options{}, "a high feeds d\nb low feeds d\nd high"},
		{"the level of an inner one", small("a", "level: high\n") + over("c", "a", "level: low\n") + over("d", "c", ""), Options{}, "a high feeds d\nd low"},
		{"an overridden level of an inner one", small("a", "level: high\n") + over("c", "a", "") + over("d", "c", ""), Options{Level: map[string]Level{"c": Critical}}, "a high feeds d\nd critical"},
		{"a disabled outermost one", small("a", "") + over("c", "a", "") + over("d", "c", ""), Options{Disable: []string{"d"}}, "a medium feeds c\nc medium"},
		{"both disabled", small("a", "") + over("c", "a", "") + over("d", "c", ""), Options{Disable: []string{"c", "d"}}, "a medium alerts"},
		{"a name in a text", small("a", "") + over("c", "a", "") + correlate("d", "type: temporal, timespan: 5m, condition: c and not a", ""), Options{}, "a medium feeds d\nd medium"},
		{"eight levels", small("a", "") + stack(8), Options{}, "a medium feeds c8\nc8 medium"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, errs := compileText(t, tt.rules, tt.opts)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if diff := cmp.Diff(tt.want, summary(set)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// stack writes n correlations c1, c2, … over each other, c1 over the rule a.
func stack(n int) string {
	var b strings.Builder
	below := "a"
	for i := range n {
		name := fmt.Sprintf("c%d", i+1)
		b.WriteString(over(name, below, ""))
		below = name
	}
	return b.String()
}

func TestChainErrors(t *testing.T) {
	wide := small("a", "")
	var all []string
	for i := range 64 {
		wide += over(fmt.Sprintf("w%d", i), "a", "")
		all = append(all, fmt.Sprintf("w%d", i))
	}
	for _, tt := range []struct {
		name, rules string
		opts        Options
		want        []string
	}{
		{"itself", small("a", "") + over("c", "a, c", ""), Options{},
			[]string{`r.yml:9:80: rule "Correlate c": correlation.rules: it counts itself; write what else it shall count`}},
		{"each other", over("c", "d", "") + over("d", "c", ""), Options{}, []string{
			`r.yml:8:77: rule "Correlate d": correlation.rules: correlation "c" counts this one in turn, so that neither can begin; take one of the two off the other's list`,
			`r.yml:4:77: rule "Correlate c": correlation.rules: rule "d" is broken; see its error`}},
		{"three in a round", over("c", "d", "") + over("d", "e", "") + over("e", "c", ""), Options{}, []string{
			`r.yml:12:77: rule "Correlate e": correlation.rules: correlation "c" counts this one in turn, so that neither can begin; take one of the two off the other's list`,
			`r.yml:8:77: rule "Correlate d": correlation.rules: rule "e" is broken; see its error`,
			`r.yml:4:77: rule "Correlate c": correlation.rules: rule "d" is broken; see its error`}},
		{"nine levels", small("a", "") + stack(9), Options{},
			[]string{`r.yml:39: rule "Correlate c9": correlation.rules: the chain of correlations is 9 deep and at most 8 are possible`}},
		{"more correlations than a chain has", wide + over("top", strings.Join(all, ", "), ""), Options{},
			[]string{`r.yml:263: rule "Correlate top": correlation.rules: the chain is made of 65 correlations and at most 64 are possible`}},
		{"a disabled correlation", small("a", "") + over("c", "a", "") + over("d", "c", ""), Options{Disable: []string{"c"}},
			[]string{`r.yml:13:77: rule "Correlate d": correlation.rules: correlation "c" is disabled, and this one counts it; disable both or none`}},
		{"an inner one beyond the horizon", small("a", "") + over("c", "a", "") + correlate("d", "type: event_count, timespan: 1m, condition: {gte: 3}, rules: [c]", ""), Options{Horizon: time.Minute}, []string{
			`r.yml:9:44: rule "Correlate c": correlation.timespan: 5m is longer than the horizon of 1m, beyond which events are forgotten; shorten it, or raise the horizon (correlator.horizon in the configuration)`,
			`r.yml:13:77: rule "Correlate d": correlation.rules: rule "c" is broken; see its error`}},
		{"a filter", filtering("f", "any", "not sel") + over("c", "f", ""), Options{},
			[]string{`r.yml:9:77: rule "Correlate c": correlation.rules: "f" is a filter, which matches nothing by itself; name a rule`}},
		{"an alias for a rule that is not counted", small("a", "") + correlate("c", "type: event_count, timespan: 5m, condition: {gte: 3}, rules: [a], group-by: ip, aliases: {ip: {alpha: b}}", ""), Options{},
			[]string{`r.yml:9:110: rule "Correlate c": correlation.aliases: alias "ip": "alpha" is not among the rules of the correlation; write one of a`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := compileText(t, tt.rules, tt.opts)
			if diff := cmp.Diff(tt.want, errs); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestACorrelationOverABrokenRuleSaysSo(t *testing.T) {
	c, errs := Parse("r.yml", []byte(strings.Replace(small("a", ""), "eventName:", "eventName|nope:", 1)+
		strings.Replace(over("c", "a", ""), "gte", "get", 1)+over("d", "a", "")+over("e", "c", "")))
	if len(errs) != 2 {
		t.Fatal(errs)
	}
	_, errs = Compile(c, Options{Disable: []string{"a"}})
	want := []string{
		`r.yml:13:77: rule "Correlate d": correlation.rules: rule "a" is broken; see its error`,
		`r.yml:17:77: rule "Correlate e": correlation.rules: rule "c" is broken; see its error`,
	}
	var got []string
	for _, err := range errs {
		got = append(got, err.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAChainOverAnotherLogIsSkipped(t *testing.T) {
	set, errs := compileText(t, "title: W\nname: w\nlogsource: {product: windows}\n"+over("c", "w", "")+over("d", "c", ""), Options{})
	var skipped []string
	for _, s := range set.Skipped() {
		skipped = append(skipped, s.Title+": "+s.Reason)
	}
	want := []string{
		`W: its logsource has product "windows", not aws`,
		`Correlate c: it counts rule "w", which is not for CloudTrail`,
		`Correlate d: it counts correlation "c", which is not for CloudTrail`,
	}
	if diff := cmp.Diff(want, skipped); diff != "" || len(errs) > 0 {
		t.Errorf("%v (-want +got):\n%s", errs, diff)
	}
}

func TestConditionsForTheWindowEngine(t *testing.T) {
	for _, tt := range []struct {
		name, body, text string
		rules            []string
		want             window.Condition
	}{
		{"events", "type: event_count, rules: [a, b, a], condition: {gt: 4, lte: 10}", "gt: 4, lte: 10", []string{"a", "b"},
			window.Condition{Measure: window.Events, Bounds: []window.Bound{{Op: window.GT, Value: 4}, {Op: window.LTE, Value: 10}}}},
		{"values", "type: value_count, rules: [a], condition: {field: x, neq: 4}", "field: x, neq: 4", []string{"a"},
			window.Condition{Measure: window.Values, Bounds: []window.Bound{{Op: window.NEQ, Value: 4}}}},
		{"combinations", "type: value_count, rules: [a], condition: {field: [x, y], eq: 4}", "field: [x, y], eq: 4", []string{"a"},
			window.Condition{Measure: window.Values, Bounds: []window.Bound{{Op: window.EQ, Value: 4}}}},
		{"a sum", "type: value_sum, rules: [a], condition: {field: x, gte: 0.1}", "field: x, gte: 0.1", []string{"a"},
			window.Condition{Measure: window.Sum, Bounds: []window.Bound{{Op: window.GTE, Value: 100_000}}}},
		{"a sum of the size that is possible", "type: value_sum, rules: [a], condition: {field: x, lt: -9e12}", "field: x, lt: -9000000000000", []string{"a"},
			window.Condition{Measure: window.Sum, Bounds: []window.Bound{{Op: window.LT, Value: -maxMillionths}}}},
		{"an average", "type: value_avg, rules: [a], condition: {field: x, lt: -2}", "field: x, lt: -2", []string{"a"},
			window.Condition{Measure: window.Average, Bounds: []window.Bound{{Op: window.LT, Value: -2_000_000}}}},
		{"a percentile", "type: value_percentile, rules: [a], condition: {field: x, percentile: 95, gte: 3}", "field: x, percentile: 95, gte: 3", []string{"a"},
			window.Condition{Measure: window.Percentile, Percentile: 95, Bounds: []window.Bound{{Op: window.GTE, Value: 3_000_000}}}},
		{"a median", "type: value_median, rules: [a], condition: {field: x, gte: 3}", "field: x, gte: 3", []string{"a"},
			window.Condition{Measure: window.Percentile, Percentile: 50, Bounds: []window.Bound{{Op: window.GTE, Value: 3_000_000}}}},
		{"all rules", "type: temporal, rules: [a, b, a]", "gte: 2", []string{"a", "b"},
			window.Condition{Measure: window.Rules, Bounds: []window.Bound{{Op: window.GTE, Value: 2}}}},
		{"all rules, one of them by its id too", "type: temporal, rules: [a, b, id-of-a]", "gte: 3", []string{"a", "b"},
			window.Condition{Measure: window.Rules, Bounds: []window.Bound{{Op: window.GTE, Value: 2}}}},
		{"some of the rules", "type: temporal, rules: [a, b], condition: {gte: 1}", "gte: 1", []string{"a", "b"},
			window.Condition{Measure: window.Rules, Bounds: []window.Bound{{Op: window.GTE, Value: 1}}}},
		{"a text", "type: temporal, rules: [a, b], condition: b and not a", "b and not a", []string{"a", "b"},
			window.Condition{Measure: window.Rules, Terms: []window.Term{{Need: []int{1}, Absent: 0b01}}}},
		{"all steps", "type: temporal_ordered, rules: [a, b, a]", "gte: 3", []string{"a", "b", "a"},
			window.Condition{Measure: window.OrderedRules, Terms: []window.Term{{Need: []int{0, 1, 2}}}}},
		{"steps of a text are in the order of the rules", "type: temporal_ordered, rules: [b, a], condition: a and b", "a and b", []string{"b", "a"},
			window.Condition{Measure: window.OrderedRules, Terms: []window.Term{{Need: []int{0, 1}}}}},
		{"a rule of a text that is two steps", "type: temporal_ordered, rules: [a, b, a], condition: a and b", "a and b", []string{"a", "b", "a"},
			window.Condition{Measure: window.OrderedRules, Terms: []window.Term{{Need: []int{0, 1, 2}}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, errs := compileText(t, small("a", "id: id-of-a\n")+small("b", "")+correlate("c", tt.body+", timespan: 5m", ""), Options{})
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			c := set.Correlations()[0]
			if diff := cmp.Diff([]window.Level{{Timespan: 300_000, Condition: tt.want}}, c.Levels()); diff != "" {
				t.Errorf("levels (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.rules, c.Rules()); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if c.Condition() != tt.text {
				t.Errorf("condition %q, want %q", c.Condition(), tt.text)
			}
		})
	}
}

// The middle one of three is counted by the outermost twice: as it is, and by
// way of another.
func TestLevelsOfAChain(t *testing.T) {
	set, errs := compileText(t, small("a", "")+small("b", "")+
		correlate("inner", "type: event_count, rules: [a], timespan: 1m, condition: {gte: 2}", "")+
		correlate("middle", "type: event_count, rules: [b, inner], timespan: 2m, condition: {gte: 3}", "")+
		correlate("outer", "type: temporal_ordered, rules: [middle, inner, a, middle], timespan: 3m", ""), Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := []window.Level{
		{Timespan: 180_000, Condition: window.Condition{Measure: window.OrderedRules, Terms: []window.Term{{Need: []int{0, 1, 2, 3}}}}},
		{Timespan: 120_000, Condition: window.Condition{Bounds: []window.Bound{{Op: window.GTE, Value: 3}}}, Outer: []window.Input{{Level: 0, Bit: 0}, {Level: 0, Bit: 3}}},
		{Timespan: 60_000, Condition: window.Condition{Bounds: []window.Bound{{Op: window.GTE, Value: 2}}}, Outer: []window.Input{{Level: 0, Bit: 1}, {Level: 1, Bit: 1}}},
	}
	if diff := cmp.Diff(want, set.Correlations()[0].Levels()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"middle", "inner", "a", "middle"}, set.Correlations()[0].Rules()); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}
