package window_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/sigma/window"
)

const span = int64(10)

// condition draws a condition: such as grow with every event, and such as do
// not.
func condition(t *rapid.T) func(int) bool {
	n := rapid.IntRange(0, 5).Draw(t, "threshold")
	switch rapid.SampledFrom([]string{"gt", "lt", "eq"}).Draw(t, "operator") {
	case "gt":
		return func(count int) bool { return count > n }
	case "lt":
		return func(count int) bool { return count < n }
	default:
		return func(count int) bool { return count == n }
	}
}

// timeline draws events whose distances are mostly those where windows end.
func timeline(t *rapid.T) []window.Event {
	steps := rapid.SliceOfN(rapid.SampledFrom([]int64{0, 0, 1, 2, 5, span - 1, span, span + 1, 3 * span}), 0, 60).Draw(t, "steps")
	now := int64(0)
	var events []window.Event
	for i, s := range steps {
		now += s
		events = append(events, window.Event{
			Time:   now,
			ID:     fmt.Sprintf("%02x", (i*67)%256), // of equal times not in order of arrival
			Stored: rapid.Int64Range(0, 100).Draw(t, "stored"),
		})
	}
	return events
}

// arrival draws an order of arrival of the events, with some of them repeated
// and, of these, some under another time.
func arrival(t *rapid.T, events []window.Event) []window.Event {
	arrived := slices.Clone(events)
	if len(events) > 0 {
		for range rapid.IntRange(0, 20).Draw(t, "repeats") {
			e := rapid.SampledFrom(events).Draw(t, "repeated")
			e.Time += rapid.SampledFrom([]int64{0, 0, 0, 1, -1, span, -span}).Draw(t, "shift")
			arrived = append(arrived, e)
		}
	}
	return rapid.Permutation(arrived).Draw(t, "arrival")
}

func TestEpisodesDoNotDependOnArrival(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		holds := condition(t)
		arrived := arrival(t, timeline(t))
		g := window.New(span, holds)
		deliver(g, arrived...)
		if diff := cmp.Diff(oracle(span, holds, arrived), episodes(g)); diff != "" {
			t.Fatalf("episodes (-oracle +group):\n%s", diff)
		}
	})
}

func TestQuietInsertionsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := window.New(span, condition(t))
		said := episodes(g)
		for _, e := range arrival(t, timeline(t)) {
			deliver(g, e)
			if g.Dirty() {
				said = episodes(g)
				g.Settle()
			} else if diff := cmp.Diff(said, episodes(g)); diff != "" {
				t.Fatalf("a group that is not dirty has changed:\n%s", diff)
			}
		}
	})
}

func TestForgettingLeavesWhatIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := window.New(span, condition(t))
		deliver(g, arrival(t, timeline(t))...)
		for range rapid.IntRange(1, 3).Draw(t, "times") {
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

// A condition that more events cannot break is not broken by forgetting
// either: whatever arrives later, no run is divided.
func TestLateEventsNeverDivideARunThatOnlyGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := window.New(span, moreThan(rapid.IntRange(0, 4).Draw(t, "threshold")))
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
