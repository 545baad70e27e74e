package window_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/sigma/window"
)

// brute is "brute force followed by success": more than two failures by one
// user, and then, by the same user, a success.
var brute = []window.Level{
	{Timespan: 60 * second, Condition: window.Condition{
		Measure: window.OrderedRules,
		Terms:   []window.Term{{Need: []int{0, 1}}},
	}},
	{Timespan: 10 * second, Condition: moreThan(2), Outer: []window.Input{{Level: 0, Bit: 0}}},
}

var (
	failure = []window.Count{{Level: 1, Group: []string{"ann"}}, {Level: 0, Group: []string{"ann"}, Inputs: 1}}
	success = []window.Count{{Level: 0, Group: []string{"ann"}, Inputs: 2}}
)

// feed inserts an event that counts, numbered by arrival, and tells which roots
// it touched.
func feed(c *window.Chain, e window.Event, counts []window.Count) (touched []string) {
	e.Seq = c.Newest() + 1
	c.Insert(e, counts)
	for _, r := range c.Touched() {
		touched = append(touched, strings.Join(r.Values, "|"))
	}
	return touched
}

func TestChain(t *testing.T) {
	c := window.NewChain(brute)
	for i := range int64(2) {
		if touched := feed(c, at(i, fmt.Sprint("failure ", i)), failure); touched != nil {
			t.Errorf("a failure that is one of few touched %q", touched)
		}
	}
	if touched := feed(c, at(20, "success"), success); !slices.Equal(touched, []string{"ann"}) {
		t.Errorf("a success touched %q", touched)
	}
	if got := rootEpisodes(c); len(got["ann"]) != 0 {
		t.Errorf("before enough failures: %+v", got)
	}
	// Late, and the third: the last failure in order becomes a burst.
	if touched := feed(c, at(0, "failure late"), failure); !slices.Equal(touched, []string{"ann"}) {
		t.Errorf("the third failure touched %q", touched)
	}
	want := map[string][]episode{"ann": {{
		First: 1 * second, Last: 20 * second, Events: []string{"failure 1", "success"}, Holding: []string{"success"}, Open: true,
	}}}
	if diff := cmp.Diff(want, rootEpisodes(c)); diff != "" {
		t.Errorf("episodes (-want +got):\n%s", diff)
	}
	for r := range c.Roots() {
		for e := range r.Events() {
			if e.ID == "failure 1" && (e.Seq != 4 || e.Inputs != 1) {
				t.Errorf("failure 1 counts as %d since %d, want as 1 since 4", e.Inputs, e.Seq)
			}
		}
		if r.Newest() != 4 || !r.Dirty() {
			t.Errorf("Newest, Dirty = %d, %v", r.Newest(), r.Dirty())
		}
	}
	if c.Len() != 4 {
		t.Errorf("Len = %d", c.Len())
	}
}

// What no longer counts is gone, which is not to be forgotten.
func TestChainTakesBack(t *testing.T) {
	levels := slices.Clone(brute)
	levels[1].Condition = window.Condition{Bounds: []window.Bound{{Op: window.EQ, Value: 2}}}
	c := window.NewChain(levels)
	stored := func(e window.Event, s int64) window.Event { e.Stored = s; return e }
	feed(c, stored(at(0, "a"), 10), failure)
	feed(c, stored(at(1, "b"), 10), failure)
	feed(c, stored(at(20, "success"), 20), success)
	gone := func() (ids []string) {
		for r := range c.Roots() {
			for e := range r.Gone() {
				ids = append(ids, fmt.Sprintf("%s since %d", e.ID, e.Seq))
			}
		}
		return ids
	}
	if got := rootEpisodes(c)["ann"]; len(got) != 1 || gone() != nil {
		t.Fatalf("episodes %+v, gone %q", got, gone())
	}
	// Two are not three: b takes back what it said, and c says nothing.
	touched := feed(c, stored(at(0, "aa"), 20), failure)
	if !slices.Equal(touched, []string{"ann"}) || !slices.Equal(gone(), []string{"b since 2"}) {
		t.Fatalf("touched %q, gone %q", touched, gone())
	}
	// aa is the second now, and counts; b is not there.
	want := []episode{{First: 0, Last: 20 * second, Events: []string{"aa", "success"}, Holding: []string{"success"}, Open: true}}
	if diff := cmp.Diff(want, rootEpisodes(c)["ann"]); diff != "" {
		t.Fatalf("episodes (-want +got):\n%s", diff)
	}
	for r := range c.Roots() {
		if r.Has("b") || !r.Has("aa") {
			t.Errorf("Has(b), Has(aa) = %v, %v", r.Has("b"), r.Has("aa"))
		}
	}
	// A repeat renews what is gone, too.
	if touched := feed(c, stored(at(1, "b"), 30), failure); !slices.Equal(touched, []string{"ann"}) {
		t.Fatalf("a repeat of an event that is gone touched %q", touched)
	}
	c.Forget(25)
	if c.Len() != 1 || !slices.Equal(gone(), []string{"b since 2"}) {
		t.Fatalf("Len %d, gone %q", c.Len(), gone())
	}
	c.Forget(31)
	if c.Len() != 0 || gone() != nil || len(slices.Collect(c.Roots())) != 0 {
		t.Fatalf("Len %d, gone %q", c.Len(), gone())
	}
}

