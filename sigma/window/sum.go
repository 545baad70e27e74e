package window

// sum is the sum of the numbers, and how many they are.
type sum struct {
	total int128
	count int64
}

func (m *sum) add(_ uint64, values []int64) {
	for _, v := range values {
		m.total = m.total.add(wide(v))
		m.count++
	}
}

func (m *sum) drop(_ uint64, values []int64) {
	for _, v := range values {
		m.total = m.total.sub(wide(v))
		m.count--
	}
}

func (m *sum) clear() { *m = sum{} }

func (m *sum) verdict(s *sequence, _ int) verdict {
	return test(s.condition.Bounds, !s.negative, func(v int64) int { return m.total.compare(wide(v)) })
}

// average is the mean of the numbers. It compares the sum with as many times
// the bound, which is exact.
type average struct{ sum }

func (m *average) verdict(s *sequence, _ int) verdict {
	if m.count == 0 {
		return verdict{false, false} // no numbers have no mean
	}
	return test(s.condition.Bounds, false, func(v int64) int { return m.total.compare(product(v, m.count)) })
}
