package correlator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
)

// peal has a correlation of every type over the calls of [call], and two chains
// whose inner levels group otherwise than the outer ones: in the first, later
// arrivals make more events count, in the second they take some back as well.
const peal = `
title: Read
name: read
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: Read}, condition: s}
---
title: Write
name: write
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: Write}, condition: s}
---
title: Many
name: many
correlation: {type: event_count, rules: [read, write], group-by: [user], timespan: 60s, condition: {gte: 4}}
---
title: Few
name: few
correlation: {type: event_count, rules: [read], group-by: [user], timespan: 60s, condition: {eq: 2}}
---
title: Keys
name: keys
correlation: {type: value_count, rules: [read, write], group-by: [user], timespan: 60s, condition: {field: key, gt: 2}}
---
title: Both
name: both
correlation: {type: temporal, rules: [read, write], group-by: [user], timespan: 30s}
---
title: No write
name: no_write
correlation: {type: temporal, rules: [read, write], group-by: [user], timespan: 30s, condition: read and not write}
---
title: Then
name: then
correlation: {type: temporal_ordered, rules: [write, read], group-by: [user], timespan: 30s}
---
title: Heavy
name: heavy
correlation: {type: value_sum, rules: [read], group-by: [user], timespan: 60s, condition: {field: size, gt: 100.5}}
---
title: Mean
name: mean
correlation: {type: value_avg, rules: [read], group-by: [user], timespan: 60s, condition: {field: size, gte: 40}}
---
title: Median
name: median
correlation: {type: value_median, rules: [read], group-by: [user], timespan: 60s, condition: {field: size, lt: 30}}
---
title: Ninety percent
name: ninety
correlation: {type: value_percentile, rules: [read], group-by: [user], timespan: 60s, condition: {field: size, percentile: 90, gte: 85.05}}
---
title: Busy host
name: busy_host
correlation: {type: event_count, rules: [read], group-by: [host], timespan: 60s, condition: {gte: 3}}
level: low
---
title: Written from a busy host
name: busy_then_write
correlation: {type: temporal_ordered, rules: [busy_host, write], group-by: [user], timespan: 40s}
level: high
---
title: Pair of a host
name: pair
correlation: {type: event_count, rules: [read], group-by: [host], timespan: 60s, condition: {eq: 2}}
level: low
---
title: Pairs of hosts
name: pairs
correlation: {type: event_count, rules: [pair], group-by: [user], timespan: 600s, condition: {gte: 2}}
level: high
`

// call is a record of the tests of all types.
type call struct {
	id         string
	second     int
	write      bool
	user, host string
	key        int
	size       int // in tenths
}

func (c call) time() time.Time { return time.Unix(start.Unix()+int64(c.second), 0).UTC() }

func (c call) name() string {
	if c.write {
		return "Write"
	}
	return "Read"
}

// record has no user and no host where they are empty.
func (c call) record() string {
	group := ""
	for _, f := range [][2]string{{"user", c.user}, {"host", c.host}} {
		if f[1] != "" {
			group += fmt.Sprintf("%q:%q,", f[0], f[1])
		}
	}
	return fmt.Sprintf(`{"eventTime":%q,"eventID":%q,"eventSource":"test.amazonaws.com","eventName":%q,%s"key":"k%d","size":%d.%d}`,
		c.time().Format(time.RFC3339), c.id, c.name(), group, c.key, c.size/10, c.size%10)
}

func entries(calls []call) (all []entry) {
	for _, c := range calls {
		all = append(all, entry{c.id, c.time(), c.name(), c.record()})
	}
	return all
}

func publishCalls(t *testing.T, js jetstream.JetStream, object string, calls []call) {
	t.Helper()
	publishBatch(t, js, object, "test.amazonaws.com", entries(calls))
}

// toll says what a correlation of peal means: which calls count, by what they
// are grouped, and whether a window, in order, holds.
type toll struct {
	counts func(call) bool
	group  func(call) string
	span   int
	holds  func(window []call) bool
}

func byUser(c call) string { return c.user }

func reads(c call) bool { return !c.write }
func all(call) bool     { return true }

