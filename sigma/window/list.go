package window

import "slices"

// list is a sequence of items that grows in its middle. A short one is a
// slice. A long one is cut into rings, all of them full but the last, so that
// an item is found by arithmetic, and inserting moves the items of one ring and
// a single one of every ring behind it.
//
//	| 0 … 127 | 128 … 255 | … | 1024 … 1100 |
//	      ^ insert
//	      +---> the last item falls out, goes in front of the next ring, …
//
// About a twelfth of a slice, or one ring, is empty.
type list[T any] struct {
	short []T       // all items; unused when there are rings
	long  *rings[T] // nil while there are at most shortSize items
}

const (
	ringBits = 7
	ringSize = 1 << ringBits
	ringMask = ringSize - 1

	shortSize = 8 * ringSize
)

type rings[T any] struct {
	rings []ring[T]
	n     int
}

type ring[T any] struct {
	items *[ringSize]T
	first int
}

// at returns the item number i of a ring.
func (r *ring[T]) at(i int) *T { return &r.items[(r.first+i)&ringMask] }

func (l *list[T]) len() int {
	if l.long != nil {
		return l.long.n
	}
	return len(l.short)
}

// at returns item i. It stays where it is until the list changes.
func (l *list[T]) at(i int) *T {
	if l.long != nil {
		return l.long.rings[i>>ringBits].at(i)
	}
	return &l.short[i]
}

// insert puts v in front of item i, or behind all when i is the length.
func (l *list[T]) insert(i int, v T) {
	switch {
	case l.long != nil:
	case len(l.short) < shortSize:
		l.short = inserted(l.short, i, v)
		return
	default:
		short := l.short
		*l = list[T]{long: &rings[T]{}}
		for i, v := range short {
			l.long.insert(i, v)
		}
	}
	l.long.insert(i, v)
}

// inserted returns a slice with v in front of item i. It grows by a twelfth:
// memory is dearer than copying.
func inserted[T any](s []T, i int, v T) []T {
	if len(s) == cap(s) {
		s = resized(s, len(s)+len(s)/12+1)
	}
	return slices.Insert(s, i, v)
}

// resized returns a copy of a slice with room for n items. [slices.Grow] and
// append would give a short one twice the room.
func resized[T any](s []T, n int) []T { return append(slices.Grow([]T(nil), n), s...) }

func (l *rings[T]) insert(i int, v T) {
	if l.n == len(l.rings)*ringSize {
		l.rings = append(l.rings, ring[T]{items: new([ringSize]T)})
	}
	last := l.n >> ringBits // has room
	r, at, count := i>>ringBits, i&ringMask, ringSize
	if r == last {
		count = l.n&ringMask + 1
	}
	out := *l.rings[r].at(count - 1)
	for k := count - 1; k > at; k-- {
		*l.rings[r].at(k) = *l.rings[r].at(k - 1)
	}
	*l.rings[r].at(at) = v
	for r++; r <= last; r++ {
		next := &l.rings[r]
		next.first = (next.first - 1) & ringMask
		front := next.at(0)
		*front, out = out, *front
	}
	l.n++
}

// remove takes item i out.
func (l *list[T]) remove(i int) {
	if l.long == nil {
		l.short = slices.Delete(l.short, i, i+1)
		l.trim()
		return
	}
	l.long.remove(i)
	if l.long.n <= shortSize/2 {
		l.filter(func(int) bool { return true })
	}
}

// trim gives back the room of a slice of which much is empty.
func (l *list[T]) trim() {
	if cap(l.short) > len(l.short)+len(l.short)/4+4 {
		l.short = resized(l.short, len(l.short))
	}
}

func (l *rings[T]) remove(i int) {
	var zero T
	last := (l.n - 1) >> ringBits
	r, at, count := i>>ringBits, i&ringMask, ringSize
	if r == last {
		count = (l.n-1)&ringMask + 1
	}
	for k := at; k < count-1; k++ {
		*l.rings[r].at(k) = *l.rings[r].at(k + 1)
	}
	*l.rings[r].at(count - 1) = zero
	for r++; r <= last; r++ {
		next := &l.rings[r]
		*l.rings[r-1].at(ringMask) = *next.at(0)
		*next.at(0) = zero
		next.first = (next.first + 1) & ringMask
	}
	l.n--
	if l.n&ringMask == 0 {
		l.rings[last] = ring[T]{}
		l.rings = l.rings[:last]
	}
}

// filter keeps the items for whose positions keep is true.
func (l *list[T]) filter(keep func(i int) bool) {
	if l.long != nil {
		var kept list[T]
		for i := range l.len() {
			if keep(i) {
				kept.insert(kept.len(), *l.at(i))
			}
		}
		*l = kept
		return
	}
	kept := l.short[:0]
	for i, v := range l.short {
		if keep(i) {
			kept = append(kept, v)
		}
	}
	clear(l.short[len(kept):])
	l.short = kept
	l.trim()
}
