package window

import (
	"slices"
	"sort"
)

// percentile finds the percentile of the numbers in each window. It has the
// numbers of one window sorted and slides from there to the next one that is
// asked for, event by event: events that come in order cost few steps, and any
// other costs as many as there are events in the windows around it.
type percentile struct {
	bounds   []Bound
	percent  int64
	values   list[[]int64]
	verdicts list[verdict]
	// sorted has the numbers of the events [from, to).
	sorted   bag
	from, to int
}

func (m *percentile) insert(s *sequence, i int, e Event) {
	m.values.insert(i, e.Values)
	m.verdicts.insert(i, verdict{})
	switch {
	case i <= m.from:
		m.from, m.to = m.from+1, m.to+1
	case i < m.to:
		m.to++
		m.sorted.add(e.Values)
	}
	m.refresh(s, i, e.Time)
}

func (m *percentile) remove(s *sequence, i int, e Event) {
	m.values.remove(i)
	m.verdicts.remove(i)
	switch {
	case i < m.from:
		m.from, m.to = m.from-1, m.to-1
	case i < m.to:
		m.to--
		m.sorted.drop(e.Values)
	}
	m.refresh(s, i, e.Time)
}

func (m *percentile) forget(s *sequence, keep func(int) bool) {
	m.values.filter(keep)
	m.verdicts.filter(keep)
	m.sorted, m.from, m.to = bag{}, 0, 0
	for i := range s.len() {
		m.measure(s, i)
	}
}

func (m *percentile) refresh(s *sequence, i int, time int64) {
	for ; s.reaches(time, i); i++ {
		m.measure(s, i)
	}
}

// measure tests the window that ends at i.
func (m *percentile) measure(s *sequence, i int) {
	m.slide(s.start(s.time(i), i), i+1)
	*m.verdicts.at(i) = m.test()
}

// slide sorts the numbers of the events [from, to).
func (m *percentile) slide(from, to int) {
	if from >= m.to || to <= m.from || distance(from, m.from)+distance(to, m.to) > to-from {
		m.sorted, m.from, m.to = bag{}, from, from
	}
	for ; m.to < to; m.to++ {
		m.sorted.add(*m.values.at(m.to))
	}
	for ; m.from > from; m.from-- {
		m.sorted.add(*m.values.at(m.from - 1))
	}
	for ; m.to > to; m.to-- {
		m.sorted.drop(*m.values.at(m.to - 1))
	}
	for ; m.from < from; m.from++ {
		m.sorted.drop(*m.values.at(m.from))
	}
}

func distance(a, b int) int { return max(a-b, b-a) }

// test tests the sorted numbers. It compares a hundred times the percentile,
// which is exact.
func (m *percentile) test() verdict {
	if m.sorted.n == 0 {
		return verdict{false, false} // no numbers have no percentile
	}
	rank := m.percent * int64(m.sorted.n-1)
	whole, part := int(rank/100), rank%100
	value := product(m.sorted.at(whole), 100-part)
	if part > 0 {
		value = value.add(product(m.sorted.at(whole+1), part))
	}
	return test(m.bounds, false, func(v int64) int { return value.compare(product(v, 100)) })
}

func (m *percentile) verdict(_ *sequence, i int) verdict { return *m.verdicts.at(i) }

func (m *percentile) complete(i int, e *Event) { e.Values = *m.values.at(i) }

// bag is a sorted multiset of numbers, cut into parts of bounded length.
type bag struct {
	parts [][]int64 // none is empty
	n     int
}

const bagPart = 512

// part returns the first part that has a number not below v, or the number of
// parts.
func (b *bag) part(v int64) int {
	return sort.Search(len(b.parts), func(i int) bool { return b.parts[i][len(b.parts[i])-1] >= v })
}

func (b *bag) add(values []int64) {
	for _, v := range values {
		b.n++
		if len(b.parts) == 0 {
			b.parts = append(b.parts, []int64{v})
			continue
		}
		i := min(b.part(v), len(b.parts)-1)
		at, _ := slices.BinarySearch(b.parts[i], v)
		p := slices.Insert(b.parts[i], at, v)
		if len(p) == bagPart {
			b.parts = slices.Insert(b.parts, i+1, slices.Clone(p[bagPart/2:]))
			p = p[:bagPart/2]
		}
		b.parts[i] = p
	}
}

func (b *bag) drop(values []int64) {
	for _, v := range values {
		b.n--
		i := b.part(v)
		at, _ := slices.BinarySearch(b.parts[i], v)
		b.parts[i] = slices.Delete(b.parts[i], at, at+1)
		if len(b.parts[i]) == 0 {
			b.parts = slices.Delete(b.parts, i, i+1)
		}
	}
}

// at returns the number of rank i, counted from 0.
func (b *bag) at(i int) int64 {
	for _, p := range b.parts {
		if i < len(p) {
			return p[i]
		}
		i -= len(p)
	}
	panic("window: rank out of the bag")
}