var tolls = map[string]toll{
	"many": {all, byUser, 60, func(w []call) bool { return len(w) >= 4 }},
	"few":  {reads, byUser, 60, func(w []call) bool { return len(w) == 2 }},
	"keys": {all, byUser, 60, func(w []call) bool {
		keys := map[int]bool{}
		for _, c := range w {
			keys[c.key] = true
		}
		return len(keys) > 2
	}},
	"both":     {all, byUser, 30, func(w []call) bool { return slices.ContainsFunc(w, reads) && slices.ContainsFunc(w, writes) }},
	"no_write": {all, byUser, 30, func(w []call) bool { return !slices.ContainsFunc(w, writes) }},
	"then":     {all, byUser, 30, func(w []call) bool { return follows(w, writes, reads) }},
	"heavy":    {reads, byUser, 60, func(w []call) bool { return total(w) > 1005 }},
	"mean":     {reads, byUser, 60, func(w []call) bool { return total(w) >= 400*len(w) }},
	"ninety": {reads, byUser, 60, func(w []call) bool {
		var sizes []int
		for _, c := range w {
			sizes = append(sizes, c.size)
		}
		slices.Sort(sizes)
		// Rank 0.9 * (n-1), in tenths, between its two neighbours.
		rank := 9 * (len(sizes) - 1)
		low, high := sizes[rank/10], sizes[min(rank/10+1, len(sizes)-1)]
		return 10*low+(high-low)*(rank%10) >= 8505
	}},
	"median": {reads, byUser, 60, func(w []call) bool {
		var sizes []int
		for _, c := range w {
			sizes = append(sizes, c.size)
		}
		slices.Sort(sizes)
		return sizes[(len(sizes)-1)/2]+sizes[len(sizes)/2] < 600
	}},
}

func writes(c call) bool { return c.write }

func total(w []call) int {
	n := 0
	for _, c := range w {
		n += c.size
	}
	return n
}

// follows reports whether some call of the first kind has one of the second at
// its time or later.
func follows(w []call, first, second func(call) bool) bool {
	for _, a := range w {
		for _, b := range w {
			if a.id != b.id && first(a) && second(b) && a.second <= b.second {
				return true
			}
		}
	}
	return false
}

func inOrder(a, b call) int {
	if a.second != b.second {
		return a.second - b.second
	}
	return strings.Compare(a.id, b.id)
}

// verdicts returns the calls that count, by group and in order, and at which of
// them the windows hold.
func (l toll) verdicts(calls []call) (groups map[string][]call, held map[string]bool) {
	groups, held = map[string][]call{}, map[string]bool{}
	for _, c := range calls {
		if l.group(c) != "" && l.counts(c) {
			groups[l.group(c)] = append(groups[l.group(c)], c)
		}
	}
	for _, g := range groups {
		slices.SortFunc(g, inOrder)
		for i, last := range g {
			held[last.id] = l.holds(l.window(g, i))
		}
	}
	return groups, held
}

// window returns the calls of a group, in order, of the window that ends at the
// i-th of them.
func (l toll) window(group []call, i int) (window []call) {
	for _, c := range group[:i+1] {
		if group[i].second-c.second <= l.span {
			window = append(window, c)
		}
	}
	return window
}

// episodes returns each maximal run of calls that hold, with the calls of their
// windows, by group.
func (l toll) episodes(calls []call) map[string][]story {
	groups, held := l.verdicts(calls)
	told := map[string][]story{}
	for group, g := range groups {
		var run []call // those of the windows
		var last call  // at which the condition held
		tell := func(state alert.State) {
			if run != nil {
				told[group] = append(told[group], story{state, len(run), run[0].time(), last.time(), idsOf(run)})
			}
			run = nil
		}
		for i, c := range g {
			if !held[c.id] {
				tell(alert.Ended)
				continue
			}
			last = c
			for _, w := range l.window(g, i) {
				if !slices.Contains(run, w) {
					run = append(run, w)
				}
			}
		}
		tell(alert.Open)
	}
	return told
}

func idsOf(calls []call) (ids []string) {
	for _, c := range calls {
		ids = append(ids, c.id)
	}
	return ids
}

func (s story) of(group string) string {
	return fmt.Sprintf("%s %s %d from %s to %s: %s", group, s.State, s.Count, s.FirstSeen.Format(time.RFC3339), s.Last.Format(time.RFC3339), s.EventIDs)
}

