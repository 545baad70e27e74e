package window

import (
	"hash/maphash"
	"math/bits"
)

// table is a hash table with linear probing, of items that are not zero. Equal
// ones have a slot each.
type table[T hashed] struct {
	slots []T
	n     int
}

type hashed interface {
	comparable
	hash() uint32
}

// fingerprint is a hash of an identity. A large group has a table of them, so
// that an identity that is not there is seldom looked for.
type fingerprint uint32

// seed is shared by all groups; identities are hashed for look-up only, so
// that another process may hash differently.
var seed = maphash.MakeSeed()

func fingerprintOf(id string) fingerprint { return max(fingerprint(maphash.String(seed, id)), 1) }

func (f fingerprint) hash() uint32 { return uint32(f) }

// home is where an item belongs: the order of homes is that of hashes.
func (t *table[T]) home(hash uint32) int {
	high, _ := bits.Mul32(hash, uint32(len(t.slots)))
	return int(high)
}

func (t *table[T]) next(i int) int {
	if i++; i == len(t.slots) {
		return 0
	}
	return i
}

// find returns an item with a hash that is the one looked for, or zero.
func (t *table[T]) find(hash uint32, is func(T) bool) (v T) {
	if t.n == 0 {
		return v
	}
	var zero T
	i := t.home(hash)
	for t.slots[i] != zero && (t.slots[i].hash() != hash || !is(t.slots[i])) {
		i = t.next(i)
	}
	return t.slots[i]
}

func (t *table[T]) has(v T) bool {
	var zero T
	return t.find(v.hash(), func(o T) bool { return o == v }) != zero
}

func (t *table[T]) add(v T) {
	if t.n >= len(t.slots)/4*3 {
		t.resize(len(t.slots) + len(t.slots)/4 + 4)
	}
	t.put(v)
	t.n++
}

func (t *table[T]) resize(n int) {
	var zero T
	old := t.slots
	t.slots = resized[T](nil, n)
	t.slots = t.slots[:cap(t.slots)]
	for _, v := range old {
		if v != zero {
			t.put(v)
		}
	}
}

func (t *table[T]) put(v T) {
	var zero T
	i := t.home(v.hash())
	for t.slots[i] != zero {
		i = t.next(i)
	}
	t.slots[i] = v
}

// drop takes an item out that is there, and moves up those that had to give way
// to it.
func (t *table[T]) drop(v T) {
	var zero T
	hole := t.home(v.hash())
	for t.slots[hole] != v {
		hole = t.next(hole)
	}
	for i := t.next(hole); t.slots[i] != zero; i = t.next(i) {
		home := t.home(t.slots[i].hash())
		stays := hole < home && home <= i
		if i < hole { // around the end
			stays = hole < home || home <= i
		}
		if !stays {
			t.slots[hole], hole = t.slots[i], i
		}
	}
	t.slots[hole] = zero
	t.n--
}

// filter keeps the items for which keep is true.
func (t *table[T]) filter(keep func(T) bool) {
	var zero T
	kept := table[T]{}
	for _, v := range t.slots {
		if v != zero && keep(v) {
			kept.add(v)
		}
	}
	*t = kept
}
