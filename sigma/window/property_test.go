package window_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/sigma/window"
)

const span = int64(10)

// inputs is how many inputs the drawn conditions have.
const inputs = 4

var measures = map[string]window.Measure{
	"Events": window.Events, "Values": window.Values, "Rules": window.Rules, "OrderedRules": window.OrderedRules,
	"Sum": window.Sum, "Average": window.Average, "Percentile": window.Percentile,
}

// check checks a property for every measure but some.
func check(t *testing.T, property func(*rapid.T, window.Measure), but ...window.Measure) {
	for _, name := range slices.Sorted(maps.Keys(measures)) {
		if m := measures[name]; !slices.Contains(but, m) {
			t.Run(name, rapid.MakeCheck(func(t *rapid.T) { property(t, m) }))
		}
	}
}

// condition draws a condition on a measure: such as grow with every event, and
// such as do not.
func condition(t *rapid.T, m window.Measure) window.Condition {
	c := window.Condition{Measure: m}
	ordered := m == window.OrderedRules
	if (ordered || m == window.Rules) && rapid.Bool().Draw(t, "terms") {
		input := rapid.IntRange(0, inputs-1)
		for range rapid.IntRange(1, 3).Draw(t, "alternatives") {
			need := rapid.SliceOfNDistinct(input, 0, inputs, rapid.ID)
			if ordered {
				need = rapid.SliceOfN(input, 0, inputs)
			}
			c.Terms = append(c.Terms, window.Term{
				Need:   need.Draw(t, "need"),
				Absent: rapid.SampledFrom([]uint64{0, 0, 0, 1, 4, 6}).Draw(t, "absent"),
			})
		}
		return c
	}
	value := rapid.Int64Range(0, 5)
	switch m {
	case window.Rules, window.OrderedRules:
		value = rapid.Int64Range(0, inputs)
	case window.Sum:
		value = rapid.Int64Range(-4, 12)
	case window.Average, window.Percentile:
		value = rapid.Int64Range(-2, 5)
		c.Percentile = rapid.SampledFrom([]int{0, 1, 25, 50, 75, 95, 99, 100}).Draw(t, "percentile")
	}
	for range rapid.SampledFrom([]int{1, 1, 1, 2, 0}).Draw(t, "bounds") {
		op := rapid.SampledFrom([]window.Op{window.GT, window.GTE, window.LT, window.LTE, window.EQ, window.NEQ})
		c.Bounds = append(c.Bounds, window.Bound{Op: op.Draw(t, "operator"), Value: value.Draw(t, "threshold")})
	}
	return c
}

// counts draws what an event counts for.
func counts(t *rapid.T, e *window.Event) {
	e.Inputs = rapid.SampledFrom([]uint64{0, 1, 2, 2, 4, 4, 8, 3, 5, 6, 15}).Draw(t, "inputs")
	e.Values = rapid.SliceOfN(rapid.SampledFrom([]int64{0, 1, 1, 2, 3, 4, 5, -1, -3}), 0, 3).Draw(t, "values")
}

// timeline draws events whose distances are mostly those where windows end.
func timeline(t *rapid.T) []window.Event { return timelineOf(t, 40) }

func timelineOf(t *rapid.T, most int) []window.Event {
	steps := rapid.SliceOfN(rapid.SampledFrom([]int64{0, 0, 0, 1, 2, 5, span - 1, span, span + 1, 3 * span}), 0, most).Draw(t, "steps")
	now := int64(0)
	var events []window.Event
	for i, s := range steps {
		now += s
		e := window.Event{
			Time:   now,
			ID:     fmt.Sprintf("%02x", (i*67)%256), // of equal times not in order of arrival
			Stored: rapid.Int64Range(0, 100).Draw(t, "stored"),
		}
		counts(t, &e)
		events = append(events, e)
	}
	return events
}

// arrival draws an order of arrival of the events, with some of them repeated
// and, of these, some with another time, other inputs or other values.
func arrival(t *rapid.T, events []window.Event) []window.Event {
	arrived := slices.Clone(events)
	if len(events) > 0 {
		for range rapid.IntRange(0, 20).Draw(t, "repeats") {
			e := rapid.SampledFrom(events).Draw(t, "repeated")
			e.Time += rapid.SampledFrom([]int64{0, 0, 0, 1, -1, span, -span}).Draw(t, "shift")
			if rapid.IntRange(0, 2).Draw(t, "another") == 0 {
				counts(t, &e)
			}
			arrived = append(arrived, e)
		}
	}
	return rapid.Permutation(arrived).Draw(t, "arrival")
}

