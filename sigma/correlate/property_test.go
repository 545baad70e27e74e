package correlate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/correlate"
)

const counted = `
title: failure
name: failure
logsource: {product: aws}
detection: {s: {eventName: Fail}, condition: s}
---
title: burst
name: burst
correlation: {type: event_count, rules: failure, group-by: [who], timespan: 10s, condition: {gte: 3}}
---
title: quiet
name: quiet
correlation: {type: event_count, rules: failure, group-by: [who], timespan: 10s, condition: {lt: 3}}
generate: true
`

type delivery struct {
	name, who string
	second    int
	id        string
}

func (d delivery) record() []byte {
	who := fmt.Sprintf(`"who": %q, `, d.who)
	if d.who == "" {
		who = ""
	}
	return fmt.Appendf(nil, `{%s"eventName": %q}`, who, d.name)
}

// Whatever the order and the number of deliveries, the episodes are those that
// a slow and plain reading of the definition finds.
func TestEpisodesAgreeWithTheDefinition(t *testing.T) {
	c, errs := sigma.Parse("rules.yml", []byte(counted))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, errs := sigma.Compile(c, sigma.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	rapid.Check(t, func(t *rapid.T) {
		var events []delivery
		for i := range rapid.IntRange(0, 15).Draw(t, "events") {
			events = append(events, delivery{
				rapid.SampledFrom([]string{"Fail", "Fail", "Fail", "Succeed"}).Draw(t, "name"),
				rapid.SampledFrom([]string{"a", "b", "a b", ""}).Draw(t, "who"),
				rapid.IntRange(0, 40).Draw(t, "second"),
				fmt.Sprintf("event-%02d", i),
			})
		}
		arrival := rapid.Permutation(events).Draw(t, "arrival")
		if len(events) > 0 {
			arrival = append(arrival, rapid.SliceOfN(rapid.SampledFrom(events), 0, 5).Draw(t, "again")...)
		}
		x := correlate.New(set)
		matches := map[string]int{}
		for _, d := range arrival {
			for _, rule := range x.Add(d.record(), time.Unix(int64(d.second), 0), d.id) {
				matches[rule.Meta().Name+" "+d.id]++
			}
		}
		for _, d := range events {
			want := 0
			if d.name == "Fail" {
				want = 1
			}
			if got := matches["failure "+d.id]; got != want {
				t.Errorf("%v alerts %d times, want %d", d, got, want)
			}
		}
		var got []string
		for _, e := range x.Episodes() {
			got = append(got, fmt.Sprintf("%s %v %v %d..%d %v", e.Correlation.Meta().Name, e.Group, e.Events, e.First.Unix(), e.Last.Unix(), e.Open))
		}
		want := slices.Concat(define("burst", events, func(n int) bool { return n >= 3 }), define("quiet", events, func(n int) bool { return n < 3 }))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-definition +got):\n%s", diff)
		}
	})
}

func define(name string, events []delivery, holds func(int) bool) []string {
	var found []string
	for _, who := range []string{"a", "a b", "b"} {
		var own []delivery
		for _, d := range events {
			if d.who == who && d.name == "Fail" {
				own = append(own, d)
			}
		}
		slices.SortFunc(own, func(a, b delivery) int {
			if a.second != b.second {
				return a.second - b.second
			}
			return strings.Compare(a.id, b.id)
		})
		var ids []string // of the run so far
		first, last := 0, 0
		end := func(open bool) {
			if len(ids) > 0 {
				found = append(found, fmt.Sprintf("%s %v %v %d..%d %v", name, []string{who}, ids, first, last, open))
			}
			ids = nil
		}
		for i, d := range own {
			var window []delivery
			for _, e := range own[:i+1] {
				if d.second-e.second <= 10 {
					window = append(window, e)
				}
			}
			if !holds(len(window)) {
				end(false)
				continue
			}
			if ids == nil {
				first = window[0].second
			}
			for _, e := range window {
				if !slices.Contains(ids, e.id) {
					ids = append(ids, e.id)
				}
			}
			last = d.second
		}
		end(true)
	}
	return found
}