// An event that is gone and counts again arrived when it counted first.
func TestChainTakesBackWhatItTookBack(t *testing.T) {
	levels := slices.Clone(brute)
	levels[1].Condition = window.Condition{Bounds: []window.Bound{{Op: window.EQ, Value: 2}}}
	c := window.NewChain(levels)
	counting := func() (since []string) {
		for r := range c.Roots() {
			for e := range r.Events() {
				since = append(since, fmt.Sprintf("%s since %d", e.ID, e.Seq))
			}
		}
		return since
	}
	for _, step := range []struct {
		e    window.Event
		want []string
	}{
		{at(0, "a"), nil},
		{at(2, "b"), []string{"b since 2"}},
		{at(1, "aa"), []string{"aa since 3"}}, // b is the third now
		{at(-60, "a"), []string{"b since 2"}}, // aa is the first, b the second
	} {
		feed(c, step.e, failure)
		if diff := cmp.Diff(step.want, counting()); diff != "" {
			t.Fatalf("after %s (-want +got):\n%s", step.e.ID, diff)
		}
	}
}

// rooted returns the identities that count at the only root.
func rooted(t *testing.T, c *window.Chain) (counting []string) {
	t.Helper()
	if err := c.Consistent(); err != nil {
		t.Error(err)
	}
	for r := range c.Roots() {
		counting = append(counting, ids(r.Events())...)
	}
	return counting
}

func TestWhatLeavesALevelLeavesTheNext(t *testing.T) {
	c := window.NewChain([]window.Level{
		{Timespan: 10 * second},
		{Timespan: 10 * second, Outer: []window.Input{{Level: 0}}},
		{Timespan: 10 * second, Condition: window.Condition{Bounds: []window.Bound{{Op: window.EQ, Value: 2}}}, Outer: []window.Input{{Level: 1}}},
	})
	counts := []window.Count{{Level: 2}, {Level: 1}, {Level: 0}}
	feed(c, at(0, "a"), counts)
	feed(c, at(2, "c"), counts)
	if got := rooted(t, c); !slices.Equal(got, []string{"c"}) {
		t.Fatalf("%q count, want the second", got)
	}
	feed(c, at(1, "b"), counts)
	if got := rooted(t, c); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("%q count, want the second", got)
	}
}

// What counts late for a level takes the verdict of its neighbours there, and
// that is carried outwards as well.
func TestWhatForgettingDecidesIsCarriedOutwards(t *testing.T) {
	c := window.NewChain([]window.Level{
		{Timespan: 10 * second},
		{
			Timespan:  20 * second,
			Condition: window.Condition{Measure: window.Average, Bounds: []window.Bound{{Op: window.GT, Value: 5}}},
			Outer:     []window.Input{{Level: 0}},
		},
		{
			Timespan:  10 * second,
			Condition: window.Condition{Bounds: []window.Bound{{Op: window.EQ, Value: 2}}},
			Outer:     []window.Input{{Level: 1, Bit: 1}},
		},
	})
	stored := func(e window.Event, s int64) window.Event { e.Stored = s; return e }
	high := []window.Count{{Level: 1, Inputs: 1, Values: []int64{10}}, {Level: 0}}
	low := []window.Count{{Level: 2}, {Level: 1, Inputs: 2, Values: []int64{-100}}, {Level: 0}}
	feed(c, stored(at(0, "before"), 100), high)
	feed(c, stored(at(5, "forgotten"), 50), high)
	feed(c, stored(at(10, "after"), 100), high)
	c.Forget(100)
	feed(c, stored(at(7, "late"), 100), low) // the only one at level 2
	if got := rooted(t, c); !slices.Equal(got, []string{"before", "after"}) {
		t.Fatalf("%q count", got)
	}
	feed(c, stored(at(6, "later"), 100), []window.Count{{Level: 2}})
	if got := rooted(t, c); !slices.Equal(got, []string{"before", "late", "after"}) {
		t.Fatalf("%q count", got)
	}
}

