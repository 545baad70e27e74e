package window

import "cmp"

// events counts the events of each window.
type events struct {
	bounds []Bound
	counts list[int32]
}

func (m *events) insert(s *sequence, i int, e Event) {
	m.counts.insert(i, int32(i-s.start(e.Time, i))+1)
	for j := i + 1; s.reaches(e.Time, j); j++ {
		*m.counts.at(j)++
	}
}

func (m *events) remove(s *sequence, i int, e Event) {
	m.counts.remove(i)
	for j := i; s.reaches(e.Time, j); j++ {
		*m.counts.at(j)--
	}
}

func (m *events) forget(s *sequence, keep func(int) bool) {
	m.counts.filter(keep)
	for i, start := 0, 0; i < s.len(); i++ {
		for s.time(i)-s.time(start) > s.timespan {
			start++
		}
		*m.counts.at(i) = int32(i-start) + 1
	}
}

func (m *events) verdict(_ *sequence, i int) verdict {
	count := int64(*m.counts.at(i))
	return test(m.bounds, true, func(v int64) int { return cmp.Compare(count, v) })
}

func (m *events) complete(int, *Event) {}
