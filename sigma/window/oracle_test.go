package window_test

import (
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

// oracle finds the episodes of a set of events in the most obvious way: every
// window is counted by looking at every event.
func oracle(timespan int64, holds func(int) bool, arrived []window.Event) []episode {
	var events []window.Event
	for _, e := range arrived {
		k := slices.IndexFunc(events, func(o window.Event) bool { return o.ID == e.ID })
		switch {
		case k < 0:
			events = append(events, e)
		case e.Time < events[k].Time:
			events[k] = e
		}
	}
	slices.SortFunc(events, window.Event.Compare)

	inWindow := func(i, j int) bool { // event j is in the window that ends at event i
		return j <= i && events[j].Time >= events[i].Time-timespan
	}
	held := make([]bool, len(events))
	for i := range events {
		n := 0
		for j := range events {
			if inWindow(i, j) {
				n++
			}
		}
		held[i] = holds(n)
	}

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
		for j := range events {
			contributes := false
			for h := i; h <= end; h++ {
				contributes = contributes || inWindow(h, j)
			}
			if contributes {
				if len(e.Events) == 0 {
					e.First = events[j].Time
				}
				e.Events = append(e.Events, events[j].ID)
			}
		}
		for h := i; h <= end; h++ {
			e.Holding = append(e.Holding, events[h].ID)
		}
		found = append(found, e)
	}
	return found
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