func TestEpisodesDoNotDependOnArrival(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		c := condition(t, m)
		arrived := arrival(t, timeline(t))
		g := window.New(span, c)
		deliver(g, arrived...)
		if diff := cmp.Diff(oracle(span, c, arrived), episodes(g)); diff != "" {
			t.Fatalf("episodes (-oracle +group):\n%s", diff)
		}
		ignore := cmpopts.IgnoreFields(window.Event{}, "Seq", "Index", "Stored", "Evidence")
		want := merged(m, arrived)
		for i := range want {
			numbers, masks := m != window.Events && m != window.Rules && m != window.OrderedRules, m == window.Rules || m == window.OrderedRules
			if !masks {
				want[i].Inputs = 0
			}
			if !numbers {
				want[i].Values = nil
			}
			if m == window.Values {
				slices.Sort(want[i].Values)
				want[i].Values = slices.Compact(want[i].Values)
			}
		}
		if diff := cmp.Diff(want, slices.Collect(g.Events()), ignore, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("events (-oracle +group):\n%s", diff)
		}
	})
}

// Windows with many events, most of which they share with their neighbours.
func TestBurstsDoNotDependOnArrival(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		c := condition(t, m)
		for i := range c.Bounds {
			c.Bounds[i].Value *= rapid.SampledFrom([]int64{1, 1, 2, 4}).Draw(t, "times")
		}
		steps := rapid.SliceOfN(rapid.SampledFrom([]int64{0, 1, 1, 2, span}), 1, 80).Draw(t, "steps")
		now := int64(0)
		var events []window.Event
		for i, s := range steps {
			now += s
			e := window.Event{Time: now, ID: fmt.Sprintf("%02x", (i*67)%256)}
			e.Values = []int64{rapid.SampledFrom([]int64{0, 1, 2, 3, 5, 8, 13, -2}).Draw(t, "value")}
			e.Inputs = 1 << rapid.IntRange(0, inputs-1).Draw(t, "input")
			events = append(events, e)
		}
		arrived := arrival(t, events)
		g := window.New(span, c)
		deliver(g, arrived...)
		if diff := cmp.Diff(oracle(span, c, arrived), episodes(g)); diff != "" {
			t.Fatalf("episodes (-oracle +group):\n%s", diff)
		}
	}, window.OrderedRules) // its oracle is too slow for so many
}

func TestQuietInsertionsChangeNothing(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		g := window.New(span, condition(t, m))
		said := episodes(g)
		for _, e := range arrival(t, timeline(t)) {
			before := slices.Collect(g.Events())
			e.Seq = g.Newest() + 1
			changed := g.Insert(e)
			if now := slices.Collect(g.Events()); !changed {
				// A repeat may renew an event; that is no change.
				if diff := cmp.Diff(before, now, cmpopts.IgnoreFields(window.Event{}, "Stored")); diff != "" {
					t.Fatalf("Insert = false, and the group has changed:\n%s", diff)
				}
			} else if cmp.Equal(before, now) {
				t.Fatalf("Insert = true, and the group has not changed")
			}
			if g.Dirty() {
				said = episodes(g)
				g.Settle()
			} else if diff := cmp.Diff(said, episodes(g)); diff != "" {
				t.Fatalf("a group that is not dirty has changed:\n%s", diff)
			}
		}
	})
}

// An insertion makes a group dirty if an episode changes, and only if one is
// touched: a group in which nothing holds before and after is not dirty.
func TestNothingToSayIsNotDirty(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		g := window.New(span, condition(t, m))
		for _, e := range arrival(t, timeline(t)) {
			before := episodes(g)
			deliver(g, e)
			if g.Dirty() && before == nil && episodes(g) == nil && g.Len() > 0 {
				// A repeat with an earlier time is taken out and put in, and
				// in between something may hold.
				if !slices.ContainsFunc(slices.Collect(g.Events()), func(n window.Event) bool { return n.ID == e.ID && n.Seq != g.Newest() }) {
					t.Fatalf("dirty, with no episode before or after %+v", e)
				}
			}
			g.Settle()
		}
	})
}