func TestAChainThatFeedsItselfIsRefused(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	window.NewChain([]window.Level{{Outer: []window.Input{{Level: 1}}}, {Outer: []window.Input{{Level: 0}}}})
}

// checkShapes checks a property for every shape of a chain.
func checkShapes(t *testing.T, property func(*rapid.T, []window.Level, [][]int)) {
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			levels, groupBy := levels(t, shapes[name])
			property(t, levels, groupBy)
		}))
	}
}

func TestChainsDoNotDependOnArrival(t *testing.T) {
	checkShapes(t, func(t *rapid.T, levels []window.Level, groupBy [][]int) {
		arrived := drawChained(t, levels, groupBy, 25)
		c := window.NewChain(levels)
		for _, a := range arrived {
			c.Insert(a.Event, a.Counts)
		}
		if diff := cmp.Diff(chainOracle(levels, arrived), rootEpisodes(c)); diff != "" {
			t.Fatalf("episodes of the roots (-oracle +chain):\n%s", diff)
		}
	})
}

// Insert tells which roots have changed, and no others; what is gone was there;
// a root that is not dirty has the episodes that it had.
func TestChainsSayWhatTheyTouch(t *testing.T) {
	checkShapes(t, func(t *rapid.T, levels []window.Level, groupBy [][]int) {
		c := window.NewChain(levels)
		gone := map[string]map[string]bool{}
		said := map[string][]episode{}
		newest := map[string]uint64{}
		for _, a := range drawChained(t, levels, groupBy, 20) {
			before := state(c)
			had := map[string][]string{}
			for r := range c.Roots() {
				had[strings.Join(r.Values, "|")] = ids(r.Events())
			}
			touched := map[string]bool{}
			c.Insert(a.Event, a.Counts)
			for _, r := range c.Touched() {
				key := strings.Join(r.Values, "|")
				if touched[key] {
					t.Fatalf("root %q was returned twice", key)
				}
				touched[key] = true
			}
			after := state(c)
			for r := range c.Roots() {
				key := strings.Join(r.Values, "|")
				changed := before[key] != after[key]
				if changed && !touched[key] {
					t.Fatalf("root %q has changed, and was not returned:\n%s\n%s", key, before[key], after[key])
				}
				now := ids(r.Events())
				away := ids(r.Gone())
				if touched[key] && !changed && !slices.Contains(now, a.ID) && !slices.Contains(away, a.ID) {
					t.Fatalf("root %q was returned for an event that it does not have", key)
				}
				if touched[key] {
					newest[key] = a.Seq
				}
				if r.Newest() != newest[key] {
					t.Fatalf("root %q has Newest %d, touched last by %d", key, r.Newest(), newest[key])
				}
				if gone[key] == nil {
					gone[key] = map[string]bool{}
				}
				for _, id := range had[key] {
					gone[key][id] = true
				}
				for _, id := range now {
					delete(gone[key], id)
				}
				slices.Sort(away)
				if diff := cmp.Diff(slices.Sorted(maps.Keys(gone[key])), away); diff != "" {
					t.Fatalf("gone from root %q (-want +got):\n%s", key, diff)
				}
				if r.Dirty() {
					said[key] = episodes(r.Group)
					r.Settle()
				} else if diff := cmp.Diff(said[key], episodes(r.Group)); diff != "" {
					t.Fatalf("root %q is not dirty and has changed:\n%s", key, diff)
				}
			}
			for key := range touched {
				if _, ok := after[key]; !ok {
					t.Fatalf("root %q was returned, and is not among the roots", key)
				}
			}
		}
	})
}

// When somebody looks does not matter: what one message brings may be carried
// outwards one by one or at once, whatever is forgotten between messages.
func TestChainsDoNotDependOnWhoLooks(t *testing.T) {
	checkShapes(t, func(t *rapid.T, levels []window.Level, groupBy [][]int) {
		one, all := window.NewChain(levels), window.NewChain(levels)
		message := uint64(1)
		var before map[string]string
		for _, a := range drawChained(t, levels, groupBy, 20) {
			a.Seq = message
			one.Insert(a.Event, a.Counts)
			one.Touched()
			all.Insert(a.Event, a.Counts)
			if rapid.IntRange(0, 3).Draw(t, "more") > 0 {
				continue
			}
			touched := map[string]bool{}
			for _, r := range all.Touched() {
				touched[strings.Join(r.Values, "|")] = true
			}
			after := episodesAndEvents(all)
			for key := range after {
				if before[key] != after[key] && !touched[key] {
					t.Fatalf("root %q has changed, and was not returned", key)
				}
			}
			if diff := cmp.Diff(episodesAndEvents(one), after); diff != "" {
				t.Fatalf("roots (-one by one +all at once):\n%s", diff)
			}
			if err := all.Consistent(); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 2).Draw(t, "forget") == 0 {
				cutoff := rapid.Int64Range(0, 101).Draw(t, "cutoff")
				one.Forget(cutoff)
				all.Forget(cutoff)
			}
			message++
			before = episodesAndEvents(all)
		}
	})
}

