package window

// percentile is the numbers in their order.
type percentile struct{ bag }

func (m *percentile) add(_ uint64, values []int64) {
	for _, v := range values {
		m.bag.add(v)
	}
}

func (m *percentile) drop(_ uint64, values []int64) {
	for _, v := range values {
		m.bag.drop(v)
	}
}

func (m *percentile) clear() { m.bag = bag{} }

// verdict compares a hundred times the percentile, which is exact.
func (m *percentile) verdict(s *sequence, _ int) verdict {
	if m.n == 0 {
		return verdict{false, false} // no numbers have no percentile
	}
	rank := int64(s.condition.Percentile) * int64(m.n-1)
	whole, part := int(rank/100), rank%100
	value := product(m.at(whole), 100-part)
	if part > 0 {
		value = value.add(product(m.at(whole+1), part))
	}
	return test(s.condition.Bounds, false, func(v int64) int { return value.compare(product(v, 100)) })
}
