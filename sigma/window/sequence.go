package window

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
	"slices"
	"sort"
	"strings"
)

// none stands for no time.
const none = int64(math.MinInt64)

// sequence is the events of a group in order: what a measure sees of it.
type sequence struct {
	*definition
	entries list[entry] // ordered by (time, identity)
	aside   *aside      // nil while every entry has all in place
	values  uint32      // of all events
	// steps is up to which bit there have ever been inputs.
	steps uint8
	// negative says that there has been a value below zero, so that an event
	// may make a sum less.
	negative bool
}

// aside keeps what entries, facts and places have no room for.
type aside struct {
	texts    slots[string]
	lists    slots[[]int64]   // values of entries
	bySource slots[[][]int64] // values of places
}

// put returns an identity that has a slot.
func (a *aside) put(id string) identity {
	n := identity{form: formSlot}
	binary.NativeEndian.PutUint32(n.bytes[:], a.texts.put(strings.Clone(id)))
	return n
}

// text returns an identity as it came. With nothing aside, a may be nil.
func (a *aside) text(n *identity) string {
	if n.form == formSlot {
		return a.texts.at(n.slot())
	}
	return n.text()
}

// is reports whether an identity is a text, which has been packed, or cannot be.
func (a *aside) is(n *identity, key identity, packed bool, text string) bool {
	if packed {
		return *n == key
	}
	return n.form == formSlot && a.texts.at(n.slot()) == text
}

// entry is an event with the verdict on the window that ends at it. It has no
// pointer, so that the garbage collector passes over it.
type entry struct {
	id       identity
	flags    flags
	stored   moment
	time     int64
	seq      uint64
	index    uint32
	record   uint32 // of the evidence
	sequence uint64 // of the evidence
	// counts is the inputs, or the only value, or the slot of all values.
	counts uint64
}

type flags uint8

const (
	holds flags = 1 << iota
	// lost says that an event of the window has been forgotten, or that the
	// verdict was taken over from a neighbour because of what is forgotten.
	lost
	// gapHeld says that events that held have been forgotten between the event
	// and its successor. A run that reached across still does.
	gapHeld
	// gapBroke says that one that did not hold has. No run reaches across.
	gapBroke
	oneValue
	manyValues

	gaps      = gapHeld | gapBroke
	anyValues = oneValue | manyValues
)

func (n *entry) is(f flags) bool { return n.flags&f != 0 }

func (n *entry) set(f flags, is bool) {
	n.flags &^= f
	if is {
		n.flags |= f
	}
}

func (n *entry) storedAt() int64    { return n.stored.at() }
func (n *entry) setStored(at int64) { n.stored = momentOf(at) }

// moment is milliseconds since the Unix epoch in 6 bytes, which is enough for
// 4,000 years.
type moment [6]byte

func momentOf(at int64) (m moment) {
	for i := range m {
		m[i] = byte(at >> (8 * i))
	}
	return m
}

func (m *moment) at() int64 {
	return int64(m[0]) | int64(m[1])<<8 | int64(m[2])<<16 | int64(m[3])<<24 | int64(m[4])<<32 | int64(int8(m[5]))<<40
}

// put adds an event at position i.
func (s *sequence) put(i int, e Event) {
	n := entry{
		time: e.Time, seq: e.Seq, index: e.Index,
		sequence: e.Evidence.Sequence, record: e.Evidence.Record,
	}
	n.setStored(e.Stored)
	var packed bool
	if n.id, packed = pack(e.ID); !packed {
		n.id = s.beside().put(e.ID)
	}
	s.setCounts(&n, e)
	s.entries.insert(i, n)
}

// take removes the event at position i.
func (s *sequence) take(i int) {
	n := s.entries.at(i)
	s.release(n)
	s.entries.remove(i)
}

// filter keeps the events for which keep is true, having asked for all.
func (s *sequence) filter(keep func(n *entry) bool) {
	kept := make([]bool, s.len())
	for i := range kept {
		if kept[i] = keep(s.entries.at(i)); !kept[i] {
			s.release(s.entries.at(i))
		}
	}
	if slices.Contains(kept, false) {
		s.entries.filter(func(i int) bool { return kept[i] })
	}
}