const everyType = `
title: a
name: a
logsource: {product: aws}
detection: {s: {eventName: A}, condition: s}
---
title: b
name: b
logsource: {product: aws}
detection: {s: {eventName: [A, B]}, condition: s}
---
title: c
name: c
logsource: {product: aws}
detection: {s: {eventName: C}, condition: s}
---
{title: temporal, name: temporal, generate: true, correlation: {type: temporal, rules: [a, b, c], group-by: [w], aliases: {w: {a: who, b: who, c: other}}, timespan: 5s, condition: a and not c or b and c}}
---
{title: ordered, name: ordered, correlation: {type: temporal_ordered, rules: [a, c, b], group-by: [who], timespan: 20s}}
---
{title: values, name: values, correlation: {type: value_count, rules: [a, c], timespan: 10s, condition: {field: number, gte: 3}}}
---
{title: sum, name: sum, generate: true, correlation: {type: value_sum, rules: b, group-by: [who], timespan: 10s, condition: {field: number, gt: 5.5}}}
---
{title: median, name: median, correlation: {type: value_median, rules: [a, b, c], timespan: 10s, condition: {field: number, lte: 2}}}
---
{title: bursts, name: bursts, generate: true, correlation: {type: event_count, rules: b, group-by: [who], timespan: 5s, condition: {gte: 2, lt: 4}}}
---
{title: chain, name: chain, correlation: {type: temporal_ordered, rules: [bursts, c], group-by: [who], timespan: 20s}}
---
{title: two chains, name: two_chains, correlation: {type: event_count, rules: [bursts, sum], timespan: 30s, condition: {gte: 3}}}
`

// For every type of correlation, and for chains, the order and the number of
// deliveries do not change the episodes.
func TestTheOrderOfArrivalDoesNotMatter(t *testing.T) {
	c, errs := sigma.Parse("rules.yml", []byte(everyType))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, errs := sigma.Compile(c, sigma.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	type record struct {
		text   string
		second int
		id     string
	}
	episodes := func(records []record) []string {
		x := correlate.New(set)
		for _, r := range records {
			x.Add([]byte(r.text), time.Unix(int64(r.second), 0), r.id)
		}
		var all []string
		for _, e := range x.Episodes() {
			all = append(all, fmt.Sprintf("%s %q %v %d..%d %v", e.Correlation.Meta().Name, e.Group, e.Events, e.First.Unix(), e.Last.Unix(), e.Open))
		}
		return all
	}
	rang := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		var records []record
		for i := range rapid.IntRange(0, 20).Draw(t, "records") {
			records = append(records, record{
				fmt.Sprintf(`{"eventName": %q, "who": %q, "other": "x", "number": %s}`,
					rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(t, "name"), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "who"),
					rapid.SampledFrom([]string{"1", "2.5", `"3"`, "null", "[1, 4]"}).Draw(t, "number")),
				rapid.IntRange(0, 40).Draw(t, "second"), fmt.Sprintf("event-%02d", i),
			})
		}
		arrival := rapid.Permutation(records).Draw(t, "arrival")
		if len(records) > 0 {
			arrival = append(arrival, rapid.SliceOfN(rapid.SampledFrom(records), 0, 5).Draw(t, "again")...)
		}
		want := episodes(records)
		if diff := cmp.Diff(want, episodes(arrival)); diff != "" {
			t.Errorf("(-in one order +in another):\n%s", diff)
		}
		for _, e := range want {
			name, _, _ := strings.Cut(e, " ")
			rang[name] = true
		}
	})
	for _, correlation := range set.Correlations() {
		if name := correlation.Meta().Name; !rang[name] {
			t.Errorf("%s never rang, so that nothing was compared", name)
		}
	}
}

// Groups are the same if each of their values is, and not if they only read
// alike.
func TestGroupsThatReadAlikeAreTwo(t *testing.T) {
	c, errs := sigma.Parse("rules.yml", []byte("title: a\nname: a\nlogsource: {product: aws}\ndetection: {s: {eventName: A}, condition: s}\n---\n"+
		"{title: b, correlation: {type: event_count, rules: a, group-by: [x, y], timespan: 10s, condition: {gte: 2}}}"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, errs := sigma.Compile(c, sigma.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	groups := [][2]string{{"a", "bc"}, {"ab", "c"}, {"a b", "c"}, {"a", "b c"}, {`a" "b`, "c"}, {"a", `b" "c`}, {"", "abc"}}
	x := correlate.New(set)
	for again := range 2 {
		for i, g := range groups {
			x.Add(fmt.Appendf(nil, `{"eventName": "A", "x": %q, "y": %q}`, g[0], g[1]), time.Unix(0, 0), fmt.Sprint(i, again))
		}
	}
	var got [][2]string
	for _, e := range x.Episodes() {
		got = append(got, [2]string(e.Group))
		if len(e.Events) != 2 {
			t.Errorf("%q has %d events", e.Group, len(e.Events))
		}
	}
	byValues := func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(groups, byValues)
	if diff := cmp.Diff(groups, got); diff != "" {
		t.Errorf("groups, in the order of their values (-want +got):\n%s", diff)
	}
}
