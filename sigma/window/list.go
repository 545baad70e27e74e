package window

// list is a sequence of items that grows in its middle. A short one is a
// slice. A long one is cut into rings, all of them full but the last, so that
// an item is found by arithmetic, and inserting moves the items of one ring and
// a single one of every ring behind it.
//
//	| 0 … 511 | 512 … 1023 | 1024 … 1100 |
//	      ^ insert
//	      +---> the last item falls out, goes in front of the next ring, …
type list[T any] struct {
	short []T       // all items; unused when there are rings
	long  *rings[T] // nil while there are at most ringSize items
}

const (
	ringBits = 9
	ringSize = 1 << ringBits
	ringMask = ringSize - 1
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
	if l.long == nil {
		if len(l.short) < ringSize {
			var zero T
			l.short = append(l.short, zero)
			copy(l.short[i+1:], l.short[i:])
			l.short[i] = v
			return
		}
		r := ring[T]{items: new([ringSize]T)}
		copy(r.items[:], l.short)
		l.short, l.long = nil, &rings[T]{rings: []ring[T]{r}, n: ringSize}
	}
	l.long.insert(i, v)
}

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
		l.short = append(l.short[:i], l.short[i+1:]...)
		clear(l.short[len(l.short) : len(l.short)+1])
		return
	}
	l.long.remove(i)
	if l.long.n <= ringSize/2 {
		*l = l.filtered(func(int) bool { return true })
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
		l.rings = l.rings[:last]
	}
}

// filter keeps the items for whose positions keep is true.
func (l *list[T]) filter(keep func(i int) bool) {
	if l.long != nil {
		*l = l.filtered(keep)
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
	if cap(kept) > 4*len(kept) {
		l.short = append(make([]T, 0, len(kept)), kept...)
	}
}

func (l *list[T]) filtered(keep func(i int) bool) list[T] {
	var kept list[T]
	for i := range l.len() {
		if keep(i) {
			kept.insert(kept.len(), *l.at(i))
		}
	}
	return kept
}
