package window

import (
	"hash/maphash"
	"iter"
	"math"
	"slices"
)

// indexFrom is the number of events from which a group keeps an index of its
// identities. Most groups are small, and to scan a few events is cheaper than
// a map, in memory above all.
const indexFrom = 32

// seed is shared by all groups; identities are hashed for look-up only, so
// that another process may hash differently.
var seed = maphash.MakeSeed()

// Group is the sequence of events of one correlation for one set of group-by
// values. It is not safe for concurrent use. The zero value is not usable; use
// [New].
type Group struct {
	sequence
	measure measure

	// identities holds the hashes of all IDs; nil while the group is small.
	identities map[uint64]struct{}
	values     int // of all events
	newest     uint64
	// front is the gap before the first entry. It is never gapBroke: where in
	// the gap a late event belongs is unknown, and a run that is continued
	// does less harm than one that seems to begin.
	front  gap
	counts Measure // what of an event counts
	dirty  bool
	// forgotten is the latest time of an event that was forgotten, or none.
	forgotten int64
	// oldest is a lower bound of stored, of the entries and of what is gone, so
	// that a call of Forget that has nothing to do costs nothing.
	oldest int64
	link   *link // to its chain; nil if there is none
}

// New returns an empty group whose windows are timespan milliseconds long,
// both ends included. At an event the condition is tested on the window that
// ends there. Its slices must not be changed. New panics if the condition has
// an operator or a measure that does not exist.
func New(timespan int64, c Condition) *Group {
	return &Group{sequence: sequence{timespan: timespan}, counts: c.Measure, measure: newMeasure(&c), forgotten: none, oldest: math.MaxInt64}
}

// Len returns the number of events that the group remembers.
func (g *Group) Len() int { return g.len() }

// Size returns how much the group remembers: its events, and the values of each.
// What it takes in memory is in proportion to it; an event may have many values.
func (g *Group) Size() int { return g.len() + g.values }

// Newest returns the highest Seq that the group was ever given, repeats
// included. A group of a chain is given what touches it: an event that does
// not itself count for the group may make others count.
func (g *Group) Newest() uint64 { return g.newest }

// Oldest returns a time before which no remembered event was stored, nor one
// that is gone: a call of Forget with at most this time does nothing.
func (g *Group) Oldest() int64 { return g.oldest }

// Dirty reports whether an insertion since the last call of Settle may have
// changed an episode. An insertion that leaves all episodes as they were and
// merely adds an event outside of them does not make a group dirty.
func (g *Group) Dirty() bool { return g.dirty }

// Settle declares that the episodes as they are now have been acted on.
func (g *Group) Settle() { g.dirty = false }

// Insert adds an event and reports whether the group changed.
//
// An identity that is already there counts once. If it comes with another
// time, the earliest of its times is its time. If it stands for other inputs,
// it stands for the inputs of both; if it has other values, the measure Values
// counts those of both, and the others take the greater of the two lists, in
// order, number by number. So the order of arrival does not matter, and only
// in these cases a repeat changes the group. A repeat renews how long its event
// is remembered: an event is as young as its last arrival. For everything else
// the first arrival speaks.
//
// Inserting costs a binary search, as many steps as there are windows that the
// event falls into, and moving a few hundred later events. At the end of a
// group no other window contains it. What a measure costs beside that is told
// in the package documentation.
func (g *Group) Insert(e Event) bool {
	g.newest = max(g.newest, e.Seq)
	e.Inputs, e.Values = g.counts.trim(e.Inputs, e.Values)
	i, known := g.find(e.Time, e.ID)
	if !known && g.Has(e.ID) {
		if k := g.scan(e.ID); k >= 0 {
			i, known = k, true
		}
	}
	if !known {
		g.insert(i, e)
		return true
	}
	is := g.event(i)
	// It is read again where its time comes from, and keeps its arrival.
	if e.Time >= is.Time {
		e.Time, e.Evidence = is.Time, is.Evidence
	}
	e.Seq, e.Index, e.Stored = is.Seq, is.Index, max(is.Stored, e.Stored)
	e.Inputs, e.Values = g.counts.unite(is.Inputs, is.Values, e.Inputs, e.Values)
	return g.replace(i, is, e)
}

// replace makes the event at position i another one with the same identity,
// and reports whether the group changed.
func (g *Group) replace(i int, is, e Event) bool {
	switch {
	case e.Time != is.Time:
		g.remove(i)
		i, _ = g.find(e.Time, e.ID)
		g.insert(i, e)
		return true
	case e.Inputs != is.Inputs || !slices.Equal(e.Values, is.Values):
		n := *g.entries.at(i)
		n.stored = e.Stored
		g.entries.remove(i)
		g.measure.remove(&g.sequence, i, is)
		g.entries.insert(i, n)
		g.measure.insert(&g.sequence, i, e)
		g.values += len(e.Values) - len(is.Values)
		g.judgeFrom(i, e.Time)
		return true
	}
	g.entries.at(i).stored = e.Stored
	return false
}

