package window

import (
	"iter"
	"slices"
)

// large is the number of events from which a group keeps an index of its
// identities, and its measure from one judgement to the next. Most groups are
// small, and to go through a few events is cheaper, in memory above all.
const large = 96

// Group is the sequence of events of one correlation for one set of group-by
// values. It is not safe for concurrent use, not even by calls that only read:
// what was inserted is judged when somebody looks. The zero value is not usable;
// use [New] or [Definition.NewGroup].
type Group struct {
	sequence
	touched touched // since the windows were judged
	measure measure // nil while the group is small
	// index has all identities; nil while the group is small, or of a chain,
	// which knows them.
	index  *table[fingerprint]
	newest uint64
	// forgotten is the latest time of an event that was forgotten, or none.
	forgotten int64
	// oldest is a lower bound of stored, of the entries and of what is gone, so
	// that a call of Forget that has nothing to do costs nothing.
	oldest int64
	link   *link // to its chain; nil if there is none
	// front says that there is a gap before the first entry. What it is does not
	// matter: where in it a late event belongs is unknown, and a run that is
	// continued does less harm than one that seems to begin.
	front bool
	dirty bool
}

// Len returns the number of events that the group remembers.
func (g *Group) Len() int { return g.len() }

// Size returns how much the group remembers: its events, and the values of each.
// What these take in memory is in proportion to it; what the group itself takes is
// beside that, see [SizeOfGroup].
func (g *Group) Size() int { return g.len() + int(g.values) }

// Newest returns the highest Seq that the group was ever given, repeats
// included. A group of a chain is given what touches it: an event that does
// not itself count for the group may make others count.
func (g *Group) Newest() uint64 { return g.newest }

// Oldest returns a time before which no remembered event was stored, nor one
// that is gone: a call of Forget with at most this time does nothing.
func (g *Group) Oldest() int64 { return g.oldest }

// Forgotten returns the latest time of an event that was forgotten, and whether
// there is one.
func (g *Group) Forgotten() (time int64, ok bool) { return g.forgotten, g.forgotten != none }

// Dirty reports whether an insertion since the last call of Settle may have
// changed an episode. An insertion that leaves all episodes as they were and
// merely adds an event at another time than theirs does not make a group dirty.
func (g *Group) Dirty() bool {
	g.judge()
	return g.dirty
}

// Settle declares that the episodes as they are now have been acted on.
func (g *Group) Settle() {
	g.judge()
	g.dirty = false
}

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
// Inserting costs a binary search, and moving a few hundred later events. The
// windows that the event falls into are judged when somebody looks, once for all
// insertions until then; at the end of a group it is its own alone. What that
// costs is told in the package documentation.
func (g *Group) Insert(e Event) bool {
	g.newest = max(g.newest, e.Seq)
	e.Inputs, e.Values = g.condition.Measure.trim(e.Inputs, e.Values)
	i, known := g.find(e.Time, e.ID)
	if !known && (g.index == nil || g.index.has(fingerprintOf(e.ID))) {
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
	e.Inputs, e.Values = g.condition.Measure.unite(is.Inputs, is.Values, e.Inputs, e.Values)
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
		g.change(e.Time, func() {
			g.removing(i)
			g.recount(g.entries.at(i), e)
			g.inserted(i)
		})
		g.entries.at(i).setStored(e.Stored)
		return true
	}
	g.entries.at(i).setStored(e.Stored)
	return false
}

// change does something to an event at a time, and remembers which windows it
// matters to. Where something has been forgotten, what verdict a window has
// depends on those before, and nothing is put off.
func (g *Group) change(time int64, do func()) {
	near := g.forgotten != none && time-g.forgotten <= g.timespan
	if near {
		g.judge()
	}
	do()
	g.touched.add(g.onwards(time))
	if near || len(g.touched) >= touchedMost {
		g.judge()
	}
}

// insert puts an event that is not in the group at position i.
func (g *Group) insert(i int, e Event) {
	g.change(e.Time, func() {
		g.oldest = min(g.oldest, e.Stored)
		g.put(i, e)
		g.adopt(i)
		g.remember(e.ID)
		g.inserted(i)
	})
}

// adopt gives a new event its place in what has been forgotten around it.
func (g *Group) adopt(i int) {
	n := g.entries.at(i)
	if g.forgotten == none || n.time-g.forgotten > g.timespan {
		return
	}
	gap := g.front
	if i > 0 {
		gap = g.entries.at(i - 1).is(gaps)
	}
	if gap && n.time <= g.forgotten {
		n.set(gapHeld, true) // on which side of it the gap was is forgotten, too
	}
	if i == 0 || i == g.len()-1 {
		return
	}
	// What has been forgotten may have been in the window of the event, too.
	// Without it, the event would seem to interrupt what its neighbours agree on.
	p, s := g.entries.at(i-1), g.entries.at(i+1)
	inRun := p.is(gapHeld) && !p.is(gapBroke) && p.is(holds)
	inSight := !p.is(gaps) && n.time-p.time <= g.timespan && (p.is(lost) || s.is(lost))
	if p.is(holds) == s.is(holds) && (inRun || inSight) {
		n.set(lost, true)
		n.set(holds, p.is(holds))
		if p.is(holds) {
			g.link.flipped(g.event(i).ID)
		}
	}
}

