package window

import "cmp"

// values is which values there are, and how many distinct ones.
type values struct {
	bag
	distinct int64
}

func (m *values) add(_ uint64, values []int64) {
	for _, v := range values {
		if !m.has(v) {
			m.distinct++
		}
		m.bag.add(v)
	}
}

func (m *values) drop(_ uint64, values []int64) {
	for _, v := range values {
		m.bag.drop(v)
		if !m.has(v) {
			m.distinct--
		}
	}
}

func (m *values) clear() { *m = values{} }

func (m *values) verdict(s *sequence, _ int) verdict {
	return test(s.condition.Bounds, true, func(v int64) int { return cmp.Compare(m.distinct, v) })
}
