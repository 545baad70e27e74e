package window

import "iter"

// Episode is a maximal run of consecutive events of a group at which the
// condition holds, with the events of their windows. It is a view of its
// group, valid until the group is changed.
type Episode struct {
	group *Group
	// Contributing events are [start, end), holding ones [held, end).
	start, held, end int
	// Open says that no later event of the group fails to hold.
	Open bool
	// Cut says that what ended the run has been forgotten, or some of it.
	Cut bool
}

// Len returns the number of contributing events.
func (e Episode) Len() int { return e.end - e.start }

// First returns the earliest contributing event.
func (e Episode) First() Event { return e.group.event(e.start) }

// FirstHeld returns the first event at which the condition holds.
func (e Episode) FirstHeld() Event { return e.group.event(e.held) }

// Last returns the last event at which the condition holds, which is also the
// last contributing one.
func (e Episode) Last() Event { return e.group.event(e.end - 1) }

// Event returns the contributing event number i in order, counted from 0. It
// panics if i is not below Len.
func (e Episode) Event(i int) Event {
	if i < 0 || i >= e.Len() {
		panic("window: event out of the episode")
	}
	return e.group.event(e.start + i)
}

// Events returns the contributing events in order.
func (e Episode) Events() iter.Seq[Event] { return e.group.between(e.start, e.end) }

// Holding returns the events at which the condition holds, in order.
func (e Episode) Holding() iter.Seq[Event] { return e.group.between(e.held, e.end) }

// Anchor returns the holding event that arrived first: the one that the
// episode was first known by.
func (e Episode) Anchor() Event {
	first, from := e.held, e.group.entries.at(e.held)
	for i := e.held + 1; i < e.end; i++ {
		if n := e.group.entries.at(i); n.seq < from.seq || n.seq == from.seq && n.index < from.index {
			first, from = i, n
		}
	}
	return e.group.event(first)
}

// Episodes returns the episodes of the group in order. Their runs do not
// overlap; their contributing events may.
func (g *Group) Episodes() iter.Seq[Episode] {
	return func(yield func(Episode) bool) {
		g.judge()
		for i := 0; i < g.len(); {
			if !g.entries.at(i).is(holds) {
				i++
				continue
			}
			held := i
			for !g.entries.at(i).is(gapBroke) && i+1 < g.len() && g.entries.at(i+1).is(holds) {
				i++
			}
			cut := g.entries.at(i).is(gapBroke)
			open := i == g.len()-1 && !cut
			i++
			start := g.start(held)
			if !yield(Episode{group: g, start: start, held: held, end: i, Open: open, Cut: cut}) {
				return
			}
		}
	}
}
