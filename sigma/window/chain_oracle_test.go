package window_test

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/sigma/window"
)

// chained is one arrival at a chain.
type chained struct {
	window.Event
	Counts []window.Count
}

// shapes are chains of two and three levels, by what each level feeds.
var shapes = map[string][][]window.Input{
	"two levels":                  {nil, {{Level: 0, Bit: 0}}},
	"two inner levels":            {nil, {{Level: 0, Bit: 0}}, {{Level: 0, Bit: 2}}},
	"twice in a sequence":         {nil, {{Level: 0, Bit: 0}, {Level: 0, Bit: 2}}},
	"three levels":                {nil, {{Level: 0, Bit: 0}}, {{Level: 1, Bit: 1}}},
	"one shared by two":           {nil, {{Level: 0, Bit: 0}}, {{Level: 0, Bit: 1}}, {{Level: 1, Bit: 0}, {Level: 2, Bit: 3}}},
	"one shared by levels of two": {nil, {{Level: 0, Bit: 1}}, {{Level: 1, Bit: 0}, {Level: 0, Bit: 0}}},
	"inner before outer":          {nil, {{Level: 2, Bit: 1}}, {{Level: 0, Bit: 0}}},
}

// levels draws conditions and timespans for a shape, and the fields that each
// level groups by.
func levels(t *rapid.T, shape [][]window.Input) ([]window.Level, [][]int) {
	var levels []window.Level
	var groupBy [][]int
	for _, outer := range shape {
		measure := window.Measure(rapid.IntRange(int(window.Events), int(window.Percentile)).Draw(t, "measure"))
		levels = append(levels, window.Level{
			Timespan:  rapid.SampledFrom([]int64{span, span, span / 2, 2 * span}).Draw(t, "timespan"),
			Condition: condition(t, measure),
			Sources:   rapid.SampledFrom([][]uint64{nil, nil, {0b1}, {0b1, 0b10}, {0b10, 0b101}, {0b1, 0b10, 0b100, 0b1000}}).Draw(t, "sources"),
			Outer:     outer,
		})
		groupBy = append(groupBy, rapid.SampledFrom([][]int{nil, {0}, {1}, {0, 1}}).Draw(t, "group-by"))
	}
	return levels, groupBy
}

// sets are the inputs of each source of a level, with those of no source last.
func sets(l window.Level) []uint64 {
	rest := ^uint64(0)
	for _, set := range l.Sources {
		rest &^= set
	}
	return append(slices.Clone(l.Sources), rest)
}

// drawChained draws what arrives at a chain: events in any order, some of them
// again, with another time, other groups or other counts.
func drawChained(t *rapid.T, levels []window.Level, groupBy [][]int, most int) []chained {
	events := timelineOf(t, most)
	var arrived []chained
	give := func(e window.Event) {
		fields := [2]string{}
		for i := range fields {
			fields[i] = rapid.SampledFrom([]string{"x", "x", "x", "y"}).Draw(t, "field")
		}
		c := chained{Event: e}
		for l := range levels {
			if rapid.IntRange(0, 4).Draw(t, "no count") == 0 {
				continue
			}
			var n window.Event
			counts(t, &n)
			var group []string
			for _, f := range groupBy[l] {
				group = append(group, fields[f])
			}
			for _, set := range sets(levels[l]) {
				if inputs := max(n.Inputs, 1) & set; inputs != 0 {
					var of window.Event
					counts(t, &of)
					c.Counts = append(c.Counts, window.Count{Level: l, Group: group, Inputs: inputs, Values: of.Values})
				}
			}
		}
		arrived = append(arrived, c)
	}
	for _, e := range events {
		e.Inputs, e.Values = 0, nil
		give(e)
	}
	if len(arrived) > 0 {
		for range rapid.IntRange(0, 10).Draw(t, "repeats") {
			again := rapid.SampledFrom(arrived).Draw(t, "repeated")
			again.Stored = rapid.Int64Range(0, 100).Draw(t, "stored again")
			again.Time += rapid.SampledFrom([]int64{0, 0, 0, 1, -1, span, -span}).Draw(t, "shift")
			if rapid.IntRange(0, 2).Draw(t, "another") == 0 {
				give(again.Event)
			} else {
				arrived = append(arrived, again)
			}
		}
	}
	arrived = rapid.Permutation(arrived).Draw(t, "arrival")
	for i := range arrived {
		arrived[i].Seq = uint64(i + 1)
	}
	return arrived
}

