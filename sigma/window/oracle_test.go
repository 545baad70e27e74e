package window_test

import (
	"math/big"
	"slices"

	"github.com/trailbell/trailbell/sigma/window"
)

// episode is what the oracle and the group are compared by.
type episode struct {
	First, Last int64
	Events      []string
	Holding     []string
	Open        bool
}

// merged returns each identity once, in order, as its arrivals together make
// it.
func merged(measure window.Measure, arrived []window.Event) []window.Event {
	var events []window.Event
	for _, e := range arrived {
		e.Inputs = max(e.Inputs, 1)
		e.Values = slices.Sorted(slices.Values(e.Values))
		k := slices.IndexFunc(events, func(o window.Event) bool { return o.ID == e.ID })
		if k < 0 {
			events = append(events, e)
			continue
		}
		o := &events[k]
		o.Time = min(o.Time, e.Time)
		o.Inputs |= e.Inputs
		if measure == window.Values {
			o.Values = append(slices.Clone(o.Values), e.Values...)
		} else if slices.Compare(e.Values, o.Values) > 0 {
			o.Values = e.Values
		}
	}
	slices.SortFunc(events, window.Event.Compare)
	return events
}

// held tells at which events, of distinct identities and in order, a condition
// holds, in the most obvious way: every window is found by looking at every
// event.
func held(timespan int64, c window.Condition, events []window.Event) []bool {
	held := make([]bool, len(events))
	for i := range events {
		held[i] = satisfied(c, inside(timespan, events, i))
	}
	return held
}

// inside returns the events in the window that ends at event i.
func inside(timespan int64, events []window.Event, i int) (inside []window.Event) {
	for j, e := range events {
		if j <= i && e.Time >= events[i].Time-timespan {
			inside = append(inside, e)
		}
	}
	return inside
}

// oracle finds the episodes of what has arrived.
func oracle(timespan int64, c window.Condition, arrived []window.Event) []episode {
	events := merged(c.Measure, arrived)
	return runs(timespan, events, held(timespan, c, events))
}

// runs makes episodes of the events, which hold or do not.
func runs(timespan int64, events []window.Event, held []bool) []episode {
	var found []episode
	for i := 0; i < len(events); i++ {
		if !held[i] || i > 0 && held[i-1] {
			continue
		}
		end := i
		for end+1 < len(events) && held[end+1] {
			end++
		}
		e := episode{Last: events[end].Time, Open: end == len(events)-1}
		for _, o := range events {
			contributes := false
			for h := i; h <= end; h++ {
				contributes = contributes || slices.ContainsFunc(inside(timespan, events, h), func(n window.Event) bool { return n.ID == o.ID })
			}
			if contributes {
				if len(e.Events) == 0 {
					e.First = o.Time
				}
				e.Events = append(e.Events, o.ID)
			}
		}
		for h := i; h <= end; h++ {
			e.Holding = append(e.Holding, events[h].ID)
		}
		found = append(found, e)
	}
	return found
}

// satisfied tests a condition on the events of one window, with rational
// numbers.
func satisfied(c window.Condition, events []window.Event) bool {
	if len(c.Terms) > 0 {
		return slices.ContainsFunc(c.Terms, func(t window.Term) bool {
			for _, e := range events {
				if e.Inputs&t.Absent != 0 {
					return false
				}
			}
			if c.Measure == window.OrderedRules {
				return occurs(t.Need, events, nil, 0)
			}
			for _, input := range t.Need {
				if !slices.ContainsFunc(events, func(e window.Event) bool { return stands(e, input) }) {
					return false
				}
			}
			return true
		})
	}
	value, ok := measured(c, events)
	for _, b := range c.Bounds {
		order := 0
		if ok {
			order = value.Cmp(big.NewRat(b.Value, 1))
		}
		if !ok || !map[window.Op]bool{
			window.GT: order > 0, window.GTE: order >= 0, window.LT: order < 0,
			window.LTE: order <= 0, window.EQ: order == 0, window.NEQ: order != 0,
		}[b.Op] {
			return false
		}
	}
	return ok
}

func stands(e window.Event, input int) bool { return e.Inputs>>input&1 == 1 }

// occurs tries every way to give the steps an event each: one of its own, none
// before that of the step before it.
func occurs(steps []int, events []window.Event, taken []string, after int64) bool {
	if len(steps) == 0 {
		return true
	}
	for _, e := range events {
		if !stands(e, steps[0]) || slices.Contains(taken, e.ID) || len(taken) > 0 && e.Time < after {
			continue
		}
		if occurs(steps[1:], events, append(slices.Clip(taken), e.ID), e.Time) {
			return true
		}
	}
	return false
}

// measured measures the events of one window; false if there is nothing to
// measure.
func measured(c window.Condition, events []window.Event) (*big.Rat, bool) {
	inputs := map[int]bool{}
	distinct := map[int64]bool{}
	var numbers []int64
	sum := new(big.Rat)
	for _, e := range events {
		for input := range 64 {
			if stands(e, input) {
				inputs[input] = true
			}
		}
		for _, v := range e.Values {
			distinct[v] = true
			numbers = append(numbers, v)
			sum.Add(sum, big.NewRat(v, 1))
		}
	}
	slices.Sort(numbers)
	number := func(i int) *big.Rat { return big.NewRat(numbers[i], 1) }
	switch c.Measure {
	case window.Events:
		return big.NewRat(int64(len(events)), 1), true
	case window.Values:
		return big.NewRat(int64(len(distinct)), 1), true
	case window.Rules:
		return big.NewRat(int64(len(inputs)), 1), true
	case window.OrderedRules:
		return big.NewRat(int64(longest(inputs, events)), 1), true
	case window.Sum:
		return sum, true
	case window.Average:
		if len(numbers) == 0 {
			return nil, false
		}
		return sum.Quo(sum, big.NewRat(int64(len(numbers)), 1)), true
	default: // Percentile
		if len(numbers) == 0 {
			return nil, false
		}
		rank := big.NewRat(int64(c.Percentile)*int64(len(numbers)-1), 100)
		low := int(new(big.Int).Quo(rank.Num(), rank.Denom()).Int64())
		value := number(low)
		if low+1 < len(numbers) {
			part := rank.Sub(rank, big.NewRat(int64(low), 1))
			value.Add(value, part.Mul(part, new(big.Rat).Sub(number(low+1), number(low))))
		}
		return value, true
	}
}

// longest tries every subset of the inputs in ascending order.
func longest(inputs map[int]bool, events []window.Event) (most int) {
	var all []int
	for input := range 64 {
		if inputs[input] {
			all = append(all, input)
		}
	}
	for subset := range 1 << len(all) {
		var steps []int
		for i, input := range all {
			if subset>>i&1 == 1 {
				steps = append(steps, input)
			}
		}
		if len(steps) > most && occurs(steps, events, nil, 0) {
			most = len(steps)
		}
	}
	return most
}

// episodes reads the episodes of a group through its exported API.
func episodes(g *window.Group) []episode {
	var found []episode
	for e := range g.Episodes() {
		found = append(found, episode{
			First:   e.First().Time,
			Last:    e.Last().Time,
			Events:  ids(e.Events()),
			Holding: ids(e.Holding()),
			Open:    e.Open,
		})
	}
	return found
}

func ids(events func(func(window.Event) bool)) []string {
	var all []string
	for e := range events {
		all = append(all, e.ID)
	}
	return all
}