// remove takes out the event at position i as if it had never been there.
func (g *Group) remove(i int) Event {
	e := g.event(i)
	g.change(e.Time, func() {
		n := *g.entries.at(i)
		g.removing(i)
		if g.index != nil {
			g.index.drop(fingerprintOf(e.ID))
		}
		g.take(i)
		if i > 0 {
			p := g.entries.at(i - 1)
			p.set(n.flags&gaps, true)
			g.dirty = g.dirty || p.is(holds)
		} else {
			g.front = g.front || n.is(gaps)
		}
		if n.is(holds) {
			g.dirty = true
			g.link.flipped(e.ID)
		}
	})
	return e
}

// remember puts the identity of an event that has come into the index.
func (g *Group) remember(id string) {
	if g.index != nil {
		g.index.add(fingerprintOf(id))
	} else {
		g.reindex()
	}
}

// reindex makes an index if the group should have one.
func (g *Group) reindex() {
	if g.len() < large || g.link != nil {
		return
	}
	g.index = &table[fingerprint]{}
	for e := range g.Events() {
		g.index.add(fingerprintOf(e.ID))
	}
}

func (g *Group) inserted(i int) {
	if g.measure != nil {
		g.measure.inserted(&g.sequence, i)
	}
}

func (g *Group) removing(i int) {
	if g.measure != nil {
		g.measure.removing(&g.sequence, i)
	}
}

// judge brings the verdicts on all windows up to date that were touched since
// it was called last.
func (g *Group) judge() {
	if len(g.touched) == 0 {
		return
	}
	m := g.measure
	if m == nil {
		m = newMeasure(g.definition)
	}
	for _, t := range g.touched.merge() {
		// An event that does not hold matters if it ends or divides a run; one
		// that holds always does.
		if i, to := g.within(t); 0 < i && i < to && g.entries.at(i-1).is(holds) {
			g.dirty = true
		}
		m.judge(&g.sequence, t, g.say)
	}
	if g.touched = g.touched[:0]; cap(g.touched) > 1 {
		g.touched = nil
	}
	if g.measure = nil; g.len() >= large {
		g.measure = m
	}
}

// say notes the verdict on the window that ends at position i. A verdict on a
// window that has lost events stays, unless it is certain without them.
func (g *Group) say(i int, v verdict) {
	n := g.entries.at(i)
	held := n.is(holds)
	if !n.is(lost) || v.final {
		n.set(holds, v.holds)
	}
	if held || n.is(holds) {
		g.dirty = true
	}
	if held != n.is(holds) && g.link != nil {
		g.link.flipped(g.event(i).ID)
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
	g.judge()
	var (
		before  = g.len()
		last    *entry // of those that stay
		dropped = none // time of the last one that does not
		oldest  = g.link.forget(cutoff)
	)
	// No entry moves while it is decided which stay.
	g.filter(func(n *entry) bool {
		if n.storedAt() < cutoff {
			if last != nil {
				last.flags |= n.flags & gaps
				if n.is(holds) {
					last.flags |= gapHeld
				} else {
					last.flags |= gapBroke
				}
			} else {
				g.front = true
			}
			dropped = n.time
			g.forgotten = max(g.forgotten, n.time)
			return false
		}
		if dropped != none && n.time-dropped <= g.timespan {
			n.set(lost, true)
		}
		oldest = min(oldest, n.storedAt())
		last = n
		return true
	})
	g.oldest = oldest
	if g.len() == before {
		return
	}
	g.measure = nil // its positions are others now
	g.index = nil
	g.reindex()
}

// Has reports whether the group remembers an event with this identity. It looks
// at every event, unless it is a large group that has none like it.
func (g *Group) Has(id string) bool {
	if g.index != nil && !g.index.has(fingerprintOf(id)) {
		return false
	}
	return g.scan(id) >= 0
}

// scan returns the position of an identity, or -1. Only small groups and
// identities that changed their time come here.
func (g *Group) scan(id string) int {
	key, packed := pack(id)
	for i := range g.len() {
		if g.aside.is(&g.entries.at(i).id, key, packed, id) {
			return i
		}
	}
	return -1
}

// Events returns all remembered events in order.
func (g *Group) Events() iter.Seq[Event] { return g.between(0, g.len()) }
