package window

import "fmt"

// slider judges windows by what is in them, whatever its order. It has a tally
// of one window and slides from there to the next one, event by event: events
// that come in order cost few steps, and any other costs as many as there are
// events between the windows, or in the window if these are less.
//
//	           from                to
//	a  b  c  d | e  f  g  h  i  j  | k  l  m        the window that ends at j
//	  drop ->                        <- add         to slide to the one at k
type slider struct {
	tally
	from, to int
	values   []int64 // of one event; there to be used again
}

// tally is what there is in a window. Values are in order.
type tally interface {
	add(inputs uint64, values []int64)
	drop(inputs uint64, values []int64)
	// clear drops everything.
	clear()
	// verdict tests the condition on a window of n events.
	verdict(s *sequence, n int) verdict
}

func newTally(c *Condition) tally {
	switch c.Measure {
	case Events:
		return events{}
	case Values:
		return &values{}
	case Rules:
		return &rules{}
	case Sum:
		return &sum{}
	case Average:
		return &average{}
	case Percentile:
		return &percentile{}
	}
	panic(fmt.Sprintf("window: there is no measure %d", c.Measure))
}

func (m *slider) inserted(s *sequence, i int) {
	switch {
	case i <= m.from:
		m.from, m.to = m.from+1, m.to+1
	case i < m.to:
		m.to++
		m.add(m.at(s, i))
	}
}

func (m *slider) removing(s *sequence, i int) {
	switch {
	case i < m.from:
		m.from, m.to = m.from-1, m.to-1
	case i < m.to:
		m.to--
		m.drop(m.at(s, i))
	}
}

func (m *slider) judge(s *sequence, t stretch, give func(int, verdict)) {
	from, to := s.within(t)
	if from == to {
		return
	}
	start := s.start(from)
	for i := from; i < to; i++ {
		for s.time(i)-s.time(start) > s.timespan {
			start++
		}
		m.slide(s, start, i+1)
		give(i, m.verdict(s, m.to-m.from))
	}
}

// slide tallies the events [from, to).
func (m *slider) slide(s *sequence, from, to int) {
	if from >= m.to || to <= m.from || distance(from, m.from)+distance(to, m.to) > to-from {
		m.clear()
		m.from, m.to = from, from
	}
	for ; m.to < to; m.to++ {
		m.add(m.at(s, m.to))
	}
	for ; m.from > from; m.from-- {
		m.add(m.at(s, m.from-1))
	}
	for ; m.to > to; m.to-- {
		m.drop(m.at(s, m.to-1))
	}
	for ; m.from < from; m.from++ {
		m.drop(m.at(s, m.from))
	}
}

func distance(a, b int) int { return max(a-b, b-a) }

// at returns what the event at position i counts for.
func (m *slider) at(s *sequence, i int) (inputs uint64, values []int64) {
	n := s.entries.at(i)
	m.values = s.appendValues(m.values[:0], n)
	return n.inputs(), m.values
}