// episodesAndEvents is what there is in the roots of a chain that have events,
// but for since when it counts.
func episodesAndEvents(c *window.Chain) map[string]string {
	seen := map[string]string{}
	for r := range c.Roots() {
		var events []window.Event
		for e := range r.Events() {
			e.Seq, e.Index = 0, 0
			events = append(events, e)
		}
		if len(events) > 0 {
			seen[strings.Join(r.Values, "|")] = fmt.Sprintf("%+v\n%+v", events, episodes(r.Group))
		}
	}
	return seen
}

// Forgetting takes events away and changes nothing else; two chains that are
// given the same are the same, whatever they forget.
func TestChainsForgetAlike(t *testing.T) {
	checkShapes(t, func(t *rapid.T, levels []window.Level, groupBy [][]int) {
		c, twin := window.NewChain(levels), window.NewChain(levels)
		last := map[string]int64{} // when the log stored an event last
		for _, a := range drawChained(t, levels, groupBy, 20) {
			c.Insert(a.Event, a.Counts)
			twin.Insert(a.Event, a.Counts)
			if err := c.Consistent(); err != nil {
				t.Fatal(err)
			}
			if len(a.Counts) > 0 {
				last[a.ID] = max(last[a.ID], a.Stored)
			}
			if rapid.IntRange(0, 3).Draw(t, "forget") > 0 {
				continue
			}
			cutoff := rapid.Int64Range(0, 101).Draw(t, "cutoff")
			maps.DeleteFunc(last, func(_ string, at int64) bool { return at < cutoff })
			forgotten := func(e window.Event) bool { return e.Stored < cutoff }
			wantEvents, wantGone, wantRuns := map[string][]window.Event{}, map[string][]window.Event{}, map[string][][]string{}
			for r := range c.Roots() {
				key := strings.Join(r.Values, "|")
				for _, e := range slices.AppendSeq(slices.Collect(r.Events()), r.Gone()) {
					if e.Stored < r.Oldest() {
						t.Fatalf("%q was stored at %d, before the oldest of its root, %d", e.ID, e.Stored, r.Oldest())
					}
				}
				wantEvents[key] = slices.DeleteFunc(slices.Collect(r.Events()), forgotten)
				wantGone[key] = slices.DeleteFunc(slices.Collect(r.Gone()), forgotten)
				for e := range r.Episodes() {
					if left := slices.DeleteFunc(slices.Collect(e.Holding()), forgotten); len(left) > 0 {
						wantRuns[key] = append(wantRuns[key], ids(slices.Values(left)))
					}
				}
				if len(wantEvents[key])+len(wantGone[key]) == 0 {
					delete(wantEvents, key)
				}
			}
			c.Forget(cutoff)
			twin.Forget(cutoff)
			if err := c.Consistent(); err != nil {
				t.Fatal(err)
			}
			if c.Len() != len(last) {
				t.Fatalf("Len = %d, want %d", c.Len(), len(last))
			}
			roots := 0
			for r := range c.Roots() {
				roots++
				key := strings.Join(r.Values, "|")
				var runs [][]string
				for e := range r.Episodes() {
					runs = append(runs, ids(e.Holding()))
				}
				if diff := cmp.Diff(wantRuns[key], runs); diff != "" {
					t.Fatalf("runs of root %q (-want +got):\n%s", key, diff)
				}
				if diff := cmp.Diff(wantEvents[key], slices.Collect(r.Events())); diff != "" && len(wantEvents[key])+r.Len() > 0 {
					t.Fatalf("events of root %q (-want +got):\n%s", key, diff)
				}
				if diff := cmp.Diff(ids(slices.Values(wantGone[key])), ids(r.Gone())); diff != "" {
					t.Fatalf("gone from root %q (-want +got):\n%s", key, diff)
				}
			}
			if roots != len(wantEvents) {
				t.Fatalf("%d roots, want %d", roots, len(wantEvents))
			}
		}
		if diff := cmp.Diff(state(c), state(twin)); diff != "" {
			t.Fatalf("two chains, one log (-one +other):\n%s", diff)
		}
	})
}
