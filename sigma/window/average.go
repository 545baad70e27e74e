package window

// average is the mean of the numbers in each window. It compares the sum with
// as many times the bound, which is exact.
type average struct {
	sum
}

func (m *average) verdict(_ *sequence, i int) verdict {
	t := m.totals.at(i)
	if t.count == 0 {
		return verdict{false, false} // no numbers have no mean
	}
	return test(m.bounds, false, func(v int64) int { return t.sum.compare(product(v, t.count)) })
}
