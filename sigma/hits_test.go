package sigma

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/sigma/window"
)

// hits returns how a record counts for the only correlation that alerts.
func hits(t *testing.T, rules, record string) []Hit {
	t.Helper()
	set, errs := compileText(t, rules, Options{})
	if len(errs) > 0 || len(set.Correlations()) != 1 {
		t.Fatal(errs)
	}
	source, name := typeOf(record)
	matched := set.Candidates(source, name).AppendMatches(nil, []byte(record))
	return set.Correlations()[0].Hits(nil, matched, []byte(record))
}

// hashes of the texts of values.
func hashes(texts ...string) []int64 {
	var values []int64
	for _, text := range texts {
		values = append(values, valueHash(text))
	}
	return values
}

// Hashes are stored in logs of matches.
func TestValueHashesStayTheSame(t *testing.T) {
	for text, want := range map[string]uint64{"": 0xef46db3751d8e999, "a": 0xd24ec4f1a98c6e5b, "abc": 0x44bc2cf5ad770999} {
		if got := uint64(valueHash(text)); got != want {
			t.Errorf("%q: %x, want %x", text, got, want)
		}
	}
}

func TestHitsOfACorrelationOverRules(t *testing.T) {
	rules := small("a", "id: id-of-a\n") + "---\ntitle: B\nname: b\nlogsource: {product: aws}\ndetection: {sel: {eventName: [a, b]}, condition: sel}\n"
	// Rule a matches the name a, rule b the names a and b.
	for _, tt := range []struct {
		name, body, record string
		want               []Hit
	}{
		{"by one rule", "type: temporal, rules: [a, b], group-by: [u]", `{"eventName": "b", "u": "alice"}`,
			[]Hit{{Key: []string{"alice"}, Counts: []window.Count{{Group: []string{"alice"}, Inputs: 0b10}}}}},
		{"by both rules, once", "type: temporal, rules: [a, b], group-by: [u]", `{"eventName": "a", "u": "alice"}`,
			[]Hit{{Key: []string{"alice"}, Counts: []window.Count{{Group: []string{"alice"}, Inputs: 0b11}}}}},
		{"a rule that is two steps", "type: temporal_ordered, rules: [b, a, b]", `{"eventName": "b"}`,
			[]Hit{{Counts: []window.Count{{Inputs: 0b101}}}}},
		{"a rule that is there twice", "type: event_count, rules: [b, a, b], condition: {gte: 2}", `{"eventName": "a"}`,
			[]Hit{{Counts: []window.Count{{Inputs: 0b11}}}}},
		{"without the field", "type: temporal, rules: [a, b], group-by: [u]", `{"eventName": "b"}`, nil},
		{"by no rule", "type: temporal, rules: [a, b], group-by: [u]", `{"eventName": "c", "u": "alice"}`, nil},
		{"an alias that leads to two groups", "type: temporal, rules: [a, b], group-by: [who, u], aliases: {who: {a: x, b: y}}", `{"eventName": "a", "u": "U", "x": "X", "y": "Y"}`,
			[]Hit{
				{Key: []string{"X", "U"}, Counts: []window.Count{{Group: []string{"X", "U"}, Inputs: 0b01}}},
				{Key: []string{"Y", "U"}, Counts: []window.Count{{Group: []string{"Y", "U"}, Inputs: 0b10}}},
			}},
		{"an alias that leads to one group", "type: temporal, rules: [a, b], group-by: [who], aliases: {who: {a: x, b: y}}", `{"eventName": "a", "x": "X", "y": "X"}`,
			[]Hit{{Key: []string{"X"}, Counts: []window.Count{{Group: []string{"X"}, Inputs: 0b11}}}}},
		{"an alias whose field one rule's record lacks", "type: temporal, rules: [a, b], group-by: [who], aliases: {who: {a: x, b: y}}", `{"eventName": "a", "y": "Y"}`,
			[]Hit{{Key: []string{"Y"}, Counts: []window.Count{{Group: []string{"Y"}, Inputs: 0b10}}}}},
		{"an alias is a field for a rule that it does not map", "type: temporal, rules: [a, b], group-by: [who], aliases: {who: {a: x}}", `{"eventName": "b", "who": "W", "x": "X"}`,
			[]Hit{{Key: []string{"W"}, Counts: []window.Count{{Group: []string{"W"}, Inputs: 0b10}}}}},
		{"an alias by the id of a rule", "type: temporal, rules: [a, b], group-by: [who], aliases: {who: {id-of-a: x, b: x}}", `{"eventName": "a", "who": "W", "x": "X"}`,
			[]Hit{{Key: []string{"X"}, Counts: []window.Count{{Group: []string{"X"}, Inputs: 0b11}}}}},
		{"a value", "type: value_count, rules: [b], condition: {field: v.w, gte: 2}", `{"eventName": "a", "v": {"w": "x"}}`,
			[]Hit{{Counts: []window.Count{{Inputs: 1, Values: hashes("x")}}}}},
		{"an empty value", "type: value_count, rules: [b], condition: {field: v, gte: 2}", `{"eventName": "a", "v": ""}`,
			[]Hit{{Counts: []window.Count{{Inputs: 1, Values: hashes("")}}}}},
		{"a number and its text are one value", "type: value_count, rules: [b], condition: {field: v.w, gte: 2}", `{"eventName": "a", "v": [{"w": 5}, {"w": "5"}, {"w": true}]}`,
			[]Hit{{Counts: []window.Count{{Inputs: 1, Values: hashes("5", "true")}}}}},
		{"scalars of lists, no objects and no nulls", "type: value_count, rules: [b], condition: {field: v, gte: 2}", `{"eventName": "a", "v": [null, {"a": "no"}, ["x", ["5"]], []]}`,
			[]Hit{{Counts: []window.Count{{Inputs: 1, Values: hashes("x", "5")}}}}},
		{"no value", "type: value_count, rules: [b], condition: {field: v, gte: 2}", `{"eventName": "a", "v": null}`, nil},
		{"an object is no value", "type: value_count, rules: [b], condition: {field: v, gte: 2}", `{"eventName": "a", "v": {"a": 1}}`, nil},
		{"a combination", "type: value_count, rules: [b], condition: {field: [v, w], gte: 2}", `{"eventName": "a", "v": "x", "w": [5, "y"]}`,
			[]Hit{{Counts: []window.Count{{Inputs: 1, Values: hashes(`1:x7:[5,"y"]`)}}}}},
		{"a combination that lacks a part", "type: value_count, rules: [b], condition: {field: [v, w], gte: 2}", `{"eventName": "a", "v": "x"}`, nil},
		{"numbers", "type: value_sum, rules: [b], condition: {field: v, gte: 2}", `{"eventName": "a", "v": [1, "2.5", "-1e-3", "many", true, null, 1e99, 1]}`,
			[]Hit{{Counts: []window.Count{{Inputs: 1, Values: []int64{1_000_000, 2_500_000, -1_000, 1_000_000}}}}}},
		{"no number", "type: value_avg, rules: [b], condition: {field: v, gte: 2}", `{"eventName": "a", "v": "many"}`, nil},
		{"values by an alias of two fields", "type: value_count, rules: [a, b], condition: {field: v, gte: 2}, aliases: {v: {a: x, b: y}}", `{"eventName": "a", "x": "x", "y": ["x", "5"]}`,
			[]Hit{{Counts: []window.Count{{Inputs: 0b11, Values: hashes("x", "5")}}}}},
		{"numbers of one field by two rules count once", "type: value_sum, rules: [a, b], group-by: [g], condition: {field: v, gte: 2}, aliases: {g: {a: x, b: y}}", `{"eventName": "a", "v": 2, "x": "g", "y": "g"}`,
			[]Hit{{Key: []string{"g"}, Counts: []window.Count{{Group: []string{"g"}, Inputs: 0b11, Values: []int64{2_000_000}}}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, hits(t, rules+correlate("c", tt.body+", timespan: 5m", ""), tt.record)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestARecordContributesAThousandValues(t *testing.T) {
	many := `{"eventName": "a", "v": [` + strings.Repeat(`1, `, 2000) + `1]}`
	got := hits(t, small("a", "")+correlate("c", "type: value_sum, rules: [a], timespan: 5m, condition: {field: v, gte: 2}", ""), many)
	if len(got) != 1 || len(got[0].Counts[0].Values) != 1000 {
		t.Errorf("%d hits", len(got))
	}
}

func TestHitsOfAChain(t *testing.T) {
	rules := small("a", "") + small("b", "") +
		correlate("inner", "type: value_count, rules: [a], group-by: [host, user], timespan: 1m, condition: {field: v, gte: 2}", "") +
		correlate("middle", "type: event_count, rules: [b, inner], group-by: [user, region], timespan: 2m, condition: {gte: 3}", "") +
		correlate("outer", "type: temporal_ordered, rules: [middle, inner, a], group-by: [region, user, who], timespan: 3m, aliases: {who: {inner: arn}}", "")
	for _, tt := range []struct {
		name, record string
		want         []Hit
	}{
		{"at all levels", `{"eventName": "a", "user": "u", "host": "h", "region": "r", "arn": "n", "who": "w", "v": "x"}`,
			[]Hit{{Key: []string{"u"}, Counts: []window.Count{
				{Level: 0, Group: []string{"r", "u", "w"}, Inputs: 0b101},
				{Level: 0, Group: []string{"r", "u", "n"}, Inputs: 0b010},
				{Level: 1, Group: []string{"u", "r"}, Inputs: 0b10},
				{Level: 2, Group: []string{"h", "u"}, Inputs: 0b1, Values: hashes("x")},
			}}}},
		{"without the value of the innermost", `{"eventName": "a", "user": "u", "host": "h", "region": "r", "arn": "n", "who": "w"}`,
			[]Hit{{Key: []string{"u"}, Counts: []window.Count{{Level: 0, Group: []string{"r", "u", "w"}, Inputs: 0b100}}}}},
		{"without a field of the outer ones", `{"eventName": "a", "user": "u", "host": "h", "v": "x"}`,
			[]Hit{{Key: []string{"u"}, Counts: []window.Count{{Level: 2, Group: []string{"h", "u"}, Inputs: 0b1, Values: hashes("x")}}}}},
		{"in the middle", `{"eventName": "b", "user": "u", "region": "r", "who": "w"}`,
			[]Hit{{Key: []string{"u"}, Counts: []window.Count{
				{Level: 0, Group: []string{"r", "u", "w"}, Inputs: 0b1},
				{Level: 1, Group: []string{"u", "r"}, Inputs: 0b1},
			}}}},
		{"without the field of all", `{"eventName": "a", "host": "h", "region": "r", "arn": "n", "who": "w", "v": "x"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, hits(t, rules, tt.record)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhiteSpaceOfARecordDoesNotSplitGroups(t *testing.T) {
	rules := small("a", "") + correlate("c", "type: event_count, rules: [a], group-by: [u], timespan: 5m, condition: {gte: 2}", "")
	for _, tt := range []struct{ u, want string }{
		{`["a","b"]`, `["a","b"]`},
		{`["a", "b" ]`, `["a","b"]`},
		{"{\n\t\"a b\": [1, 2.0],\r\n\t\"c\": \"d  e\"\n}", `{"a b":[1,2.0],"c":"d  e"}`},
		{`"a  b"`, `a  b`},
		{` 5 `, `5`},
		{`[]`, `[]`},
		{`[ ]`, `[]`},
	} {
		got := hits(t, rules, `{"eventName": "a", "u": `+tt.u+`}`)
		if len(got) != 1 || got[0].Key[0] != tt.want {
			t.Errorf("%s: %v, want %s", tt.u, got, tt.want)
		}
	}
	rules = strings.Replace(rules, "[u]", "[u.v]", 1)
	got := hits(t, rules, `{"eventName": "a", "u": [{"v": "x"}, {"v": [1, 2]}, {"v": {"w": 3}}]}`)
	if want := `["x",[1,2],{"w":3}]`; len(got) != 1 || got[0].Key[0] != want {
		t.Errorf("values of several elements: %v, want %s", got, want)
	}
}

func TestRecordsThatGiveNothingCostNothing(t *testing.T) {
	for name, body := range map[string]string{
		"a flat one": "type: value_count, rules: [a], timespan: 5m, group-by: [eventName, userIdentity.arn], condition: {field: v, gte: 2}",
		"a chain":    "type: event_count, rules: [inner, a], timespan: 5m, group-by: [eventName, userIdentity.arn], condition: {gte: 2}",
	} {
		set, errs := compileText(t, small("a", "")+small("other", "")+correlate("inner", "type: value_sum, rules: [a], timespan: 5m, group-by: [eventName, userIdentity.arn], condition: {field: v, gte: 2}", "generate: true\n")+correlate("c", body, "generate: true\n"), Options{})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		c := set.Correlation(set.Correlations()[len(set.Correlations())-1].Meta().ID)
		record := `{"eventName": "a", "userIdentity": {"type": "Root"}, "v": "many"}`
		var s scratch // one that no pool takes away
		for _, matched := range [][]*CompiledRule{nil, set.Rules()[:1], set.Rules()} {
			var dst []Hit
			if n := testing.AllocsPerRun(100, func() { dst = c.hits(dst, matched, record, &s) }); n > 0 || len(dst) > 0 {
				t.Errorf("%s: %v allocations, %d hits", name, n, len(dst))
			}
		}
	}
}
