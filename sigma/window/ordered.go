package window

import (
	"cmp"
	"math"
	"slices"
	"sort"
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
//
// It reads on from where it stands, or from the start of the window, or from a
// mark between: every so many events the latest starts are noted.
//
//	  mark            mark            mark       stands
//	   v               v               v           v
//	a  b  c  a  b  b  c  a  c  a  b  b  a  b  c  a |
type orderedRules struct {
	// steps is how long a sequence may be that the bounds measure.
	steps int
	// base has the latest starts before the batch, one for each part of each
	// sequence: none, or a time; next has those after it, which are in a window
	// that ends at time.
	base, next []int64
	batch      batch // of the events at time, up to the position at
	time       int64
	at         int // events before it are read; -1: nothing is known

	marks  []mark // in order
	unread int    // events read since the last mark, or whatever came later

	match matching
	// absent is needed by terms with Absent only.
	absent *slider
	mask   *rules // of absent
}

// mark has the latest starts before all events of a time.
type mark struct {
	time   int64
	starts []int64
}

// markEvery is between how many events there is a mark at least; there are more
// if it has more numbers.
const markEvery = 64

func newOrderedRules(d *definition) *orderedRules {
	m := &orderedRules{}
	width := 0
	for _, t := range d.condition.Terms {
		width += len(t.Need)
		m.batch.most = max(m.batch.most, len(t.Need))
		m.batch.needed |= t.all()
		if t.Absent != 0 && m.absent == nil {
			m.mask = &rules{}
			m.absent = &slider{tally: m.mask}
		}
	}
	m.widen(width)
	return m
}

// widen begins anew, with a number of parts.
func (m *orderedRules) widen(parts int) {
	m.base, m.next = make([]int64, parts), make([]int64, parts)
	m.at, m.marks = -1, nil
}

// lengths is how many lengths of sequences the bounds tell apart.
func (d *definition) lengths() int {
	most := int64(0)
	for _, b := range d.condition.Bounds {
		most = max(most, b.Value)
	}
	return int(min(most, 63)) + 1
}

func (m *orderedRules) inserted(s *sequence, i int) {
	if i < m.at {
		m.at = -1
	}
	if m.absent != nil {
		m.absent.inserted(s, i)
	}
}

func (m *orderedRules) removing(s *sequence, i int) {
	if i < m.at {
		m.at = -1
	}
	if m.absent != nil {
		m.absent.removing(s, i)
	}
}

func (m *orderedRules) judge(s *sequence, t stretch, give func(int, verdict)) {
	if steps := int(s.steps); len(s.condition.Terms) == 0 && steps > m.steps {
		m.steps, m.batch.most, m.batch.needed = steps, steps, math.MaxUint64>>(64-steps)
		m.widen(s.lengths() * steps)
	}
	from, to := s.within(t)
	// What is marked may be another now.
	later := func(time int64) int {
		return sort.Search(len(m.marks), func(i int) bool { return m.marks[i].time > time })
	}
	m.marks = slices.Delete(m.marks, later(t.from), later(t.to))
	// Before where it stands nothing has changed since it was read, though it be
	// at a time at which something has.
	if from = max(from, m.at); from >= to {
		return
	}
	m.seek(s, from, later(t.from)-1)
	for m.at < to {
		i := m.at
		m.read(s, i >= from)
		if i >= from {
			give(i, m.verdict(s, i))
		}
	}
}

// seek goes to a position that is at most from, of an event that is the first
// of its time, such that reading from there on finds what there is in the
// windows that end at from or later. Known is the last mark before from, or -1.
func (m *orderedRules) seek(s *sequence, from, known int) {
	start := s.start(from)
	if m.at > from || m.at < start {
		m.at = start
		m.unread = 0
		m.batch.clear()
		m.time = none
		for k := range m.next {
			m.next[k] = none
		}
	}
	if known < 0 {
		return
	}
	if at, _ := s.within(stretch{m.marks[known].time, math.MaxInt64}); at > m.at {
		m.at = at
		m.unread = 0
		m.time = none
		copy(m.next, m.marks[known].starts)
	}
}

// read takes up the event at which it stands.
func (m *orderedRules) read(s *sequence, mark bool) {
	n := s.entries.at(m.at)
	if n.time != m.time {
		for k, start := range m.next {
			m.base[k] = none
			if start != none && n.time-start <= s.timespan {
				m.base[k] = start
			}
		}
		copy(m.next, m.base)
		m.batch.clear()
		m.time = n.time
		if mark && m.unread >= max(markEvery, len(m.base)) {
			m.mark()
		}
	}
	if m.batch.add(n.inputs()) {
		m.advance(s)
	}
	m.at++
	m.unread++
}

// mark notes the latest starts before the batch.
func (m *orderedRules) mark() {
	i, known := slices.BinarySearchFunc(m.marks, m.time, func(n mark, time int64) int { return cmp.Compare(n.time, time) })
	if !known {
		m.marks = slices.Insert(m.marks, i, mark{m.time, slices.Clone(m.base)})
	}
	m.unread = 0
}

// advance sets next to the latest starts after the events of the batch.
func (m *orderedRules) advance(s *sequence) {
	copy(m.next, m.base)
	if len(s.condition.Terms) == 0 {
		m.advanceLongest(s.lengths())
		return
	}
	at := 0
	for _, t := range s.condition.Terms {
		m.advanceTerm(t.Need, m.base[at:at+len(t.Need)], m.next[at:at+len(t.Need)])
		at += len(t.Need)
	}
}

// advanceTerm matches one sequence. Parts of it are its beginnings: at k the
// one that ends with step k. The longer a beginning, the earlier its latest
// start: for each step the batch is to match as many of the steps up to it as
// it can.
func (m *orderedRules) advanceTerm(need []int, base, next []int64) {
	first := 0 // the batch matches the steps [first, k]
	m.match.begin(need, &m.batch)
	for k := range need {
		for ; first <= k && !m.match.augment(k); first++ {
			m.match.leave(first)
		}
		switch {
		case first > k:
		case first == 0:
			next[k] = m.time
		default:
			next[k] = max(next[k], base[first-1])
		}
	}
}

// advanceLongest matches every subsequence of the inputs in ascending order.
// Parts are those of a certain length that end at a certain step or before:
// that of length n+1 up to step k is at n*steps+k.
func (m *orderedRules) advanceLongest(lengths int) {
	for first := range m.steps {
		m.match.begin(nil, &m.batch)
		matched := 0
		for k := first; k < m.steps; k++ {
			if !m.match.augment(k) {
				continue
			}
			matched++
			for n := range lengths {
				start := m.time
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

// verdict tests the condition on the window that ends at position i, up to
// which all is read.
func (m *orderedRules) verdict(s *sequence, i int) verdict {
	if len(s.condition.Terms) == 0 {
		length := 0
		for length < s.lengths() && m.next[(length+1)*m.steps-1] != none {
			length++
		}
		return test(s.condition.Bounds, true, func(v int64) int { return cmp.Compare(int64(length), v) })
	}
	mask := uint64(0)
	if m.absent != nil {
		m.absent.slide(s, s.start(i), i+1)
		mask = m.mask.mask
	}
	v, end := verdict{false, true}, 0
	for _, t := range s.condition.Terms {
		end += len(t.Need)
		v = v.or(t.test(mask, len(t.Need) == 0 || m.next[end-1] != none))
	}
	return v
}

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
