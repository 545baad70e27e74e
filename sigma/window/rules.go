package window

import (
	"cmp"
	"math/bits"
)

// rules is how many events stand for each input.
type rules struct {
	events [64]int32
	mask   uint64 // of the inputs that occur
}

func (m *rules) add(inputs uint64, _ []int64) {
	m.mask |= inputs
	for bit := range ones(inputs) {
		m.events[bit]++
	}
}

func (m *rules) drop(inputs uint64, _ []int64) {
	for bit := range ones(inputs) {
		if m.events[bit]--; m.events[bit] == 0 {
			m.mask &^= 1 << bit
		}
	}
}

func (m *rules) clear() { *m = rules{} }

func (m *rules) verdict(s *sequence, _ int) verdict {
	if len(s.condition.Terms) == 0 {
		count := int64(bits.OnesCount64(m.mask))
		return test(s.condition.Bounds, true, func(v int64) int { return cmp.Compare(count, v) })
	}
	v := verdict{false, true}
	for _, t := range s.condition.Terms {
		v = v.or(t.test(m.mask, t.all()&^m.mask == 0))
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
