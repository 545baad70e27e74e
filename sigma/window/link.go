package window

import (
	"iter"
	"maps"
	"math"
	"slices"
)

// link is what a group of a chain tells the chain, and remembers of what the
// chain took out again.
type link struct {
	// flips are the identities of the events at which the condition began or
	// ceased to hold since the chain asked, some of them several times.
	flips []string
	gone  map[string]Event
	key   string // of the group in its level
}

func (l *link) flipped(id string) {
	if l != nil {
		l.flips = append(l.flips, id)
	}
}

// forget drops what is gone and was stored before cutoff, and returns when the
// oldest of the rest was.
func (l *link) forget(cutoff int64) int64 {
	oldest := int64(math.MaxInt64)
	if l == nil {
		return oldest
	}
	maps.DeleteFunc(l.gone, func(_ string, e Event) bool {
		if e.Stored < cutoff {
			return true
		}
		oldest = min(oldest, e.Stored)
		return false
	})
	return oldest
}

// renew makes an event that is gone as young as its last arrival, and reports
// whether there is one.
func (l *link) renew(id string, stored int64) bool {
	e, ok := l.gone[id]
	if ok {
		e.Stored = stored
		l.gone[id] = e
	}
	return ok
}

// Gone returns the events that a chain took out of the group again, since the
// condition at a level inside ceased to hold there, in order. They are as they
// were when they were taken out, and forgotten like all others. A group that
// is not of a chain has none.
func (g *Group) Gone() iter.Seq[Event] {
	if g.link == nil {
		return func(func(Event) bool) {}
	}
	return slices.Values(slices.SortedFunc(maps.Values(g.link.gone), Event.Compare))
}
