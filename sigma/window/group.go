package window

import (
	"hash/maphash"
	"iter"
	"sort"
)

// indexFrom is the number of events from which a group keeps an index of its
// identities. Most groups are small, and to scan a few events is cheaper than
// a map, in memory above all.
const indexFrom = 32

// seed is shared by all groups; identities are hashed for look-up only, so
// that another process may hash differently.
var seed = maphash.MakeSeed()

// entry is an event with what is known of the window that ends at it.
type entry struct {
	Event
	// present is the number of events in the window, this one included.
	present int32
	// measure is what the condition is tested on: the highest that present
	// ever was. It is above present once events have been forgotten. To count
	// the forgotten ones on top of later ones would count an identity twice
	// that is forgotten and arrives again.
	measure int32
	holds   bool
	gap     gap
}

// gap says what has been forgotten between an event and its successor: nothing,
// or, of several events, the greatest gap.
type gap uint8

const (
	// gapHeld: events that held. A run that reached across still does.
	gapHeld gap = iota + 1
	// gapBroke: an event that did not hold. No run reaches across.
	gapBroke
)

// Group is the sequence of events of one correlation for one set of group-by
// values. It is not safe for concurrent use. The zero value is not usable; use
// [New].
type Group struct {
	timespan int64
	holds    func(count int) bool

	entries []entry // ordered by (Time, ID)
	// identities holds the hashes of all IDs; nil while the group is small.
	identities map[uint64]struct{}
	newest     uint64
	// front is the gap before the first entry. It is never gapBroke: where in
	// the gap a late event belongs is unknown, and a run that is continued
	// does less harm than one that seems to begin.
	front gap
	// oldest is a lower bound of the entries' Stored, so that a call of Forget
	// that has nothing to do costs nothing.
	oldest int64
	dirty  bool
}

// New returns an empty group whose windows are timespan milliseconds long,
// both ends included, and whose condition holds at an event if holds returns
// true for the number of events in the window that ends there. holds must be
// pure: it is called in no particular order.
func New(timespan int64, holds func(count int) bool) *Group {
	return &Group{timespan: timespan, holds: holds}
}

// Len returns the number of events that the group remembers.
func (g *Group) Len() int { return len(g.entries) }

// Newest returns the highest Seq that the group was ever given, repeats
// included.
func (g *Group) Newest() uint64 { return g.newest }

// Oldest returns a time before which no remembered event was stored: a call of
// Forget with at most this time does nothing.
func (g *Group) Oldest() int64 { return g.oldest }

// Dirty reports whether an insertion since the last call of Settle may have
// changed an episode. An insertion that leaves all episodes as they were and
// merely adds an event outside of them does not make a group dirty.
func (g *Group) Dirty() bool { return g.dirty }

// Settle declares that the episodes as they are now have been acted on.
func (g *Group) Settle() { g.dirty = false }

// Insert adds an event and reports whether the group changed.
//
// An identity that is already there counts once, whatever it comes with. If it
// comes with another time, the earliest of its times is its time, so that the
// order of arrival does not matter; only then a repeat changes the group. A
// repeat renews how long its event is remembered: an event is as young as its
// last arrival. For everything else the first arrival speaks.
//
// Inserting at the end costs a binary search. Inserting elsewhere also costs
// as many steps as there are windows that the event falls into, and moving the
// later events.
func (g *Group) Insert(e Event) bool {
	g.newest = max(g.newest, e.Seq)
	i := g.position(e.Time, e.ID)
	if i < len(g.entries) && g.entries[i].Time == e.Time && g.entries[i].ID == e.ID {
		g.renew(i, e.Stored)
		return false
	}
	if g.has(e.ID) {
		if k := g.find(e.ID); k >= 0 {
			if g.entries[k].Time < e.Time {
				g.renew(k, e.Stored)
				return false
			}
			known := g.entries[k].Event
			g.remove(k)
			// The event was here before under a later time: it keeps its
			// arrival, and is read again where its time comes from.
			e.Seq, e.Index = known.Seq, known.Index
			e.Stored = max(e.Stored, known.Stored)
			i = g.position(e.Time, e.ID)
		}
	}
	g.insert(i, e)
	return true
}

func (g *Group) renew(i int, stored int64) {
	g.entries[i].Stored = max(g.entries[i].Stored, stored)
}

// insert puts an event that is not in the group at position i and brings the
// windows up to date that it falls into.
func (g *Group) insert(i int, e Event) {
	n := entry{Event: e}
	n.present = int32(i-g.start(e.Time, i)) + 1
	n.measure = n.present
	before := g.front
	if i > 0 {
		before = g.entries[i-1].gap
	}
	if before != 0 {
		n.gap = gapHeld // on which side of e it was is forgotten, too
	}
	if i < len(g.entries) {
		// What its successor saw of the events before it is inside the window
		// of e as well, and the successor itself makes up for e. This matters
		// when some of them have been forgotten: without them, e would seem to
		// interrupt a run that it belongs to.
		s := g.entries[i]
		inRun := before == gapHeld && i > 0 && g.entries[i-1].holds && s.holds
		if inRun || s.Time-e.Time <= g.timespan {
			n.measure = max(n.measure, s.measure)
		}
	}
	n.holds = g.holds(int(n.measure))

	if len(g.entries) == 0 || e.Stored < g.oldest {
		g.oldest = e.Stored
	}
	g.entries = append(g.entries, entry{})
	copy(g.entries[i+1:], g.entries[i:])
	g.entries[i] = n
	g.remember(e.ID)

	// An event that does not hold matters if it ends or divides a run; one
	// that holds always does.
	if n.holds || i > 0 && g.entries[i-1].holds {
		g.dirty = true
	}
	for j := i + 1; j < len(g.entries) && g.entries[j].Time-e.Time <= g.timespan; j++ {
		g.remeasure(j, 1)
	}
}