// chainOracle finds the roots of a chain level by level, from the innermost
// outwards: the events that count in each group and the episodes.
func chainOracle(levels []window.Level, arrived []chained) map[string][]episode {
	times := map[string]int64{}
	for _, a := range arrived {
		if at, ok := times[a.ID]; len(a.Counts) > 0 && (!ok || a.Time < at) {
			times[a.ID] = a.Time
		}
	}
	holds := make([]map[string]bool, len(levels)) // at which events a level holds; nil: not known yet
	var solve func(l int) map[string][]episode
	solve = func(l int) map[string][]episode {
		if holds[l] != nil {
			return nil
		}
		fed := uint64(0)
		for inner, level := range levels {
			for _, in := range level.Outer {
				if in.Level == l {
					solve(inner)
					fed |= 1 << in.Bit
				}
			}
		}
		set := sets(levels[l])
		groups := map[string][][]window.Event{} // what arrived, by source
		for _, a := range arrived {
			for _, n := range a.Counts {
				if n.Level == l {
					key := strings.Join(n.Group, "|")
					if groups[key] == nil {
						groups[key] = make([][]window.Event, len(set))
					}
					source := slices.IndexFunc(set, func(s uint64) bool { return s&max(n.Inputs, 1) != 0 })
					groups[key][source] = append(groups[key][source], window.Event{ID: a.ID, Time: times[a.ID], Inputs: max(n.Inputs, 1), Values: n.Values})
				}
			}
		}
		holds[l] = map[string]bool{}
		found := map[string][]episode{}
		for key, sources := range groups {
			var counting []window.Event
			for _, given := range sources {
				for _, e := range merged(levels[l].Condition.Measure, given) {
					inputs := e.Inputs &^ fed
					for inner, level := range levels {
						for _, in := range level.Outer {
							if in.Level == l && e.Inputs>>in.Bit&1 == 1 && holds[inner][e.ID] {
								inputs |= 1 << in.Bit
							}
						}
					}
					if e.Inputs = inputs; inputs == 0 {
						continue // and so its values are not there
					}
					if k := slices.IndexFunc(counting, func(o window.Event) bool { return o.ID == e.ID }); k >= 0 {
						counting[k].Inputs |= inputs
						counting[k].Values = slices.Concat(counting[k].Values, e.Values)
						continue
					}
					counting = append(counting, e)
				}
			}
			slices.SortFunc(counting, window.Event.Compare)
			is := held(levels[l].Timespan, levels[l].Condition, counting)
			for i, e := range counting {
				holds[l][e.ID] = holds[l][e.ID] || is[i]
			}
			if len(counting) > 0 {
				found[key] = runs(levels[l].Timespan, counting, is)
			}
		}
		return found
	}
	return solve(0)
}

// rootEpisodes reads the episodes of all roots that have events.
func rootEpisodes(c *window.Chain) map[string][]episode {
	found := map[string][]episode{}
	for r := range c.Roots() {
		if r.Len() > 0 {
			found[strings.Join(r.Values, "|")] = episodes(r.Group)
		}
	}
	return found
}

// state is all that can be seen of the roots of a chain.
func state(c *window.Chain) map[string]string {
	seen := map[string]string{}
	for r := range c.Roots() {
		seen[strings.Join(r.Values, "|")] = fmt.Sprintf("%+v\n%+v\n%+v",
			slices.Collect(r.Events()), episodes(r.Group), slices.Collect(r.Gone()))
	}
	return seen
}