// insert puts an event that is not in the group at position i and brings the
// verdicts on the windows up to date that it falls into.
func (g *Group) insert(i int, e Event) {
	n := entryOf(e)
	before := g.front
	if i > 0 {
		before = g.entries.at(i - 1).gap
	}
	if before != 0 && e.Time <= g.forgotten {
		n.gap = gapHeld // on which side of e it was is forgotten, too
	}
	if i > 0 && i < g.len() && g.forgotten != none && e.Time-g.forgotten <= g.timespan {
		// What has been forgotten may have been in the window of e, too.
		// Without it, e would seem to interrupt what its neighbours agree on.
		p, s := g.entries.at(i-1), g.entries.at(i)
		inRun := before == gapHeld && p.holds
		inSight := before == 0 && e.Time-p.time <= g.timespan && (p.lost || s.lost)
		if p.holds == s.holds && (inRun || inSight) {
			n.holds, n.lost = p.holds, true
		}
	}
	g.oldest = min(g.oldest, e.Stored)
	g.entries.insert(i, n)
	g.remember(e.ID)
	g.measure.insert(&g.sequence, i, e)
	g.values += len(e.Values)

	g.judge(i)
	// An event that does not hold matters if it ends or divides a run; one
	// that holds always does.
	if i > 0 && g.entries.at(i-1).holds {
		g.dirty = true
	}
	if n.holds && g.entries.at(i).holds {
		g.link.flipped(e.ID)
	}
	g.judgeFrom(i+1, e.Time)
}

// remove takes out the event at position i as if it had never been there.
func (g *Group) remove(i int) Event {
	e, n := g.event(i), *g.entries.at(i)
	g.entries.remove(i)
	g.dropIdentity(e.ID)
	g.measure.remove(&g.sequence, i, e)
	g.values -= len(e.Values)
	if i > 0 {
		p := g.entries.at(i - 1)
		p.gap = max(p.gap, n.gap)
		g.dirty = g.dirty || p.holds
	} else if n.gap != 0 {
		g.front = gapHeld
	}
	if n.holds {
		g.dirty = true
		g.link.flipped(e.ID)
	}
	g.judgeFrom(i, e.Time)
	return e
}

// judgeFrom brings the verdicts on the windows up to date that contain time,
// from position j on.
func (g *Group) judgeFrom(j int, time int64) {
	for ; g.reaches(time, j); j++ {
		g.judge(j)
	}
}

// judge tests the window that ends at j. A verdict on a window that has lost
// events stays, unless it is certain without them.
func (g *Group) judge(j int) {
	v := g.measure.verdict(&g.sequence, j)
	n := g.entries.at(j)
	held := n.holds
	if !n.lost || v.final {
		n.holds = v.holds
	}
	if held || n.holds {
		g.dirty = true
	}
	if held != n.holds {
		g.link.flipped(n.id)
	}
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
	if cutoff <= g.oldest {
		return
	}
	var (
		keep    = make([]bool, g.len())
		kept    int
		last    *entry // of those that stay
		dropped *entry // the last one
		oldest  = g.link.forget(cutoff)
	)
	for i := range keep {
		n := g.entries.at(i)
		if n.stored < cutoff {
			g.dropIdentity(n.id)
			g.values -= len(g.event(i).Values)
			left := gapHeld
			if !n.holds {
				left = gapBroke
			}
			if last != nil {
				last.gap = max(last.gap, n.gap, left)
			} else {
				g.front = gapHeld
			}
			dropped = n
			g.forgotten = max(g.forgotten, n.time)
			continue
		}
		if dropped != nil && n.time-dropped.time <= g.timespan {
			n.lost = true
		}
		oldest = min(oldest, n.stored)
		keep[i], last = true, n
		kept++
	}
	g.oldest = oldest
	if kept == len(keep) {
		return
	}
	stays := func(i int) bool { return keep[i] }
	g.entries.filter(stays)
	g.measure.forget(&g.sequence, stays)
	if kept < indexFrom/2 {
		g.identities = nil
	}
}

// Has reports whether the group remembers an event with this identity. In a
// large group it goes by a 64-bit hash.
func (g *Group) Has(id string) bool {
	if g.identities != nil {
		_, ok := g.identities[maphash.String(seed, id)]
		return ok
	}
	return g.scan(id) >= 0
}

// find returns where an event with this time and identity is, or belongs.
func (g *Group) find(time int64, id string) (i int, known bool) {
	i = g.position(time, id)
	return i, i < g.len() && g.time(i) == time && g.entries.at(i).id == id
}

// scan returns the position of an identity, or -1. Only small groups and
// identities that changed their time come here.
func (g *Group) scan(id string) int {
	for i := range g.len() {
		if g.entries.at(i).id == id {
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
	if g.len() < indexFrom {
		return
	}
	g.identities = make(map[uint64]struct{}, 2*indexFrom)
	for i := range g.len() {
		g.identities[maphash.String(seed, g.entries.at(i).id)] = struct{}{}
	}
}

func (g *Group) dropIdentity(id string) {
	if g.identities != nil {
		delete(g.identities, maphash.String(seed, id))
	}
}

func (g *Group) event(i int) Event {
	e := g.entries.at(i).event()
	g.measure.complete(i, &e)
	return e
}

// Events returns all remembered events in order.
func (g *Group) Events() iter.Seq[Event] { return g.between(0, g.len()) }

func (g *Group) between(from, to int) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for i := from; i < to; i++ {
			if !yield(g.event(i)) {
				return
			}
		}
	}
}
