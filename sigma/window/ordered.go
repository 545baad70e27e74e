package window

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// orderedRules knows which sequences of inputs occur in each window.
//
// For every event and every part of a sequence that may have been matched, it
// keeps the latest start: the latest time at which such a part may begin that
// is complete at the event. A part is in the window if its latest start is, so
// that the next event needs to look at these times only, and at no event.
//
//	sequence a b c:   a1    b1   a2     c1   b2       c2
//	a                 a1    a1   a2     a2   a2       a2
//	a b                     a1   a1     a1   a2       a2
//	a b c                               a1   a1       a2
//
// Events of one time may be read in any order. What has been matched of them,
// from which step to which, is a question of its own: whether each step can
// have an event; see [matching].
type orderedRules struct {
	bounds []Bound
	terms  []Term
	inputs list[uint64]
	// starts has the latest starts, one list for each part of each sequence:
	// none, or a time within the window.
	starts []list[int64]
	// steps is how long a sequence may be that the bounds measure.
	steps int
	// absent is needed by terms with Absent only.
	absent *rules

	// What follows is there to be used again.
	base, next []int64
	batch      batch
	match      matching
}

func newOrderedRules(c *Condition) *orderedRules {
	m := &orderedRules{bounds: c.Bounds, terms: c.Terms}
	width := 0
	for _, t := range c.Terms {
		width += len(t.Need)
		m.batch.most = max(m.batch.most, len(t.Need))
		m.batch.needed |= t.all()
		if t.Absent != 0 && m.absent == nil {
			m.absent = &rules{where: occurrences{}}
		}
	}
	m.widen(width)
	return m
}

func (m *orderedRules) widen(width int) {
	m.starts = make([]list[int64], width)
	m.base, m.next = make([]int64, width), make([]int64, width)
}

// lengths is how many lengths of sequences the bounds tell apart.
func (m *orderedRules) lengths() int {
	most := int64(0)
	for _, b := range m.bounds {
		most = max(most, b.Value)
	}
	return int(min(most, 63)) + 1
}

func (m *orderedRules) insert(s *sequence, i int, e Event) {
	m.inputs.insert(i, e.Inputs)
	if m.absent != nil {
		m.absent.insert(s, i, e)
	}
	if steps := bits.Len64(e.Inputs); len(m.terms) == 0 && steps > m.steps {
		m.steps, m.batch.most, m.batch.needed = steps, steps, math.MaxUint64>>(64-steps)
		m.widen(m.lengths() * steps)
		m.rebuild(s)
		return
	}
	// As if the event were of no use, to see whether it is.
	m.before(s, i, e.Time)
	for k := range m.starts {
		m.starts[k].insert(i, m.base[k])
	}
	m.refresh(s, i, func(time int64, changed bool) bool {
		return time == e.Time || changed && time-e.Time <= s.timespan
	})
}

func (m *orderedRules) remove(s *sequence, i int, e Event) {
	m.inputs.remove(i)
	if m.absent != nil {
		m.absent.remove(s, i, e)
	}
	for k := range m.starts {
		m.starts[k].remove(i)
	}
	first := true
	m.refresh(s, i, func(time int64, changed bool) bool {
		changed, first = changed || first, false
		return time == e.Time || changed && time-e.Time <= s.timespan
	})
}

func (m *orderedRules) forget(s *sequence, keep func(int) bool) {
	m.inputs.filter(keep)
	if m.absent != nil {
		m.absent.forget(s, keep)
	}
	m.rebuild(s)
}

func (m *orderedRules) rebuild(s *sequence) {
	for k := range m.starts {
		m.starts[k] = list[int64]{}
		for i := range s.len() {
			m.starts[k].insert(i, none)
		}
	}
	m.refresh(s, 0, func(int64, bool) bool { return true })
}

// before sets base to the latest starts before position i, as far as they are
// in a window that ends at time.
func (m *orderedRules) before(s *sequence, i int, time int64) {
	for k := range m.base {
		m.base[k] = none
		if i > 0 {
			if start := *m.starts[k].at(i - 1); start != none && time-start <= s.timespan {
				m.base[k] = start
			}
		}
	}
}

// refresh brings the latest starts up to date from position i on, one time
// after another as long as onwards says so: given the time, and whether the
// starts before it have changed.
func (m *orderedRules) refresh(s *sequence, i int, onwards func(time int64, changed bool) bool) {
	j := i
	for j > 0 && j < s.len() && s.time(j-1) == s.time(j) {
		j--
	}
	changed := false
	for j < s.len() && onwards(s.time(j), changed) {
		time := s.time(j)
		m.before(s, j, time)
		m.batch.clear()
		stale := true
		for ; j < s.len() && s.time(j) == time; j++ {
			stale = m.batch.add(*m.inputs.at(j)) || stale
			if j < i {
				continue
			}
			if stale {
				m.advance(time)
				stale = false
			}
			changed = false
			for k, start := range m.next {
				if at := m.starts[k].at(j); *at != start {
					*at, changed = start, true
				}
			}
		}
	}
}

// advance sets next to the latest starts after the events of the batch, which
// are at the given time.
func (m *orderedRules) advance(time int64) {
	copy(m.next, m.base)
	if len(m.terms) == 0 {
		m.advanceLongest(time)
		return
	}
	at := 0
	for _, t := range m.terms {
		m.advanceTerm(t.Need, m.base[at:at+len(t.Need)], m.next[at:at+len(t.Need)], time)
		at += len(t.Need)
	}
}

