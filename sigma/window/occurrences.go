package window

import "sort"

// moment is where in the order of a sequence an event is, whatever its
// position.
type moment struct {
	time int64
	id   string
}

func (m moment) before(o moment) bool { return m.time < o.time || m.time == o.time && m.id < o.id }

func (s *sequence) moment(i int) moment {
	n := s.entries.at(i)
	return moment{n.time, n.id}
}

// occurrences says, for each value, at which events it occurs, in order.
type occurrences map[int64]*list[moment]

func (o occurrences) search(all *list[moment], at moment) int {
	// Most events come in order.
	if last := all.len() - 1; last < 0 || all.at(last).before(at) {
		return last + 1
	}
	return sort.Search(all.len(), func(i int) bool { return !all.at(i).before(at) })
}

// add says that a value occurs at a moment. It does not yet.
func (o occurrences) add(value int64, at moment) {
	all := o[value]
	if all == nil {
		all = &list[moment]{}
		o[value] = all
	}
	all.insert(o.search(all, at), at)
}

// drop says that a value does not occur at a moment any more.
func (o occurrences) drop(value int64, at moment) {
	all := o[value]
	all.remove(o.search(all, at))
	if all.len() == 0 {
		delete(o, value)
	}
}

// around returns the last occurrence of a value before a moment and the first
// one after it, or nil.
func (o occurrences) around(value int64, at moment) (before, after *moment) {
	all := o[value]
	if all == nil {
		return nil, nil
	}
	i := o.search(all, at)
	if i > 0 {
		before = all.at(i - 1)
	}
	if i < all.len() && *all.at(i) == at {
		i++
	}
	if i < all.len() {
		after = all.at(i)
	}
	return before, after
}

// alone returns the positions [from, to) of the windows that contain the
// moment at, the events from position i on being behind it, and do not contain
// the value elsewhere.
func (o occurrences) alone(s *sequence, value int64, at moment, i int) (from, to int) {
	before, after := o.around(value, at)
	from, to = i, s.beyond(at.time, i)
	if before != nil {
		from = s.beyond(before.time, i)
	}
	if after != nil {
		to = min(to, s.position(after.time, after.id))
	}
	return from, to
}
