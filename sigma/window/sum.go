package window

// sum adds up the numbers in each window.
type sum struct {
	bounds []Bound
	values list[[]int64]
	totals list[total]
	// negative says that there has been a number below zero, so that an event
	// may make a sum less.
	negative bool
}

// total is the sum of some numbers, and how many they are.
type total struct {
	sum   int128
	count int64
}

func totalOf(values []int64) total {
	t := total{count: int64(len(values))}
	for _, v := range values {
		t.sum = t.sum.add(wide(v))
	}
	return t
}

func (t total) plus(o total) total  { return total{t.sum.add(o.sum), t.count + o.count} }
func (t total) minus(o total) total { return total{t.sum.sub(o.sum), t.count - o.count} }

func (m *sum) insert(s *sequence, i int, e Event) {
	own := totalOf(e.Values)
	m.negative = m.negative || len(e.Values) > 0 && e.Values[0] < 0
	m.values.insert(i, e.Values)
	m.totals.insert(i, total{})
	*m.totals.at(i) = m.borrowed(s, i).plus(own)
	for j := i + 1; s.reaches(e.Time, j); j++ {
		t := m.totals.at(j)
		*t = t.plus(own)
	}
}

// borrowed adds up the window that ends at i, but for the event there.
func (m *sum) borrowed(s *sequence, i int) (t total) {
	b := s.borrow(i)
	if b.from >= 0 {
		t = *m.totals.at(b.from)
	}
	if b.from > i {
		t = t.minus(totalOf(*m.values.at(b.from)))
	}
	for k := b.first; k < b.start; k++ {
		t = t.minus(totalOf(*m.values.at(k)))
	}
	for k := b.start; k < b.first; k++ {
		t = t.plus(totalOf(*m.values.at(k)))
	}
	return t
}

func (m *sum) remove(s *sequence, i int, e Event) {
	own := totalOf(e.Values)
	m.values.remove(i)
	m.totals.remove(i)
	for j := i; s.reaches(e.Time, j); j++ {
		t := m.totals.at(j)
		*t = t.minus(own)
	}
}

func (m *sum) forget(s *sequence, keep func(int) bool) {
	m.values.filter(keep)
	m.totals.filter(keep)
	var inside total
	for i, start := 0, 0; i < s.len(); i++ {
		inside = inside.plus(totalOf(*m.values.at(i)))
		for ; s.time(i)-s.time(start) > s.timespan; start++ {
			inside = inside.minus(totalOf(*m.values.at(start)))
		}
		*m.totals.at(i) = inside
	}
}

func (m *sum) verdict(_ *sequence, i int) verdict {
	sum := m.totals.at(i).sum
	return test(m.bounds, !m.negative, func(v int64) int { return sum.compare(wide(v)) })
}

func (m *sum) complete(i int, e *Event) { e.Values = *m.values.at(i) }