// remove takes out the event at position i as if it had never been there.
func (g *Group) remove(i int) {
	e := g.entries[i]
	g.entries = append(g.entries[:i], g.entries[i+1:]...)
	g.dropIdentity(e.ID)
	if e.holds || i > 0 && g.entries[i-1].holds {
		g.dirty = true
	}
	for j := i; j < len(g.entries) && g.entries[j].Time-e.Time <= g.timespan; j++ {
		g.remeasure(j, -1)
	}
}

// remeasure adds d events to the window that ends at j.
func (g *Group) remeasure(j int, d int32) {
	n := &g.entries[j]
	held := n.holds
	if d < 0 && n.measure == n.present {
		n.measure += d
	}
	n.present += d
	n.measure = max(n.measure, n.present)
	n.holds = g.holds(int(n.measure))
	if held || n.holds {
		g.dirty = true
	}
}

// position returns where an event with this time and identity is, or belongs.
func (g *Group) position(time int64, id string) int {
	before := func(n *entry) bool { return n.Time < time || n.Time == time && n.ID < id }
	// Most events come in order.
	if last := len(g.entries) - 1; last < 0 || before(&g.entries[last]) {
		return last + 1
	}
	return sort.Search(len(g.entries), func(i int) bool { return !before(&g.entries[i]) })
}

// start returns the position of the first event of a window that ends at time,
// looking at the events before position end only.
func (g *Group) start(time int64, end int) int {
	return sort.Search(end, func(i int) bool { return time-g.entries[i].Time <= g.timespan })
}

// Forget drops the events that the log stored before cutoff, in milliseconds
// since the Unix epoch. The episodes that remain are what is left of the same
// episodes: no run is divided, joined, or opened again by it.
//
// Act on the episodes of a dirty group before it forgets, or an episode may be
// gone before anybody has seen it. One call costs a pass over the group if it
// has something to drop, and nothing otherwise: advance cutoff in steps of the
// log's time, such as whole minutes, which is as deterministic as the log.
func (g *Group) Forget(cutoff int64) {
	if cutoff <= g.oldest || len(g.entries) == 0 {
		return
	}
	oldest := int64(0)
	kept := g.entries[:0]
	for _, n := range g.entries {
		if n.Stored < cutoff {
			g.dropIdentity(n.ID)
			left := gapHeld
			if !n.holds {
				left = gapBroke
			}
			if p := len(kept) - 1; p >= 0 {
				kept[p].gap = max(kept[p].gap, n.gap, left)
			} else {
				g.front = gapHeld
			}
			continue
		}
		if len(kept) == 0 || n.Stored < oldest {
			oldest = n.Stored
		}
		kept = append(kept, n)
	}
	clear(g.entries[len(kept):]) // let go of the identities
	g.entries = kept
	g.oldest = oldest
	for i, start := 0, 0; i < len(kept); i++ {
		for kept[i].Time-kept[start].Time > g.timespan {
			start++
		}
		kept[i].present = int32(i-start) + 1
	}
	if cap(kept) > 4*len(kept) {
		g.entries = append(make([]entry, 0, len(kept)), kept...)
	}
	if len(kept) < indexFrom/2 {
		g.identities = nil
	}
}

// Has reports whether the group remembers an event with this identity. In a
// large group it goes by a 64-bit hash.
func (g *Group) Has(id string) bool { return g.has(id) }

func (g *Group) has(id string) bool {
	if g.identities != nil {
		_, ok := g.identities[maphash.String(seed, id)]
		return ok
	}
	return g.find(id) >= 0
}

// find returns the position of an identity, or -1. It is a scan: only small
// groups and identities that changed their time come here.
func (g *Group) find(id string) int {
	for i := range g.entries {
		if g.entries[i].ID == id {
			return i
		}
	}
	return -1
}

func (g *Group) remember(id string) {
	if g.identities != nil {
		g.identities[maphash.String(seed, id)] = struct{}{}
		return
	}
	if len(g.entries) < indexFrom {
		return
	}
	g.identities = make(map[uint64]struct{}, 2*indexFrom)
	for i := range g.entries {
		g.identities[maphash.String(seed, g.entries[i].ID)] = struct{}{}
	}
}

func (g *Group) dropIdentity(id string) {
	if g.identities != nil {
		delete(g.identities, maphash.String(seed, id))
	}
}

// Events returns all remembered events in order.
func (g *Group) Events() iter.Seq[Event] { return g.between(0, len(g.entries)) }

func (g *Group) between(from, to int) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for i := from; i < to; i++ {
			if !yield(g.entries[i].Event) {
				return
			}
		}
	}
}