// advanceTerm matches one sequence. Parts of it are its beginnings: at k the
// one that ends with step k. The longer a beginning, the earlier its latest
// start: for each step the batch is to match as many of the steps up to it as
// it can.
func (m *orderedRules) advanceTerm(need []int, base, next []int64, time int64) {
	first := 0 // the batch matches the steps [first, k]
	m.match.begin(need, &m.batch)
	for k := range need {
		for ; first <= k && !m.match.augment(k); first++ {
			m.match.leave(first)
		}
		switch {
		case first > k:
		case first == 0:
			next[k] = time
		default:
			next[k] = max(next[k], base[first-1])
		}
	}
}

// advanceLongest matches every subsequence of the inputs in ascending order.
// Parts are those of a certain length that end at a certain step or before:
// that of length n+1 up to step k is at n*steps+k.
func (m *orderedRules) advanceLongest(time int64) {
	lengths := m.lengths()
	for first := range m.steps {
		m.match.begin(nil, &m.batch)
		matched := 0
		for k := first; k < m.steps; k++ {
			if !m.match.augment(k) {
				continue
			}
			matched++
			for n := range lengths {
				start := time
				if n > 0 && first > 0 {
					start = m.base[(n-1)*m.steps+first-1]
				} else if n > 0 {
					start = none
				}
				at := &m.next[(min(n+matched, lengths)-1)*m.steps+k]
				*at = max(*at, start)
			}
		}
	}
	for n := range lengths {
		for k := 1; k < m.steps; k++ {
			at := &m.next[n*m.steps+k]
			*at = max(*at, m.next[n*m.steps+k-1])
		}
	}
}

func (m *orderedRules) verdict(_ *sequence, i int) verdict {
	if len(m.terms) == 0 {
		length := int64(0)
		for length < int64(m.lengths()) && *m.starts[(int(length)+1)*m.steps-1].at(i) != none {
			length++
		}
		return test(m.bounds, true, func(v int64) int { return cmp.Compare(length, v) })
	}
	mask := uint64(0)
	if m.absent != nil {
		mask = *m.absent.masks.at(i)
	}
	v, end := verdict{false, true}, 0
	for _, t := range m.terms {
		end += len(t.Need)
		v = v.or(t.test(mask, len(t.Need) == 0 || *m.starts[end-1].at(i) != none))
	}
	return v
}

func (m *orderedRules) complete(i int, e *Event) { e.Inputs = *m.inputs.at(i) }

// batch is some events of one time: how many there are with the same inputs.
// Of inputs that nothing needs, and of more events than a sequence has steps,
// it makes no difference, and they are not counted.
type batch struct {
	needed uint64
	most   int
	kinds  []kind
}

type kind struct {
	inputs uint64
	count  int
}

func (b *batch) clear() { b.kinds = b.kinds[:0] }

// add reports whether the event makes a difference.
func (b *batch) add(inputs uint64) bool {
	inputs &= b.needed
	if inputs == 0 {
		return false
	}
	i := slices.IndexFunc(b.kinds, func(k kind) bool { return k.inputs == inputs })
	if i < 0 {
		b.kinds = append(b.kinds, kind{inputs, 1})
		return true
	}
	if b.kinds[i].count == b.most {
		return false
	}
	b.kinds[i].count++
	return true
}

// matching gives steps of a sequence events of a batch, each an event of its
// own. The events of a kind are alike, so that a step has a kind, and a kind
// has as many steps as events at most. It is the bipartite matching by
// augmenting paths: a step that finds no place has another one move.
type matching struct {
	need  []int // input of each step; nil: step k is input k
	batch *batch
	kinds []int  // kind of each step; -1: none
	used  []int  // steps of each kind
	tried []bool // kinds that the present path has been at
}

func (m *matching) begin(need []int, b *batch) {
	m.need, m.batch = need, b
	m.kinds = append(m.kinds[:0], make([]int, b.most)...)
	for k := range m.kinds {
		m.kinds[k] = -1
	}
	m.used = append(m.used[:0], make([]int, len(b.kinds))...)
}

// leave takes the event of a step away.
func (m *matching) leave(step int) {
	if kind := m.kinds[step]; kind >= 0 {
		m.used[kind]--
		m.kinds[step] = -1
	}
}

// augment gives a step an event, moving others to other events, and reports
// whether it could.
func (m *matching) augment(step int) bool {
	m.tried = append(m.tried[:0], make([]bool, len(m.batch.kinds))...)
	return m.place(step)
}

func (m *matching) place(step int) bool {
	input := step
	if m.need != nil {
		input = m.need[step]
	}
	for i, kind := range m.batch.kinds {
		if m.tried[i] || kind.inputs>>input&1 == 0 {
			continue
		}
		m.tried[i] = true
		if m.used[i] < kind.count {
			m.kinds[step] = i
			m.used[i]++
			return true
		}
		for other, at := range m.kinds {
			if at != i {
				continue
			}
			// The place of the other is free while it looks for another one:
			// this kind has been tried.
			if m.place(other) {
				m.used[i]--
				m.kinds[step] = i
				m.used[i]++
				return true
			}
		}
	}
	return false
}
