package window

// slots keeps what is too big to be kept in place. An item stays in its slot.
type slots[T any] struct {
	items []T
	free  []uint32
}

func (s *slots[T]) put(v T) uint32 {
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		s.items[slot] = v
		return slot
	}
	s.items = append(s.items, v)
	return uint32(len(s.items) - 1)
}

func (s *slots[T]) at(slot uint32) T { return s.items[slot] }

func (s *slots[T]) drop(slot uint32) {
	var zero T
	s.items[slot] = zero
	s.free = append(s.free, slot)
	if len(s.free) == len(s.items) {
		*s = slots[T]{}
	}
}
