package window

import "cmp"

// values counts the distinct values in each window.
type values struct {
	bounds []Bound
	values list[[]int64]
	where  occurrences
}

func (m *values) insert(s *sequence, i int, e Event) {
	at := moment{e.Time, e.ID}
	m.values.insert(i, e.Values)
	count := m.borrowed(s, i, at)
	for _, v := range e.Values {
		if before, _ := m.where.around(v, at); before == nil || e.Time-before.time > s.timespan {
			count++
		}
		for j, to := m.where.alone(s, v, at, i+1); j < to; j++ {
			s.entries.at(j).count++
		}
	}
	s.entries.at(i).count = count
	for _, v := range e.Values {
		m.where.add(v, at)
	}
}

// borrowed counts the values in the window that ends at i but for the event
// there, whose values are not among the occurrences.
func (m *values) borrowed(s *sequence, i int, at moment) int32 {
	b := s.borrow(i)
	count := int32(0)
	if b.from >= 0 {
		count = s.entries.at(b.from).count
	}
	if b.from > i {
		successor := s.moment(b.from)
		for _, v := range *m.values.at(b.from) {
			if before, _ := m.where.around(v, successor); before == nil || successor.time-before.time > s.timespan {
				count--
			}
		}
	}
	// A value is in a window that ends before at and begins somewhere behind
	// an event of the value if the event is not the last one.
	last := func(k int) (n int32) {
		for _, v := range *m.values.at(k) {
			if _, after := m.where.around(v, s.moment(k)); after == nil || at.before(*after) {
				n++
			}
		}
		return n
	}
	for k := b.first; k < b.start; k++ {
		count -= last(k)
	}
	for k := b.start; k < b.first; k++ {
		count += last(k)
	}
	return count
}

func (m *values) remove(s *sequence, i int, e Event) {
	at := moment{e.Time, e.ID}
	m.values.remove(i)
	for _, v := range e.Values {
		m.where.drop(v, at)
		for j, to := m.where.alone(s, v, at, i); j < to; j++ {
			s.entries.at(j).count--
		}
	}
}

func (m *values) forget(s *sequence, keep func(int) bool) {
	m.values.filter(keep)
	clear(m.where)
	inside := map[int64]int{}
	for i, start := 0, 0; i < s.len(); i++ {
		for _, v := range *m.values.at(i) {
			m.where.add(v, s.moment(i))
			inside[v]++
		}
		for ; s.time(i)-s.time(start) > s.timespan; start++ {
			for _, v := range *m.values.at(start) {
				if inside[v]--; inside[v] == 0 {
					delete(inside, v)
				}
			}
		}
		s.entries.at(i).count = int32(len(inside))
	}
}

func (m *values) verdict(s *sequence, i int) verdict {
	count := int64(s.entries.at(i).count)
	return test(m.bounds, true, func(v int64) int { return cmp.Compare(count, v) })
}

func (m *values) complete(i int, e *Event) { e.Values = *m.values.at(i) }
