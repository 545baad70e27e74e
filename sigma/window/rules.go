package window

import (
	"cmp"
	"math/bits"
)

// rules knows which inputs occur in each window.
type rules struct {
	bounds []Bound
	terms  []Term
	inputs list[uint64]
	masks  list[uint64]
	where  occurrences // by bit
	seen   uint64      // that occur anywhere
}

func (m *rules) insert(s *sequence, i int, e Event) {
	at := moment{e.Time, e.ID}
	m.inputs.insert(i, e.Inputs)
	mask := e.Inputs
	for bit := range ones(m.seen &^ mask) {
		if before, _ := m.where.around(bit, at); before != nil && e.Time-before.time <= s.timespan {
			mask |= 1 << bit
		}
	}
	m.masks.insert(i, mask)
	for j := i + 1; s.reaches(e.Time, j); j++ {
		*m.masks.at(j) |= e.Inputs
	}
	for bit := range ones(e.Inputs) {
		m.where.add(bit, at)
	}
	m.seen |= e.Inputs
}

func (m *rules) remove(s *sequence, i int, e Event) {
	at := moment{e.Time, e.ID}
	m.inputs.remove(i)
	m.masks.remove(i)
	for bit := range ones(e.Inputs) {
		m.where.drop(bit, at)
		for j, to := m.where.alone(s, bit, at, i); j < to; j++ {
			*m.masks.at(j) &^= 1 << bit
		}
	}
}

func (m *rules) forget(s *sequence, keep func(int) bool) {
	m.inputs.filter(keep)
	m.masks.filter(keep)
	m.seen = 0
	clear(m.where)
	var latest [64]int64
	for i := range s.len() {
		inputs := *m.inputs.at(i)
		for bit := range ones(inputs) {
			m.where.add(bit, s.moment(i))
			latest[bit] = s.time(i)
		}
		m.seen |= inputs
		mask := uint64(0)
		for bit := range ones(m.seen) {
			if s.time(i)-latest[bit] <= s.timespan {
				mask |= 1 << bit
			}
		}
		*m.masks.at(i) = mask
	}
}

func (m *rules) verdict(_ *sequence, i int) verdict {
	mask := *m.masks.at(i)
	if len(m.terms) == 0 {
		count := int64(bits.OnesCount64(mask))
		return test(m.bounds, true, func(v int64) int { return cmp.Compare(count, v) })
	}
	v := verdict{false, true}
	for _, t := range m.terms {
		v = v.or(t.test(mask, t.all()&^mask == 0))
	}
	return v
}

// all are the bits of the inputs that the term needs.
func (t Term) all() (mask uint64) {
	for _, bit := range t.Need {
		mask |= 1 << bit
	}
	return mask
}

// test tests a term on a window with the inputs mask, which has what the term
// needs, or has not.
func (t Term) test(mask uint64, has bool) verdict {
	needed := verdict{has, has}
	absent := verdict{mask&t.Absent == 0, t.Absent == 0 || mask&t.Absent != 0}
	return needed.and(absent)
}

func (m *rules) complete(i int, e *Event) { e.Inputs = *m.inputs.at(i) }

// ones returns the numbers of the bits that are set.
func ones(mask uint64) func(func(int64) bool) {
	return func(yield func(int64) bool) {
		for ; mask != 0; mask &= mask - 1 {
			if !yield(int64(bits.TrailingZeros64(mask))) {
				return
			}
		}
	}
}
