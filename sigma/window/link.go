package window

import (
	"iter"
	"math"
)

// link is what a group of a chain tells the chain, and remembers of what the
// chain took out again.
type link struct {
	// flips are the identities of the events at which the condition began or
	// ceased to hold since the chain asked, some of them several times.
	flips []string
	gone  *sequence // nil while nothing is
}

func (l *link) flipped(id string) {
	if l != nil {
		l.flips = append(l.flips, id)
	}
}

// leave notes that an event is gone.
func (l *link) leave(d *definition, e Event) {
	if l.gone == nil {
		l.gone = &sequence{definition: d}
	}
	i, _ := l.gone.find(e.Time, e.ID)
	l.gone.put(i, e)
}

// back takes back that an event is gone, if it is, and returns it.
func (l *link) back(time int64, id string) (e Event, was bool) {
	if l.gone == nil {
		return e, false
	}
	i, was := l.gone.find(time, id)
	if was {
		e = l.gone.event(i)
		l.gone.take(i)
	}
	return e, was
}

// renew makes an event that is gone as young as its last arrival, and reports
// whether there is one.
func (l *link) renew(time int64, id string, stored int64) bool {
	if l.gone == nil {
		return false
	}
	i, was := l.gone.find(time, id)
	if was {
		l.gone.entries.at(i).setStored(stored)
	}
	return was
}

// forget drops what is gone and was stored before cutoff, and returns when the
// oldest of the rest was.
func (l *link) forget(cutoff int64) int64 {
	oldest := int64(math.MaxInt64)
	if l == nil || l.gone == nil {
		return oldest
	}
	l.gone.filter(func(n *entry) bool {
		if n.storedAt() < cutoff {
			return false
		}
		oldest = min(oldest, n.storedAt())
		return true
	})
	if l.gone.len() == 0 {
		l.gone = nil
	}
	return oldest
}

// Gone returns the events that a chain took out of the group again, since the
// condition at a level inside ceased to hold there, in order. But for the times
// at which they happened and were stored, they are as they were when they were
// taken out, and forgotten like all others. A group that is not of a chain has
// none.
func (g *Group) Gone() iter.Seq[Event] {
	if g.link == nil || g.link.gone == nil {
		return func(func(Event) bool) {}
	}
	return g.link.gone.between(0, g.link.gone.len())
}
