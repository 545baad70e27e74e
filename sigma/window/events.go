package window

import "cmp"

// events counts the events of each window. It keeps nothing but the count that
// every entry has room for.
type events struct {
	bounds []Bound
}

func (m *events) insert(s *sequence, i int, e Event) {
	s.entries.at(i).count = int32(i-s.start(e.Time, i)) + 1
	for j := i + 1; s.reaches(e.Time, j); j++ {
		s.entries.at(j).count++
	}
}

func (m *events) remove(s *sequence, i int, e Event) {
	for j := i; s.reaches(e.Time, j); j++ {
		s.entries.at(j).count--
	}
}

func (m *events) forget(s *sequence, _ func(int) bool) {
	for i, start := 0, 0; i < s.len(); i++ {
		for s.time(i)-s.time(start) > s.timespan {
			start++
		}
		s.entries.at(i).count = int32(i-start) + 1
	}
}

func (m *events) verdict(s *sequence, i int) verdict {
	count := int64(s.entries.at(i).count)
	return test(m.bounds, true, func(v int64) int { return cmp.Compare(count, v) })
}

func (m *events) complete(int, *Event) {}
