package window

import (
	"slices"
	"sort"
)

// bag is a sorted multiset of numbers, cut into parts of bounded length.
type bag struct {
	parts [][]int64 // none is empty
	n     int
}

const bagPart = 512

// find returns the part that v is in, or belongs to, where in it, and whether
// it is there.
func (b *bag) find(v int64) (part, at int, there bool) {
	part = sort.Search(len(b.parts), func(i int) bool { return b.parts[i][len(b.parts[i])-1] >= v })
	if len(b.parts) == 0 {
		return 0, 0, false
	}
	part = min(part, len(b.parts)-1)
	at, there = slices.BinarySearch(b.parts[part], v)
	return part, at, there
}

func (b *bag) has(v int64) bool {
	_, _, there := b.find(v)
	return there
}

func (b *bag) add(v int64) {
	if b.n++; len(b.parts) == 0 {
		b.parts = [][]int64{{v}}
		return
	}
	i, at, _ := b.find(v)
	b.parts[i] = inserted(b.parts[i], at, v)
	if p := b.parts[i]; len(p) == bagPart {
		b.parts[i] = resized(p[:bagPart/2], bagPart/2)
		b.parts = slices.Insert(b.parts, i+1, resized(p[bagPart/2:], bagPart/2))
	}
}

// drop takes v out, which is there.
func (b *bag) drop(v int64) {
	b.n--
	i, at, _ := b.find(v)
	b.parts[i] = slices.Delete(b.parts[i], at, at+1)
	if len(b.parts[i]) == 0 {
		b.parts = slices.Delete(b.parts, i, i+1)
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