func TestForgettingLeavesWhatIsLeft(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		g := window.New(span, condition(t, m))
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			deliver(g, arrival(t, timelineOf(t, 20))...)
			cutoff := rapid.Int64Range(0, 101).Draw(t, "cutoff")
			gone := map[string]bool{}
			for e := range g.Events() {
				gone[e.ID] = e.Stored < cutoff
			}
			forgotten := func(id string) bool { return gone[id] }
			var want []episode
			for _, e := range episodes(g) {
				e.Holding = slices.DeleteFunc(e.Holding, forgotten)
				if len(e.Holding) > 0 {
					want = append(want, episode{Holding: e.Holding, Open: e.Open})
				}
			}
			g.Forget(cutoff)
			if err := g.Consistent(); err != nil {
				t.Fatal(err)
			}
			var got []episode
			for _, e := range episodes(g) {
				got = append(got, episode{Holding: e.Holding, Open: e.Open})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("runs after forgetting (-want +got):\n%s", diff)
			}
			for id, g1 := range gone {
				if g.Has(id) == g1 {
					t.Fatalf("Has(%q) = %v, forgotten %v", id, g.Has(id), g1)
				}
			}
		}
	})
}

// When somebody looks does not matter: many insertions that are judged at once
// are as many that are judged one by one, whatever is forgotten between.
func TestItDoesNotMatterWhenSomebodyLooks(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		c := condition(t, m)
		one, all := window.New(span, c), window.New(span, c)
		said := episodes(all)
		for range rapid.IntRange(1, 4).Draw(t, "times") {
			for _, e := range arrival(t, timelineOf(t, 25)) {
				deliver(one, e)
				deliver(all, e)
				one.Dirty()
				if rapid.IntRange(0, 5).Draw(t, "look") > 0 {
					continue
				}
				if all.Dirty() {
					said = episodes(all)
					all.Settle()
				} else if diff := cmp.Diff(said, episodes(all)); diff != "" {
					t.Fatalf("a group that is not dirty has changed:\n%s", diff)
				}
			}
			if rapid.Bool().Draw(t, "forget") {
				cutoff := rapid.Int64Range(0, 101).Draw(t, "cutoff")
				one.Forget(cutoff)
				all.Forget(cutoff)
			}
			if diff := cmp.Diff(episodes(one), episodes(all)); diff != "" {
				t.Fatalf("episodes (-one by one +all at once):\n%s", diff)
			}
			if diff := cmp.Diff(slices.Collect(one.Events()), slices.Collect(all.Events())); diff != "" {
				t.Fatalf("events (-one by one +all at once):\n%s", diff)
			}
			said = episodes(all)
			all.Settle()
		}
	})
}

// A large group, that remembers where it judged last, is judged as one that gets
// all of its events at once, in order.
func TestLargeGroupsRememberRightly(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		c := condition(t, m)
		for i := range c.Bounds {
			c.Bounds[i].Value *= rapid.SampledFrom([]int64{1, 1, 8, 64}).Draw(t, "times")
		}
		// Too many events to draw each of them.
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		length := rapid.SampledFrom([]int64{0, 3, 30, 300}).Draw(t, "length")
		n := rapid.IntRange(100, 500).Draw(t, "events")
		late := rapid.SampledFrom([]int{1, 20, 100, 1_000}).Draw(t, "late") // at most
		looks := rapid.SampledFrom([]int{1, 3, 30}).Draw(t, "looks")        // after so many
		rare := rapid.SampledFrom([]int{1, 20}).Draw(t, "rare")             // all inputs but the last
		g := window.New(3*span, c)
		for i := range n {
			e := window.Event{Time: length * int64(max(i-random.IntN(late), 0)) / 100, ID: fmt.Sprint(random.IntN(2 * n))}
			e.Inputs = 1 << (inputs - 1)
			if random.IntN(rare) == 0 {
				e.Inputs = 1 << random.IntN(inputs)
			}
			e.Values = []int64{random.Int64N(9) - 2}
			deliver(g, e)
			if random.IntN(20) == 0 {
				g.Remove(e)
			}
			if random.IntN(looks) == 0 {
				g.Settle()
			}
			if random.IntN(100) > 0 && i < n-1 {
				continue
			}
			want := window.New(3*span, c)
			for e := range g.Events() {
				want.Insert(e)
			}
			for e := range g.Events() {
				if !g.Has(e.ID) {
					t.Fatalf("%q is there, and Has says no", e.ID)
				}
			}
			if diff := cmp.Diff(episodes(want), episodes(g)); diff != "" {
				t.Fatalf("episodes of %d events (-at once +one by one):\n%s", g.Len(), diff)
			}
		}
	})
}

