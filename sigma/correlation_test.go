package sigma

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestCorrelationErrors(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"a misspelt type", "{type: event_cuont, rules: [x], timespan: 5m, condition: {gte: 1}}",
			`correlation.type: "event_cuont" is not a correlation type; did you mean "event_count"?`},
		{"a type of nobody", "{type: geo_velocity, rules: [x], timespan: 5m, condition: {gte: 1}}",
			`correlation.type: "geo_velocity" is not a correlation type; write one of event_count, value_count, temporal, temporal_ordered, value_sum, value_avg, value_percentile, value_median`},
		{"no type", "{rules: [x], timespan: 5m, condition: {gte: 1}}", `correlation: there is no "type"; write one such as "type: event_count"`},
		{"a word", "event_count", `correlation must be a map, not "event_count"`},
		{"a misspelt key", "{type: event_count, rules: [x], group_by: [a], timespan: 5m, condition: {gte: 1}}",
			`correlation: unknown key "group_by"; did you mean "group-by"?`},
		{"no rules", "{type: event_count, timespan: 5m, condition: {gte: 1}}", `correlation: there are no "rules"; write a list of ids or names of rules`},
		{"rules that are a map", "{type: event_count, rules: {a: b}, timespan: 5m, condition: {gte: 1}}", `correlation.rules must be a string, not a map`},
		{"too many rules", "{type: temporal, rules: [" + strings.Repeat("x,", 64) + "x], timespan: 5m}",
			`correlation.rules: there are 65 rules and at most 64 are possible; put some of them together in one rule`},
		{"no timespan", "{type: event_count, rules: [x], condition: {gte: 1}}", `correlation: there is no "timespan"; write one such as "timespan: 5m"`},
		{"a timespan without a unit", "{type: event_count, rules: [x], timespan: 360, condition: {gte: 1}}",
			`correlation.timespan: "360" is not a timespan; write a number and a unit out of s, m, h, d, w, as in "5m"`},
		{"a timespan of two units", "{type: event_count, rules: [x], timespan: 1h30m, condition: {gte: 1}}",
			`correlation.timespan: "1h30m" is not a timespan; write a number and a unit out of s, m, h, d, w, as in "5m"`},
		{"months", "{type: event_count, rules: [x], timespan: 1M, condition: {gte: 1}}",
			`correlation.timespan: "1M" is months, which are not of one length; write days, as in "30d", or "1m" for minutes`},
		{"years", "{type: event_count, rules: [x], timespan: 2y, condition: {gte: 1}}",
			`correlation.timespan: "2y" is years, which are not of one length; write days, as in "365d"`},
		{"no time at all", "{type: event_count, rules: [x], timespan: 0s, condition: {gte: 1}}",
			`correlation.timespan: "0s" is no time at all; write a number and a unit out of s, m, h, d, w, as in "5m"`},
		{"more time than a number holds", "{type: event_count, rules: [x], timespan: 99999999999w, condition: {gte: 1}}",
			`correlation.timespan: "99999999999w" is too long`},
		{"no condition", "{type: event_count, rules: [x], timespan: 5m}", `correlation: there is no "condition"; write one such as "condition: {gte: 5}"`},
		{"no condition on values", "{type: value_count, rules: [x], timespan: 5m}",
			`correlation: there is no "condition"; write one such as "condition: {field: userIdentity.arn, gte: 5}"`},
		{"a number for a condition", "{type: event_count, rules: [x], timespan: 5m, condition: 5}",
			`correlation.condition: event_count takes a map such as {gte: 5}, not "5"`},
		{"a number for the condition of a temporal type", "{type: temporal, rules: [x, y], timespan: 5m, condition: 2}",
			`correlation.condition: temporal takes names of rules, as in "a and b", or a map such as {gte: 2}, not "2"`},
		{"a text for the condition of a counting type", "{type: event_count, rules: [x], timespan: 5m, condition: x}",
			`correlation.condition: event_count takes a map such as {gte: 5}, not "x"`},
		{"an empty condition", "{type: event_count, rules: [x], timespan: 5m, condition: {}}",
			`correlation.condition: there is no comparison; write one such as {gte: 5}`},
		{"an unknown comparison", "{type: event_count, rules: [x], timespan: 5m, condition: {get: 5}}",
			`correlation.condition: unknown comparison "get"; did you mean "gt" or "gte"?`},
		{"a count that is none", "{type: event_count, rules: [x], timespan: 5m, condition: {gte: -1}}",
			`correlation.condition: "-1" is not a count; write a whole number, 0 or more`},
		{"a count with a fraction", "{type: event_count, rules: [x], timespan: 5m, condition: {gte: 1.5}}",
			`correlation.condition: "1.5" is not a count; write a whole number, 0 or more`},
		{"a count beyond use", "{type: event_count, rules: [x], timespan: 5m, condition: {gte: 99999999999999}}",
			`correlation.condition: "99999999999999" is more than any window holds; write at most 1000000000`},
		{"a range without a number in it", "{type: event_count, rules: [x], timespan: 5m, condition: {gt: 4, lt: 5}}",
			`correlation.condition: no count can be gt: 4, lt: 5`},
		{"more rules than there are", "{type: temporal, rules: [x, y], timespan: 5m, condition: {gte: 3}}",
			`correlation.condition: no count can be gte: 3; there are 2 rules`},
		{"no field", "{type: value_count, rules: [x], timespan: 5m, condition: {gte: 3}}",
			`correlation.condition: value_count needs a "field"; write one as in {field: userIdentity.arn, gte: 5}`},
		{"a sum of two fields", "{type: value_sum, rules: [x], timespan: 5m, condition: {field: [a, b], gte: 3}}",
			`correlation.condition.field: value_sum takes one field, not 2; only value_count counts combinations`},
		{"a sum beyond use", "{type: value_sum, rules: [x], timespan: 5m, condition: {field: a, gte: 9e13}}",
			`correlation.condition: "9e13" is not a number that can be compared with; write a decimal number, at most 9e12 either way`},
		{"a sum with a word", "{type: value_sum, rules: [x], timespan: 5m, condition: {field: a, gte: many}}",
			`correlation.condition: "many" is not a number that can be compared with; write a decimal number, at most 9e12 either way`},
		{"a sum with seven decimals", "{type: value_sum, rules: [x], timespan: 5m, condition: {field: a, gte: 0.0000001}}",
			`correlation.condition: "0.0000001" has more than six decimals; round it`},
		{"a sum that no number is", "{type: value_sum, rules: [x], timespan: 5m, condition: {field: a, gt: 1, lt: 1}}",
			`correlation.condition: no number can be gt: 1, lt: 1`},
		{"a percentile of nothing", "{type: value_percentile, rules: [x], timespan: 5m, condition: {field: a, gt: 1}}",
			`correlation.condition: value_percentile needs a "percentile"; write one as in {field: additionalEventData.bytesTransferredOut, percentile: 95, gt: 5}`},
		{"a percentile beyond all", "{type: value_percentile, rules: [x], timespan: 5m, condition: {field: a, percentile: 101, gt: 1}}",
			`correlation.condition.percentile: "101" is not a percentile; write a whole number, 0 to 100`},
		{"a percentile of a median", "{type: value_median, rules: [x], timespan: 5m, condition: {field: a, percentile: 95, gt: 1}}",
			`correlation.condition: "percentile" is for the type value_percentile, not value_median`},
		{"a condition that leaves a rule out", "{type: temporal, rules: [x, y], timespan: 5m, condition: x}",
			`correlation.rules: the condition does not name "y"; name every rule in it, or take this one off the list`},
		{"a condition over another rule", "{type: temporal, rules: [xray, y], timespan: 5m, condition: xrya and y}",
			`correlation.condition: "xrya" is not among the rules of the correlation; did you mean "xray"?`},
		{"a condition that ends early", "{type: temporal, timespan: 5m, condition: x and}",
			`correlation.condition: the condition ends where a rule is expected`},
		{"a condition without an operator", "{type: temporal, timespan: 5m, condition: x y}",
			`correlation.condition: unexpected "y"; write "and" or "or" between two rules`},
		{"a condition with a quantifier", "{type: temporal, rules: [x, y], timespan: 5m, condition: 1 of them}",
			`correlation.condition: "1 of" is for detections; write the names of the rules, as in "a and b"`},
		{"a condition with a pipe", "{type: temporal, timespan: 5m, condition: x | y}",
			`correlation.condition: "|" is not part of a condition; write "and" or "or"`},
		{"an empty text", "{type: temporal, timespan: 5m, condition: ''}",
			`correlation.condition: the condition is empty; write names of rules, as in "condition: failure and success"`},
		{"a contradiction", "{type: temporal, timespan: 5m, condition: x and not x}",
			`correlation.condition: no window can satisfy it: it is tested at events of its rules`},
		{"silence", "{type: temporal, timespan: 5m, condition: not x and not y}",
			`correlation.condition: no window can satisfy it: it is tested at events of its rules`},
		{"too many alternatives", "{type: temporal, timespan: 5m, condition: " + manyAlternatives(7) + "}",
			`correlation.condition: it has too many alternatives; at most 64 combinations of rules are possible once the parentheses are multiplied out`},
		{"an alias without a map", "{type: temporal, rules: [x, y], timespan: 5m, group-by: ip, aliases: {ip: sourceIPAddress}}",
			`correlation.aliases: alias "ip" must be a map from rules to fields, as in {login_failure: userIdentity.userName}, not "sourceIPAddress"`},
		{"an alias without rules", "{type: temporal, rules: [x, y], timespan: 5m, group-by: ip, aliases: {ip: {}}}",
			`correlation.aliases: alias "ip" is empty; write the field of each rule, as in {login_failure: userIdentity.userName}`},
		{"an alias without a field", "{type: temporal, rules: [x, y], timespan: 5m, group-by: ip, aliases: {ip: {x: }}}",
			`correlation.aliases: alias "ip" has no field for rule "x"; write its path, as in "userIdentity.arn"`},
		{"an alias for no path", "{type: temporal, rules: [x, y], timespan: 5m, group-by: ip, aliases: {ip: {x: a..b}}}",
			`correlation.aliases: alias "ip": field "a..b" has an empty part; write names with one dot between, as in "userIdentity.type"`},
		{"a field twice in group-by", "{type: event_count, rules: [x], group-by: [a, a], timespan: 5m, condition: {gte: 1}}",
			`correlation.group-by: field "a" is there twice`},
		{"a word for generate", "{type: event_count, rules: [x], timespan: 5m, condition: {gte: 1}, generate: often}",
			`correlation.generate must be true or false, not "often"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := Parse("r.yml", []byte("title: C\ncorrelation: "+tt.body+"\n"))
			if len(errs) != 1 {
				t.Fatalf("errors: %v", errs)
			}
			got := errs[0].(*Error)
			if got.Msg != tt.want || got.Line != 2 || got.Column == 0 || got.Rule != "C" {
				t.Errorf("got  %v\nwant r.yml:2:…: rule \"C\": %s", got, tt.want)
			}
		})
	}
}

// manyAlternatives has two to the power of n alternatives.
func manyAlternatives(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf("(a%d or b%d)", i, i))
	}
	return strings.Join(parts, " and ")
}

func TestAnErrorInAConditionOverRulesPointsIntoIt(t *testing.T) {
	_, errs := Parse("r.yml", []byte("title: C\ncorrelation:\n  type: temporal\n  timespan: 5m\n  condition: 'x and )'\n"))
	if want := `r.yml:5:21: rule "C": correlation.condition: ")" where a rule is expected`; len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("got  %v\nwant %s", errs, want)
	}
}

func TestALongTextOfAlternativesIsRefusedInTime(t *testing.T) {
	text := strings.Repeat("x or ", 100_000) + "x"
	c, errs := Parse("r.yml", []byte("title: C\ncorrelation: {type: temporal, timespan: 5m, condition: "+text+"}\n"))
	if len(errs) > 0 || len(c.Correlations) != 1 {
		t.Errorf("errors: %v", errs)
	}
}

func TestCorrelationsAreRead(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       Correlation
	}{
		{"a list of one rule may be a string, and so may a field", "{type: event_count, rules: x, group-by: a.b, timespan: 2h, condition: {gt: 4, lte: 1_000}}",
			Correlation{Type: "event_count", Rules: []string{"x"}, GroupBy: []string{"a.b"}, Timespan: 2 * time.Hour, Condition: Threshold{{"gt", 4}, {"lte", 1000}}}},
		{"group-by may be left out", "{type: event_count, rules: x, timespan: 1w, condition: {eq: 4.0}}",
			Correlation{Type: "event_count", Rules: []string{"x"}, Timespan: 7 * 24 * time.Hour, Condition: Threshold{{"eq", 4}}}},
		{"values of a field", "{type: value_count, rules: x, timespan: 30s, condition: {field: a.b, neq: 4}}",
			Correlation{Type: "value_count", Rules: []string{"x"}, Timespan: 30 * time.Second, Condition: Threshold{{"neq", 4}}, Fields: []string{"a.b"}}},
		{"combinations of values", "{type: value_count, rules: x, timespan: 1d, condition: {field: [a, b], gte: 4}}",
			Correlation{Type: "value_count", Rules: []string{"x"}, Timespan: 24 * time.Hour, Condition: Threshold{{"gte", 4}}, Fields: []string{"a", "b"}}},
		{"a sum below zero", "{type: value_sum, rules: x, timespan: 1d, condition: {field: a, lt: -1.5}}",
			Correlation{Type: "value_sum", Rules: []string{"x"}, Timespan: 24 * time.Hour, Condition: Threshold{{"lt", -1.5}}, Fields: []string{"a"}}},
		{"a percentile", "{type: value_percentile, rules: x, timespan: 1d, condition: {field: a, percentile: 95, gte: 1e6}}",
			Correlation{Type: "value_percentile", Rules: []string{"x"}, Timespan: 24 * time.Hour, Condition: Threshold{{"gte", 1e6}}, Fields: []string{"a"}, Percentile: 95}},
		{"a temporal one demands all rules", "{type: temporal, rules: [x, y, x], timespan: 1d}",
			Correlation{Type: "temporal", Rules: []string{"x", "y", "x"}, Timespan: 24 * time.Hour, Condition: Threshold{{"gte", 2}}}},
		{"an ordered one demands all steps", "{type: temporal_ordered, rules: [x, y, x], timespan: 1d}",
			Correlation{Type: "temporal_ordered", Rules: []string{"x", "y", "x"}, Timespan: 24 * time.Hour, Condition: Threshold{{"gte", 3}}}},
		{"rules may be named in the condition alone", "{type: temporal, timespan: 1d, condition: y and (x or not y)}",
			Correlation{Type: "temporal", Rules: []string{"y", "x"}, Timespan: 24 * time.Hour, Expr: And{Ref{"y"}, Or{Ref{"x"}, Not{Ref{"y"}}}}}},
		{"or in both places", "{type: temporal_ordered, rules: [x, y], timespan: 1d, condition: y AND x}",
			Correlation{Type: "temporal_ordered", Rules: []string{"x", "y"}, Timespan: 24 * time.Hour, Expr: And{Ref{"y"}, Ref{"x"}}}},
		{"aliases", "{type: temporal, rules: [x, y], group-by: [ip, a], timespan: 1d, aliases: {ip: {x: src, y: dst.ip}}}",
			Correlation{Type: "temporal", Rules: []string{"x", "y"}, GroupBy: []string{"ip", "a"}, Timespan: 24 * time.Hour, Condition: Threshold{{"gte", 2}},
				Aliases: []Alias{{Name: "ip", Fields: map[string]string{"x": "src", "y": "dst.ip"}}}}},
		{"generate", "{type: event_count, rules: x, timespan: 1d, condition: {gte: 4}, generate: true}",
			Correlation{Type: "event_count", Rules: []string{"x"}, Timespan: 24 * time.Hour, Condition: Threshold{{"gte", 4}}, Generate: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, errs := Parse("r.yml", []byte("title: C\ncorrelation: "+tt.body+"\n"))
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			got := *c.Correlations[0]
			got.Meta = Meta{}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(Correlation{}, Alias{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTermsOfAConditionOverRules(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []term
	}{
		{"a and b", []term{{0b11, 0}}},
		{"a or b", []term{{0b01, 0}, {0b10, 0}}},
		{"a and not b", []term{{0b01, 0b10}}},
		{"not (a or b) or c", []term{{0, 0b11}, {0b100, 0}}},
		{"a and (b or c)", []term{{0b011, 0}, {0b101, 0}}},
		{"not (a and b) and c", []term{{0b100, 0b01}, {0b100, 0b10}}},
		{"a or a and b", []term{{0b01, 0}}}, // the second says no more
		{"a or not a and b", []term{{0b01, 0}, {0b10, 0b01}}},
		{"a and not a or b", []term{{0b10, 0}}}, // the first is a contradiction
		{"not a", nil},                          // nothing else brings an event
	} {
		x, names, err := parseRuleCondition(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := termsOf(x, bitsByName(names))
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(term{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

// A condition and its terms say the same of every set of rules that occur.
func TestTermsAgreeWithTheCondition(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	var draw func(t *rapid.T, depth int) Expr
	draw = func(t *rapid.T, depth int) Expr {
		kind := rapid.IntRange(0, 4).Draw(t, "kind")
		switch {
		case depth == 0 || kind == 0:
			return Ref{rapid.SampledFrom(names).Draw(t, "name")}
		case kind == 1:
			return Not{draw(t, depth-1)}
		}
		var operands []Expr
		for range rapid.IntRange(2, 3).Draw(t, "operands") {
			operands = append(operands, draw(t, depth-1))
		}
		if kind == 2 {
			return And(operands)
		}
		return Or(operands)
	}
	var holds func(x Expr, occur uint64) bool
	holds = func(x Expr, occur uint64) bool {
		switch x := x.(type) {
		case Not:
			return !holds(x.X, occur)
		case And:
			for _, y := range x {
				if !holds(y, occur) {
					return false
				}
			}
			return true
		case Or:
			for _, y := range x {
				if holds(y, occur) {
					return true
				}
			}
			return false
		}
		return occur>>slices.Index(names, x.(Ref).Name)&1 == 1
	}
	rapid.Check(t, func(t *rapid.T) {
		x := draw(t, 4)
		terms, err := termsOf(x, bitsByName(names))
		any := false
		for occur := range uint64(16) {
			if occur == 0 {
				continue // no event
			}
			want := holds(x, occur)
			any = any || want
			got := slices.ContainsFunc(terms, func(u term) bool { return u.need&^occur == 0 && u.absent&occur == 0 })
			if got != want {
				t.Fatalf("%s of %04b: %v, its terms %v say %v (%v)", x, occur, want, terms, got, err)
			}
		}
		if (err == nil) != any {
			t.Fatalf("%s can hold: %v, error %v", x, any, err)
		}
	})
}

func TestMillionths(t *testing.T) {
	for _, tt := range []struct {
		text  string
		n     int64
		exact bool
		ok    bool
	}{
		{"0", 0, true, true},
		{"-0", 0, true, true},
		{"1", 1_000_000, true, true},
		{"1.5", 1_500_000, true, true},
		{"-1.000001", -1_000_001, true, true},
		{"007", 7_000_000, true, true},
		{"0.0000005", 1, false, true},
		{"0.00000049999999999999999999", 0, false, true},
		{"-0.0000005", -1, false, true},
		{"1.0000000", 1_000_000, true, true},
		{"1e3", 1_000_000_000, true, true},
		{"1.25E-2", 12_500, true, true},
		{"123456789e-15", 0, false, true},
		{"5e-7", 1, false, true},
		{"0e999999999999999999999", 0, true, true},
		{"1e-999999999999999999999", 0, false, true},
		{"9000000000000", maxMillionths, true, true},
		{"-9e12", -maxMillionths, true, true},
		{"9000000000000.000001", 0, false, false},
		{"9e13", 0, false, false},
		{"1e999999999999999999999", 0, false, false},
		{"99999999999999999999999999", 0, false, false},
		{"", 0, false, false},
		{"-", 0, false, false},
		{".", 0, false, false},
		{".5", 0, false, false}, // "decimal" writes those of rules out
		{"5.", 0, false, false},
		{"+5", 0, false, false},
		{"-.5e1", 0, false, false},
		{"8999999999999.9999994", maxMillionths - 1, false, true},
		{"8999999999999.9999996", maxMillionths, false, true},
		{"9000000000000.0000004", maxMillionths, false, true},
		{"9000000000000.0000005", 0, false, false},
		{"1e", 0, false, false},
		{"1e+", 0, false, false},
		{"0x10", 0, false, false},
		{"1 ", 0, false, false},
		{"NaN", 0, false, false},
		{"1_000", 0, false, false},
	} {
		n, exact, ok := parseMillionths(tt.text)
		if n != tt.n || ok != tt.ok || exact != tt.exact && ok {
			t.Errorf("%q: %d, exact %v, %v; want %d, %v, %v", tt.text, n, exact, ok, tt.n, tt.exact, tt.ok)
		}
	}
}
