package window

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// index has a fingerprint of every identity of a group, so that an identity
// that is not there is seldom looked for. It is a hash table with linear
// probing in which equal fingerprints have a slot each.
type index struct {
	slots []uint32 // 0: empty
	n     int
}

// seed is shared by all groups; identities are hashed for look-up only, so
// that another process may hash differently.
var seed = maphash.MakeSeed()

func fingerprint(id string) uint32 { return max(uint32(maphash.String(seed, id)), 1) }

// home is where a fingerprint belongs: the order of homes is theirs.
func (x *index) home(f uint32) int {
	high, _ := bits.Mul32(f, uint32(len(x.slots)))
	return int(high)
}

// find returns the slot of a fingerprint, or the empty one where it would be.
func (x *index) find(f uint32) int {
	i := x.home(f)
	for x.slots[i] != 0 && x.slots[i] != f {
		i = x.next(i)
	}
	return i
}

func (x *index) next(i int) int {
	if i++; i == len(x.slots) {
		return 0
	}
	return i
}

func (x *index) has(f uint32) bool { return x.slots[x.find(f)] == f }

func (x *index) add(f uint32) {
	if x.n >= len(x.slots)/4*3 {
		old := x.slots
		x.slots = slices.Grow([]uint32(nil), len(old)+len(old)/4+4)
		x.slots = x.slots[:cap(x.slots)]
		for _, f := range old {
			if f != 0 {
				x.put(f)
			}
		}
	}
	x.put(f)
	x.n++
}

func (x *index) put(f uint32) {
	i := x.home(f)
	for x.slots[i] != 0 {
		i = x.next(i)
	}
	x.slots[i] = f
}

// drop takes one fingerprint out, and moves up those that had to give way to
// it.
func (x *index) drop(f uint32) {
	hole := x.find(f)
	for i := x.next(hole); x.slots[i] != 0; i = x.next(i) {
		home := x.home(x.slots[i])
		stays := hole < home && home <= i
		if i < hole { // around the end
			stays = hole < home || home <= i
		}
		if stays {
			continue
		}
		x.slots[hole], hole = x.slots[i], i
	}
	x.slots[hole] = 0
	x.n--
}