// rung spells the living alerts of correlations, by name.
func rung(last map[string]alert.Alert) map[string][]string {
	told := map[string][]string{}
	for _, a := range last {
		if a.State.Living() && a.Kind == alert.KindCorrelation {
			told[a.Rule.Name] = append(told[a.Rule.Name], story{a.State, a.Count, a.FirstSeen, a.LastSeen, a.EventIDs}.of(a.Group["user"]))
		}
	}
	for name := range told {
		slices.Sort(told[name])
	}
	return told
}

// expected spells the episodes of correlations of peal, as rung does.
func expected(calls []call, names ...string) map[string][]string {
	told := map[string][]string{}
	for _, name := range names {
		var episodes map[string][]story
		switch name {
		case "busy_then_write":
			episodes = over(
				toll{reads, byHost, 60, func(w []call) bool { return len(w) >= 3 }},
				toll{all, byUser, 40, func(w []call) bool { return follows(w, reads, writes) }}, calls)
		case "pairs":
			episodes = over(
				toll{reads, byHost, 60, func(w []call) bool { return len(w) == 2 }},
				toll{reads, byUser, 600, func(w []call) bool { return len(w) >= 2 }}, calls)
		default:
			episodes = tolls[name].episodes(calls)
		}
		for group, stories := range episodes {
			for _, s := range stories {
				told[name] = append(told[name], s.of(group))
			}
		}
		slices.Sort(told[name])
	}
	maps.DeleteFunc(told, func(_ string, all []string) bool { return len(all) == 0 })
	return told
}

// pealNames are the correlations of peal that ring.
var pealNames = append(slices.Sorted(maps.Keys(tolls)), "busy_then_write", "pairs")

// over says what a chain means: a call counts outside if it counts inside and
// the inner window that ends there holds.
func over(inner, outer toll, calls []call) map[string][]story {
	_, held := inner.verdicts(calls)
	counts := outer.counts
	outer.counts = func(c call) bool { return counts(c) && (c.write || held[c.id]) }
	return outer.episodes(calls)
}

func byHost(c call) string { return c.host }

func traffic(random *rand.Rand) []call {
	var calls []call
	second := 0
	for i := range 160 {
		second += []int{0, 0, 1, 2, 5, 9, 29, 30, 31}[random.IntN(9)]
		calls = append(calls, call{
			id: fmt.Sprintf("id-%03d", (i*97)%1000), second: second, write: random.IntN(4) == 0,
			user: []string{"alice", "bob", "carol"}[random.IntN(3)], host: []string{"x", "y"}[random.IntN(2)],
			key: random.IntN(4), size: random.IntN(1000),
		})
	}
	return calls
}

func TestEveryTypeWhateverTheOrderRepeatsAndRestarts(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			s := natstest.Start(t, natstest.Limits())
			_, js := natstest.Connect(t, s)
			calls := traffic(random)
			inAnyOrder(t, s, js, ruleSet(t, peal), random, calls, 9, func(object string, part []call) { publishCalls(t, js, object, part) })
			want := expected(calls, pealNames...)
			for _, name := range pealNames {
				if len(want[name]) == 0 {
					t.Fatalf("the calls have no episode of %s; draw others", name)
				}
			}
			got := rung(final(t, js))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("episodes (-oracle +alerts):\n%s", diff)
			}
		})
	}
}

// Matches that were made with another definition of a correlation mean
// something else: the log keeps them over a change of the rules.
func TestMatchesOfAnotherDefinitionDoNotCount(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := run(t, s, ruleSet(t, bell), options(), "a")
	for i := range 4 {
		publish(t, js, fmt.Sprint("object-", i), login{fmt.Sprint("id-", i), i, i}) // four addresses
	}
	settle(t, js)
	stop()
	by := strings.Replace(bell, "group-by: [recipientAccountId, sourceIPAddress]", "group-by: [recipientAccountId, awsRegion]", 1)
	stop = run(t, s, ruleSet(t, by), options(), "b")
	for i := range 4 {
		publish(t, js, fmt.Sprint("more-", i), login{fmt.Sprint("more-", i), i, 10 + i})
	}
	settle(t, js)
	if n := len(final(t, js)); n != 0 {
		t.Errorf("%d alerts of four events, want none", n)
	}
	publish(t, js, "last", login{"last", 9, 20})
	settle(t, js)
	stop()
	if a := only(t, js); a.Count != 5 || a.Group["awsRegion"] != "us-east-1" {
		t.Errorf("count %d of %v", a.Count, a.Group)
	}
}

