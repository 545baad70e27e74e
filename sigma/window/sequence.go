package window

import (
	"math"
	"sort"
)

// none stands for no time.
const none = int64(math.MinInt64)

// sequence is the events of a group in order: what a measure sees of it.
type sequence struct {
	timespan int64
	entries  list[entry] // ordered by (time, id)
}

// entry is an event without its inputs and values, which the measure keeps if
// it looks at them, with the verdict on the window that ends at it.
type entry struct {
	time     int64
	id       string
	seq      uint64
	stored   int64
	sequence uint64 // of the evidence
	record   uint32 // of the evidence
	index    uint32
	// count is for the measure: what it counts in the window, if it counts. It
	// takes room that would be empty otherwise.
	count int32
	holds bool
	// lost says that an event of the window has been forgotten, or that the
	// verdict was taken over from a neighbour because of what is forgotten.
	lost bool
	gap  gap
}

func entryOf(e Event) entry {
	return entry{
		time: e.Time, id: e.ID, seq: e.Seq, index: e.Index, stored: e.Stored,
		sequence: e.Evidence.Sequence, record: e.Evidence.Record,
	}
}

func (n *entry) event() Event {
	return Event{
		Time: n.time, ID: n.id, Seq: n.seq, Index: n.index, Stored: n.stored,
		Evidence: Ref{Sequence: n.sequence, Record: n.record},
	}
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

func (s *sequence) len() int { return s.entries.len() }

func (s *sequence) time(i int) int64 { return s.entries.at(i).time }

// position returns where an event with this time and identity is, or belongs.
func (s *sequence) position(time int64, id string) int {
	before := func(n *entry) bool { return n.time < time || n.time == time && n.id < id }
	// Most events come in order.
	if last := s.len() - 1; last < 0 || before(s.entries.at(last)) {
		return last + 1
	}
	return sort.Search(s.len(), func(i int) bool { return !before(s.entries.at(i)) })
}

// start returns the position of the first event of a window that ends at time,
// looking at the events before position end only.
func (s *sequence) start(time int64, end int) int {
	return sort.Search(end, func(i int) bool { return time-s.time(i) <= s.timespan })
}

// reaches reports whether there is an event at position j, not before time,
// whose window contains an event of that time.
func (s *sequence) reaches(time int64, j int) bool {
	return j < s.len() && s.time(j)-time <= s.timespan
}

// beyond returns the first position from i on whose window does not contain an
// event of the given time.
func (s *sequence) beyond(time int64, i int) int {
	return i + sort.Search(s.len()-i, func(k int) bool { return s.time(i+k)-time > s.timespan })
}

// borrow says how the window that ends at an event is made without the event:
// from a window that is known already, which begins at first, by dropping the
// events [first, start), or by adding the events [start, first).
type borrow struct {
	// from is where the known window ends: at the predecessor; at the
	// successor, which then is to be left out; or, if it is -1, nowhere, the
	// window being empty.
	from         int
	first, start int
}

// borrow finds the cheapest way to the window that ends at i. Insertions
// between two windows divide the events by which these differ, and pay for the
// smaller part: over all insertions, a logarithm of the events each.
func (s *sequence) borrow(i int) borrow {
	start := s.start(s.time(i), i)
	best, cost := borrow{from: -1, first: i, start: start}, i-start
	if i > 0 {
		if first := s.start(s.time(i-1), i-1); start-first < cost {
			best, cost = borrow{from: i - 1, first: first, start: start}, start-first
		}
	}
	if s.reaches(s.time(i), i+1) {
		if first := s.start(s.time(i+1), i); first-start+1 < cost {
			best = borrow{from: i + 1, first: first, start: start}
		}
	}
	return best
}