// What arrives after something was forgotten, and too far from all of it to be
// in a window with it, is judged as if nothing had been forgotten.
func TestForgettingDoesNotReachFurtherThanAWindow(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		c := condition(t, m)
		g := window.New(span, c)
		old := arrival(t, timeline(t))
		deliver(g, old...)
		g.Forget(rapid.Int64Range(0, 101).Draw(t, "cutoff"))
		end := int64(0)
		for _, e := range old {
			end = max(end, e.Time)
		}
		late := timeline(t)
		for i := range late {
			late[i].Time += end + 2*span + 1
			late[i].ID = "late " + late[i].ID
		}
		late = arrival(t, late)
		deliver(g, late...)
		var want, got [][]string
		for _, e := range oracle(span, c, late) {
			want = append(want, e.Holding)
		}
		for _, e := range episodes(g) {
			e.Holding = slices.DeleteFunc(e.Holding, func(id string) bool { return id[0] != 'l' })
			if len(e.Holding) > 0 {
				got = append(got, e.Holding)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("runs (-oracle +group):\n%s", diff)
		}
	})
}

// A window that has lost nothing is judged by what is in it, whatever has been
// forgotten around it.
func TestWindowsThatLostNothingAreExact(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		c := condition(t, m)
		g := window.New(span, c)
		deliver(g, arrival(t, timeline(t))...)
		cutoff := rapid.Int64Range(0, 101).Draw(t, "cutoff")
		var lost []window.Event
		intact := map[string]bool{}
		for e := range g.Events() {
			if e.Stored < cutoff {
				lost = append(lost, e)
			} else {
				intact[e.ID] = len(lost) == 0 || e.Time-lost[len(lost)-1].Time > span
			}
		}
		g.Forget(cutoff)
		late := timelineOf(t, 20)
		for i := range late {
			late[i].ID = "late " + late[i].ID
		}
		deliver(g, rapid.Permutation(late).Draw(t, "late")...)
		holds := map[string]bool{}
		for e := range g.Episodes() {
			for n := range e.Holding() {
				holds[n.ID] = true
			}
		}
		left := slices.Collect(g.Events())
		for i, is := range held(span, c, left) {
			if id := left[i].ID; intact[id] && holds[id] != is {
				t.Fatalf("the condition holds at %q: %v, want %v", id, holds[id], is)
			}
		}
	})
}

// Whatever has been forgotten, a condition that grows holds where what is
// remembered is enough for it, and one that more events break does not hold
// where what is remembered breaks it.
func TestWhatIsLeftMayBeEnough(t *testing.T) {
	check(t, func(t *rapid.T, m window.Measure) {
		op := rapid.SampledFrom([]window.Op{window.GT, window.GTE, window.LT, window.LTE}).Draw(t, "operator")
		grows := op == window.GT || op == window.GTE
		c := window.Condition{Measure: m, Bounds: []window.Bound{{Op: op, Value: rapid.Int64Range(0, 6).Draw(t, "threshold")}}}
		g := window.New(span, c)
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			arrived := arrival(t, timelineOf(t, 20))
			for i := range arrived {
				// A sum grows if no number is below zero.
				for k, v := range arrived[i].Values {
					arrived[i].Values[k] = max(v, -v)
				}
			}
			deliver(g, arrived...)
			left := slices.Collect(g.Events())
			holds := map[string]bool{}
			for e := range g.Episodes() {
				for n := range e.Holding() {
					holds[n.ID] = true
				}
			}
			for i, is := range held(span, c, left) {
				if is == grows && holds[left[i].ID] != is {
					t.Fatalf("the condition holds at %q: %v, and of what is left: %v", left[i].ID, !is, is)
				}
			}
			g.Forget(rapid.Int64Range(0, 101).Draw(t, "cutoff"))
		}
	}, window.Average, window.Percentile) // no event is ever enough for these
}

// An event count that more events cannot bring down is not brought down by
// forgetting either: whatever arrives later, no run is divided.
func TestLateEventsNeverDivideARunThatOnlyGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := window.New(span, moreThan(rapid.Int64Range(0, 4).Draw(t, "threshold")))
		for _, e := range rapid.Permutation(timeline(t)).Draw(t, "arrival") {
			before := episodes(g)
			deliver(g, e)
			after := episodes(g)
			for _, b := range before {
				if !slices.ContainsFunc(after, func(a episode) bool { return contains(a.Holding, b.Holding) }) {
					t.Fatalf("%q divided the run %q: now %+v", e.ID, b.Holding, after)
				}
			}
			g.Forget(rapid.Int64Range(0, 60).Draw(t, "cutoff"))
		}
	})
}

func contains(all, some []string) bool {
	for _, s := range some {
		if !slices.Contains(all, s) {
			return false
		}
	}
	return true
}