// firstOfAHost is an inner correlation that an earlier event takes back.
const firstOfAHost = `
title: Read
name: read
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: Read}, condition: s}
---
title: First of a host
name: first
correlation: {type: event_count, rules: [read], group-by: [host], timespan: 60s, condition: {eq: 1}}
---
`

// All that an alert counts may be taken back: it is withdrawn, by an owner that
// saw it written and by one that did not.
func TestAnAlertOfWhatWasTakenBackIsWithdrawn(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	rules := ruleSet(t, firstOfAHost+`title: First somewhere
name: first_somewhere
correlation: {type: event_count, rules: [first], group-by: [user], timespan: 60s, condition: {gte: 1}}
`)
	states := func() string {
		var all []string
		for _, a := range final(t, js) {
			all = append(all, fmt.Sprint(a.Group["user"], " ", a.State, " ", a.EventIDs))
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	stop := run(t, s, rules, options(), "a")
	publishCalls(t, js, "alice", []call{{id: "a", second: 30, user: "alice", host: "x"}})
	publishCalls(t, js, "carol", []call{{id: "c", second: 30, user: "carol", host: "y"}})
	settle(t, js)
	publishCalls(t, js, "bob, earlier", []call{{id: "b", second: 20, user: "bob", host: "x"}})
	settle(t, js)
	if got, want := states(), "alice withdrawn [a], bob open [b], carol open [c]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	stop()
	stop = run(t, s, rules, options(), "b")
	publishCalls(t, js, "dave, earlier", []call{{id: "d", second: 20, user: "dave", host: "y"}})
	settle(t, js)
	stop()
	if got, want := states(), "alice withdrawn [a], bob open [b], carol withdrawn [c], dave open [d]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What ended an alert may be taken back as well: it is open again.
func TestAnAlertWhoseEndWasTakenBackIsOpenAgain(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	rules := ruleSet(t, firstOfAHost+`title: Two together
name: two
correlation: {type: event_count, rules: [first], group-by: [user], timespan: 60s, condition: {eq: 2}}
`)
	stop := run(t, s, rules, options(), "a")
	for i, c := range []call{
		{id: "a", second: 0, user: "alice", host: "x"}, {id: "b", second: 10, user: "alice", host: "y"},
		{id: "c", second: 20, user: "alice", host: "z"}, // three are not two
		{id: "d", second: 15, user: "bob", host: "z"},   // and then c is not the first of its host
	} {
		publishCalls(t, js, fmt.Sprint("object-", i), []call{c})
		settle(t, js)
		want := []alert.State{"", alert.Open, alert.Ended, alert.Open}[i]
		if want == "" {
			continue // one is not two
		}
		if a := only(t, js); a.State != want || fmt.Sprint(a.EventIDs) != "[a b]" {
			t.Errorf("after %s: %s %s, want %s [a b]", c.id, a.State, a.EventIDs, want)
		}
	}
	stop()
}

// A correlation over rules may become one over correlations, and the other way
// round: what it said stays, and it begins anew.
func TestACorrelationBecomesAChain(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	logins := func(object string, second, n int) {
		var all []login
		for i := range n {
			all = append(all, login{fmt.Sprint(object, "-", i), 7, second + i})
		}
		publish(t, js, object, all...)
		settle(t, js)
	}
	stop := run(t, s, ruleSet(t, bell), options(), "a")
	logins("flat", 0, 5)
	stop()
	chain := strings.Replace(bell, "rules: [failure]", "rules: [pair]", 1)
	chain = strings.Replace(chain, "{gt: 4}", "{gt: 1}", 1) + `---
title: Pair
name: pair
correlation: {type: event_count, rules: [failure], group-by: [recipientAccountId, sourceIPAddress], timespan: 360s, condition: {gte: 2}}
`
	stop = run(t, s, ruleSet(t, chain), options(), "b")
	logins("chain", 1900, 4)
	stop()
	stop = run(t, s, ruleSet(t, bell), options(), "c")
	logins("again", 2000, 5)
	stop()
	want := []string{"7 [again-0 again-1 again-2 again-3 again-4]", "7 [chain-1 chain-2 chain-3]", "7 [flat-0 flat-1 flat-2 flat-3 flat-4]"}
	if diff := cmp.Diff(want, living(final(t, js))); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}
