package window_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/sigma/window"
)

const second = int64(1000)

func moreThan(n int64) window.Condition {
	return window.Condition{Bounds: []window.Bound{{Op: window.GT, Value: n}}}
}

// at makes an event at a number of seconds, stored when it happened.
func at(seconds int64, id string) window.Event {
	return window.Event{Time: seconds * second, ID: id, Stored: seconds * second}
}

// deliver inserts the events in the given order, numbering them by arrival.
func deliver(g *window.Group, events ...window.Event) {
	for i, e := range events {
		if e.Seq == 0 {
			e.Seq = g.Newest() + 1
		}
		e.Index = uint32(i)
		g.Insert(e)
	}
}

func TestGroup(t *testing.T) {
	tests := []struct {
		name     string
		timespan int64
		holds    window.Condition
		events   []window.Event
		want     []episode
	}{
		{
			name: "no event, no episode", timespan: 360 * second, holds: moreThan(4),
		},
		{
			name: "four failures are not more than four", timespan: 360 * second, holds: moreThan(4),
			events: []window.Event{at(0, "a"), at(1, "b"), at(2, "c"), at(3, "d")},
		},
		{
			name: "the fifth failure fires", timespan: 360 * second, holds: moreThan(4),
			events: []window.Event{at(0, "a"), at(1, "b"), at(2, "c"), at(3, "d"), at(4, "e")},
			want:   []episode{{First: 0, Last: 4 * second, Events: []string{"a", "b", "c", "d", "e"}, Holding: []string{"e"}, Open: true}},
		},
		{
			name: "359 s apart is inside 360 s", timespan: 360 * second, holds: moreThan(1),
			events: []window.Event{at(0, "a"), at(359, "b")},
			want:   []episode{{First: 0, Last: 359 * second, Events: []string{"a", "b"}, Holding: []string{"b"}, Open: true}},
		},
		{
			name: "360 s apart is inside 360 s", timespan: 360 * second, holds: moreThan(1),
			events: []window.Event{at(0, "a"), at(360, "b")},
			want:   []episode{{First: 0, Last: 360 * second, Events: []string{"a", "b"}, Holding: []string{"b"}, Open: true}},
		},
		{
			name: "361 s apart is not inside 360 s", timespan: 360 * second, holds: moreThan(1),
			events: []window.Event{at(0, "a"), at(361, "b")},
		},
		{
			name: "of two at one time the later in order sees the earlier", timespan: 10 * second, holds: moreThan(1),
			events: []window.Event{at(5, "b"), at(5, "a")},
			want:   []episode{{First: 5 * second, Last: 5 * second, Events: []string{"a", "b"}, Holding: []string{"b"}, Open: true}},
		},
		{
			name: "one event six times counts once", timespan: 10 * second, holds: moreThan(1),
			events: []window.Event{at(5, "a"), at(5, "a"), at(5, "a"), at(5, "a"), at(5, "a"), at(5, "a")},
		},
		{
			name: "the earliest time of an identity is its time", timespan: 10 * second, holds: moreThan(1),
			events: []window.Event{at(100, "a"), at(0, "b"), at(50, "a"), at(5, "a"), at(70, "a")},
			want:   []episode{{First: 0, Last: 5 * second, Events: []string{"b", "a"}, Holding: []string{"a"}, Open: true}},
		},
		{
			name: "an event that does not hold ends the episode", timespan: 10 * second, holds: moreThan(1),
			events: []window.Event{at(0, "a"), at(1, "b"), at(100, "c")},
			want:   []episode{{First: 0, Last: 1 * second, Events: []string{"a", "b"}, Holding: []string{"b"}}},
		},
		{
			name: "two episodes may share contributing events", timespan: 10 * second, holds: moreThan(2),
			events: []window.Event{at(0, "a"), at(1, "b"), at(2, "c"), at(12, "d"), at(12, "e")},
			want: []episode{
				{First: 0, Last: 2 * second, Events: []string{"a", "b", "c"}, Holding: []string{"c"}},
				{First: 2 * second, Last: 12 * second, Events: []string{"c", "d", "e"}, Holding: []string{"e"}, Open: true},
			},
		},
		{
			name: "a late event joins two episodes", timespan: 10 * second, holds: moreThan(2),
			events: []window.Event{at(0, "a"), at(1, "b"), at(2, "c"), at(12, "d"), at(12, "e"), at(3, "late")},
			want: []episode{
				{First: 0, Last: 12 * second, Events: []string{"a", "b", "c", "late", "d", "e"}, Holding: []string{"c", "late", "d", "e"}, Open: true},
			},
		},
		{
			name: "with eq a late event divides an episode", timespan: 10 * second, holds: window.Condition{Bounds: []window.Bound{{Op: window.EQ, Value: 1}}},
			events: []window.Event{at(0, "a"), at(20, "b"), at(40, "c"), at(21, "late")},
			want: []episode{
				{First: 0, Last: 20 * second, Events: []string{"a", "b"}, Holding: []string{"a", "b"}},
				{First: 40 * second, Last: 40 * second, Events: []string{"c"}, Holding: []string{"c"}, Open: true},
			},
		},
		{
			name: "an absurd time does not disturb the others", timespan: 10 * second, holds: moreThan(1),
			events: []window.Event{at(-62135596800, "year 1"), at(253402300799, "year 9999"), at(0, "a"), at(1, "b")},
			want:   []episode{{First: 0, Last: 1 * second, Events: []string{"a", "b"}, Holding: []string{"b"}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := window.New(tt.timespan, tt.holds)
			deliver(g, tt.events...)
			if diff := cmp.Diff(tt.want, episodes(g)); diff != "" {
				t.Errorf("episodes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, oracle(tt.timespan, tt.holds, tt.events)); diff != "" {
				t.Errorf("the oracle disagrees (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInsertReportsChange(t *testing.T) {
	g := window.New(10*second, moreThan(1))
	steps := []struct {
		why  string
		e    window.Event
		want bool
	}{
		{"a new event", at(5, "a"), true},
		{"the same again", at(5, "a"), false},
		{"the same with a later time", at(6, "a"), false},
		{"the same with an earlier time", at(4, "a"), true},
	}
	for _, s := range steps {
		if got := g.Insert(s.e); got != s.want {
			t.Errorf("%s: Insert = %v, want %v", s.why, got, s.want)
		}
	}
	if g.Len() != 1 {
		t.Errorf("Len = %d, want 1", g.Len())
	}
}

func TestDirty(t *testing.T) {
	tests := []struct {
		name   string
		before []window.Event
		e      window.Event
		want   bool
	}{
		{"a lone event", nil, at(0, "a"), false},
		{"an event that makes a window hold", []window.Event{at(0, "a")}, at(1, "b"), true},
		{"an event that ends an episode", []window.Event{at(0, "a"), at(1, "b")}, at(50, "c"), true},
		{"an event far behind an episode that has ended", []window.Event{at(0, "a"), at(1, "b"), at(50, "c")}, at(90, "d"), false},
		{"an event far before an episode", []window.Event{at(0, "a"), at(1, "b")}, at(-50, "c"), false},
		{"an event that contributes only", []window.Event{at(0, "a"), at(1, "b")}, at(-1, "c"), true},
		{"an event that had ended an episode, and is earlier", []window.Event{at(0, "a"), at(1, "b"), at(50, "c")}, at(-50, "c"), true},
		{"a repeat", []window.Event{at(0, "a"), at(1, "b")}, at(1, "b"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := window.New(10*second, moreThan(1))
			deliver(g, tt.before...)
			g.Settle()
			g.Insert(tt.e)
			if g.Dirty() != tt.want {
				t.Errorf("Dirty = %v, want %v", g.Dirty(), tt.want)
			}
		})
	}
}

func TestAnchorIsTheHoldingEventThatArrivedFirst(t *testing.T) {
	g := window.New(10*second, moreThan(1))
	deliver(g, at(0, "a"), at(3, "late in order, early to arrive"), at(1, "b"), at(2, "c"))
	for e := range g.Episodes() {
		if got := e.Anchor().ID; got != "late in order, early to arrive" {
			t.Errorf("anchor = %q", got)
		}
	}
}

func TestForget(t *testing.T) {
	// Stored is given apart from Time here: forgetting looks at nothing else.
	stored := func(e window.Event, s int64) window.Event { e.Stored = s * second; return e }

	t.Run("what was stored before the cutoff goes", func(t *testing.T) {
		g := window.New(10*second, moreThan(1))
		deliver(g, stored(at(0, "a"), 100), stored(at(1, "b"), 99), stored(at(2, "c"), 101))
		g.Forget(100 * second)
		if diff := cmp.Diff([]string{"a", "c"}, ids(g.Events())); diff != "" {
			t.Errorf("remembered (-want +got):\n%s", diff)
		}
		if g.Has("b") || !g.Has("a") {
			t.Errorf("Has(b), Has(a) = %v, %v", g.Has("b"), g.Has("a"))
		}
		if g.Oldest() != 100*second {
			t.Errorf("Oldest = %d, want %d", g.Oldest(), 100*second)
		}
	})
	t.Run("a repeat renews how long an event is remembered", func(t *testing.T) {
		g := window.New(10*second, moreThan(1))
		deliver(g, stored(at(0, "a"), 50), stored(at(0, "a"), 100))
		g.Forget(100 * second)
		if !g.Has("a") {
			t.Error("a was forgotten")
		}
	})
	t.Run("an event keeps what it saw of the forgotten", func(t *testing.T) {
		g := window.New(10*second, moreThan(1))
		deliver(g, stored(at(0, "a"), 50), stored(at(1, "b"), 100))
		g.Forget(100 * second)
		want := []episode{{First: 1 * second, Last: 1 * second, Events: []string{"b"}, Holding: []string{"b"}, Open: true}}
		if diff := cmp.Diff(want, episodes(g)); diff != "" {
			t.Errorf("episodes (-want +got):\n%s", diff)
		}
	})
	t.Run("an episode that ended stays so when the event that ended it is forgotten", func(t *testing.T) {
		g := window.New(10*second, moreThan(1))
		deliver(g, stored(at(50, "end"), 50), stored(at(0, "a"), 100), stored(at(1, "b"), 100))
		g.Forget(100 * second)
		for e := range g.Episodes() {
			if e.Open {
				t.Error("the episode opened again")
			}
		}
	})
	t.Run("two runs stay two when what stood between them is forgotten", func(t *testing.T) {
		g := window.New(10*second, moreThan(1))
		deliver(g,
			stored(at(0, "a"), 100), stored(at(1, "b"), 100),
			stored(at(50, "between"), 50), stored(at(51, "c"), 100))
		g.Forget(100 * second)
		var cut []bool
		for e := range g.Episodes() {
			cut = append(cut, e.Cut)
		}
		if diff := cmp.Diff([]bool{true, false}, cut); diff != "" {
			t.Errorf("whether the episodes are cut (-want +got):\n%s", diff)
		}
	})
	t.Run("a late event does not interrupt a run because of what is forgotten", func(t *testing.T) {
		g := window.New(10*second, moreThan(2))
		deliver(g,
			stored(at(0, "a"), 50), stored(at(1, "b"), 50),
			stored(at(2, "c"), 100), stored(at(4, "d"), 100))
		g.Forget(100 * second)
		deliver(g, stored(at(3, "late"), 101))
		want := []episode{{First: 2 * second, Last: 4 * second, Events: []string{"c", "late", "d"}, Holding: []string{"c", "late", "d"}, Open: true}}
		if diff := cmp.Diff(want, episodes(g)); diff != "" {
			t.Errorf("episodes (-want +got):\n%s", diff)
		}
	})
	t.Run("an identity that is forgotten and arrives again is not counted twice", func(t *testing.T) {
		g := window.New(10*second, moreThan(2))
		deliver(g, stored(at(0, "a"), 50), stored(at(1, "b"), 100))
		g.Forget(100 * second)
		deliver(g, stored(at(0, "a"), 101))
		if got := episodes(g); got != nil {
			t.Errorf("two events made an episode of more than two: %+v", got)
		}
	})
	t.Run("a run that an early event continued is not interrupted either", func(t *testing.T) {
		g := window.New(10*second, moreThan(1))
		deliver(g, stored(at(22, "forgotten"), 50), stored(at(22, "held"), 100))
		g.Forget(100 * second)
		deliver(g, stored(at(0, "a"), 101), stored(at(0, "b"), 101))
		want := []string{"b", "held"}
		if got := episodes(g); len(got) != 1 || !cmp.Equal(got[0].Holding, want) {
			t.Fatalf("episodes %+v, want one that holds at %q", got, want)
		}
		deliver(g, stored(at(11, "late"), 102))
		if got := episodes(g); len(got) != 1 {
			t.Errorf("%d episodes, want 1", len(got))
		}
	})
	t.Run("two runs stay two when the event before what is forgotten gets another time", func(t *testing.T) {
		g := window.New(10*second, moreThan(1))
		deliver(g,
			stored(at(0, "a"), 100), stored(at(2, "b"), 100), stored(at(3, "c"), 100),
			stored(at(50, "between"), 50), stored(at(51, "d"), 100))
		g.Forget(100 * second)
		deliver(g, stored(at(1, "c"), 101))
		want := []episode{
			{First: 0, Last: 2 * second, Events: []string{"a", "c", "b"}, Holding: []string{"c", "b"}},
			{First: 51 * second, Last: 51 * second, Events: []string{"d"}, Holding: []string{"d"}, Open: true},
		}
		if diff := cmp.Diff(want, episodes(g)); diff != "" {
			t.Errorf("episodes (-want +got):\n%s", diff)
		}
	})
	t.Run("an event after all that is forgotten is judged by what there is", func(t *testing.T) {
		g := window.New(10*second, window.Condition{Measure: window.Average, Bounds: []window.Bound{{Op: window.GT, Value: 5}}})
		valued := func(e window.Event, v int64) window.Event { e.Values = []int64{v}; return stored(e, 100) }
		deliver(g, stored(at(0, "forgotten"), 50))
		g.Forget(100 * second)
		deliver(g, valued(at(1, "high"), 10), valued(at(3, "very high"), 1000), valued(at(2, "low"), -100))
		if got := episodes(g); len(got) != 2 {
			t.Errorf("%d episodes, want 2: %+v", len(got), got)
		}
	})
	t.Run("a run reaches across what is forgotten when its first event gets another time", func(t *testing.T) {
		g := window.New(10*second, window.Condition{Measure: window.Average, Bounds: []window.Bound{{Op: window.GT, Value: 5}}})
		valued := func(e window.Event, s, v int64) window.Event { e.Values = []int64{v}; return stored(e, s) }
		deliver(g, valued(at(0, "a"), 100, 10), valued(at(5, "forgotten"), 50, 10), valued(at(7, "b"), 100, 10))
		g.Forget(100 * second)
		deliver(g, valued(at(-20, "a"), 100, 10), valued(at(6, "late"), 100, -100))
		if got := episodes(g); len(got) != 1 || len(got[0].Holding) != 3 {
			t.Errorf("episodes %+v, want one that holds at all three events", got)
		}
	})
	t.Run("a window that lost nothing is judged by what it has", func(t *testing.T) {
		g := window.New(10*second, window.Condition{Measure: window.Average, Bounds: []window.Bound{{Op: window.LT, Value: 5}}})
		valued := func(e window.Event, s, v int64) window.Event { e.Values = []int64{v}; return stored(e, s) }
		deliver(g, valued(at(0, "forgotten"), 50, 1), valued(at(50, "a"), 100, 1))
		g.Forget(100 * second)
		deliver(g, valued(at(49, "late"), 100, 100))
		if got := episodes(g); got != nil {
			t.Errorf("episodes %+v of an average of 50.5", got)
		}
	})
	t.Run("what must be absent may be forgotten elsewhere", func(t *testing.T) {
		g := window.New(10*second, window.Condition{Measure: window.OrderedRules, Terms: []window.Term{{Need: []int{0}, Absent: 4}}})
		standing := func(e window.Event, s int64, inputs uint64) window.Event { e.Inputs = inputs; return stored(e, s) }
		deliver(g, standing(at(0, "unwanted"), 50, 4), standing(at(100, "b"), 100, 1))
		g.Forget(100 * second)
		deliver(g, standing(at(99, "a"), 100, 1))
		if got := episodes(g); len(got) != 1 || len(got[0].Holding) != 2 {
			t.Errorf("episodes %+v, want one that holds at both events", got)
		}
	})
	t.Run("a rule that is forgotten is not missed", func(t *testing.T) {
		for _, m := range []window.Measure{window.Rules, window.OrderedRules} {
			g := window.New(10*second, window.Condition{Measure: m, Terms: []window.Term{{Need: []int{0, 1}, Absent: 4}}})
			standing := func(e window.Event, s int64, inputs uint64) window.Event { e.Inputs = inputs; return stored(e, s) }
			deliver(g, standing(at(0, "forgotten"), 50, 1), standing(at(5, "a"), 100, 2))
			g.Forget(100 * second)
			deliver(g, standing(at(3, "late"), 100, 2))
			if got := episodes(g); len(got) != 1 || got[0].Holding[len(got[0].Holding)-1] != "a" {
				t.Errorf("episodes %+v, want one up to a", got)
			}
			deliver(g, standing(at(4, "unwanted"), 100, 4))
			if got := episodes(g); got != nil {
				t.Errorf("episodes %+v, with what must be absent", got)
			}
		}
	})
}

// The window of the last event has lost an event or two, and gets others late.
func TestVerdictsOnWhatIsLeft(t *testing.T) {
	bounds := func(m window.Measure, b ...window.Bound) window.Condition {
		return window.Condition{Measure: m, Bounds: b}
	}
	rules := func(terms ...window.Term) window.Condition {
		return window.Condition{Measure: window.Rules, Terms: terms}
	}
	plain := window.Event{}
	inputs := func(mask uint64) window.Event { return window.Event{Inputs: mask} }
	value := func(v int64) window.Event { return window.Event{Values: []int64{v}} }
	tests := []struct {
		name      string
		condition window.Condition
		forgotten []window.Event
		last      window.Event
		late      []window.Event
		was, is   bool
	}{
		{
			"four and more are enough", bounds(window.Events, window.Bound{Op: window.GT, Value: 3}),
			[]window.Event{plain}, plain, []window.Event{plain, plain, plain}, false, true,
		},
		{
			"three were too many for two, and four are still", bounds(window.Events, window.Bound{Op: window.EQ, Value: 2}),
			[]window.Event{plain, plain}, plain, []window.Event{plain}, false, false,
		},
		{
			"two are three if one is forgotten", bounds(window.Events, window.Bound{Op: window.EQ, Value: 2}),
			[]window.Event{plain}, plain, nil, true, true,
		},
		{
			"three are not two", bounds(window.Events, window.Bound{Op: window.EQ, Value: 2}),
			[]window.Event{plain}, plain, []window.Event{plain, plain}, true, false,
		},
		{
			"two that were three may still be three", bounds(window.Events, window.Bound{Op: window.NEQ, Value: 3}),
			[]window.Event{plain, plain}, plain, []window.Event{plain}, false, false,
		},
		{
			"four are not three", bounds(window.Events, window.Bound{Op: window.NEQ, Value: 3}),
			[]window.Event{plain, plain}, plain, []window.Event{plain, plain, plain}, false, true,
		},
		{
			"one bound that is broken is enough", bounds(window.Events, window.Bound{Op: window.LT, Value: 3}, window.Bound{Op: window.NEQ, Value: 9}),
			[]window.Event{plain}, plain, []window.Event{plain, plain}, true, false,
		},
		{
			"one term that holds is enough", rules(window.Term{Need: []int{0}}, window.Term{Need: []int{1}}),
			[]window.Event{inputs(4)}, inputs(4), []window.Event{inputs(1)}, false, true,
		},
		{
			"what must be absent is not absent because it is forgotten", rules(window.Term{Need: []int{0}, Absent: 4}),
			[]window.Event{inputs(4)}, inputs(1), []window.Event{inputs(1)}, false, false,
		},
		{
			"what is needed is not missing because it is forgotten", rules(window.Term{Need: []int{0, 1}, Absent: 4}),
			[]window.Event{inputs(1)}, inputs(2), []window.Event{inputs(2)}, true, true,
		},
		{
			"what is left of a sum says that it is not less", bounds(window.Sum, window.Bound{Op: window.LT, Value: 5}),
			[]window.Event{value(1)}, value(3), []window.Event{value(10)}, true, false,
		},
		{
			"but not if there have been numbers below zero", bounds(window.Sum, window.Bound{Op: window.LT, Value: 5}),
			[]window.Event{value(-100)}, value(3), []window.Event{value(10)}, true, true,
		},
		{
			"an average that is great enough now is", bounds(window.Average, window.Bound{Op: window.GT, Value: 5}),
			[]window.Event{value(0)}, value(7), []window.Event{value(7)}, false, true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := window.New(10*second, tt.condition)
			holds := func() (last bool) {
				for e := range g.Episodes() {
					last = e.Last().ID == "last"
				}
				return last
			}
			give := func(id string, time, stored int64, e window.Event) {
				e.ID, e.Time, e.Stored = id, time*second, stored
				deliver(g, e)
			}
			for i, e := range tt.forgotten {
				give(fmt.Sprint("forgotten ", i), 1, 50, e)
			}
			give("last", 10, 100, tt.last)
			if holds() != tt.was {
				t.Errorf("before: %v, want %v", holds(), tt.was)
			}
			g.Forget(100)
			for i, e := range tt.late {
				give(fmt.Sprint("late ", i), int64(i+3), 100, e)
			}
			if holds() != tt.is {
				t.Errorf("after: %v, want %v", holds(), tt.is)
			}
		})
	}
}