// release gives up what an entry has aside.
func (s *sequence) release(n *entry) {
	if n.id.form == formSlot {
		s.aside.texts.drop(n.id.slot())
	}
	s.dropCounts(n)
}

// setCounts notes what an event counts for.
func (s *sequence) setCounts(n *entry, e Event) {
	n.counts = e.Inputs
	s.steps = max(s.steps, uint8(bits.Len64(e.Inputs)))
	s.values += uint32(len(e.Values))
	if len(e.Values) > 0 {
		s.negative = s.negative || e.Values[0] < 0
	}
	switch len(e.Values) {
	case 0:
	case 1:
		n.counts = uint64(e.Values[0])
		n.set(oneValue, true)
	default:
		n.counts = uint64(s.beside().lists.put(slices.Clone(e.Values)))
		n.set(manyValues, true)
	}
}

// recount makes an entry count for what an event does.
func (s *sequence) recount(n *entry, e Event) {
	s.dropCounts(n)
	s.setCounts(n, e)
}

func (s *sequence) dropCounts(n *entry) {
	switch {
	case n.is(oneValue):
		s.values--
	case n.is(manyValues):
		s.values -= uint32(len(s.aside.lists.at(uint32(n.counts))))
		s.aside.lists.drop(uint32(n.counts))
	}
	n.set(anyValues, false)
}

func (s *sequence) beside() *aside {
	if s.aside == nil {
		s.aside = &aside{}
	}
	return s.aside
}

// inputs returns what an entry stands for; for a measure of inputs.
func (n *entry) inputs() uint64 { return n.counts }

// appendValues appends the values of an entry.
func (s *sequence) appendValues(v []int64, n *entry) []int64 {
	switch {
	case n.is(oneValue):
		return append(v, int64(n.counts))
	case n.is(manyValues):
		return append(v, s.aside.lists.at(uint32(n.counts))...)
	}
	return v
}

// event returns the event at position i.
func (s *sequence) event(i int) Event {
	n := s.entries.at(i)
	e := Event{
		Time: n.time, Seq: n.seq, Index: n.index, Stored: n.storedAt(),
		Evidence: Ref{Sequence: n.sequence, Record: n.record},
	}
	e.ID = s.aside.text(&n.id)
	switch s.condition.Measure {
	case Events:
	case Rules, OrderedRules:
		e.Inputs = n.inputs()
	default:
		e.Values = s.appendValues(nil, n)
	}
	return e
}

func (s *sequence) len() int { return s.entries.len() }

func (s *sequence) time(i int) int64 { return s.entries.at(i).time }

// find returns where an event with this time and identity is, or belongs.
func (s *sequence) find(time int64, id string) (i int, known bool) {
	key, packed := pack(id)
	compare := func(n *entry) int {
		switch {
		case n.time < time:
			return -1
		case n.time > time:
			return 1
		case packed && n.id.form == formUUID && key.form == formUUID:
			return bytes.Compare(n.id.bytes[:], key.bytes[:])
		}
		return strings.Compare(s.aside.text(&n.id), id)
	}
	// Most events come in order.
	last := s.len() - 1
	if last < 0 || compare(s.entries.at(last)) < 0 {
		return last + 1, false
	}
	return sort.Find(last+1, func(i int) int { return -compare(s.entries.at(i)) })
}

// within returns the positions [from, to) of the events of a stretch.
func (s *sequence) within(t stretch) (from, to int) {
	from = sort.Search(s.len(), func(i int) bool { return s.time(i) >= t.from })
	to = from + sort.Search(s.len()-from, func(i int) bool { return s.time(from+i) > t.to })
	return from, to
}

// start returns the position of the first event of the window that ends at
// position i.
func (s *sequence) start(i int) int {
	time := s.time(i)
	return sort.Search(i, func(k int) bool { return time-s.time(k) <= s.timespan })
}

func (s *sequence) between(from, to int) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for i := from; i < to; i++ {
			if !yield(s.event(i)) {
				return
			}
		}
	}
}
