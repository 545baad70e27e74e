package window

import (
	"cmp"
	"math/bits"
)

// int128 is a signed integer of 128 bits in two's complement: more than a
// group can add up.
type int128 struct {
	high int64
	low  uint64
}

func wide(v int64) int128 { return int128{v >> 63, uint64(v)} }

func (a int128) add(b int128) int128 {
	low, carry := bits.Add64(a.low, b.low, 0)
	high, _ := bits.Add64(uint64(a.high), uint64(b.high), carry)
	return int128{int64(high), low}
}

func (a int128) sub(b int128) int128 {
	low, borrow := bits.Sub64(a.low, b.low, 0)
	high, _ := bits.Sub64(uint64(a.high), uint64(b.high), borrow)
	return int128{int64(high), low}
}

func (a int128) compare(b int128) int {
	return cmp.Or(cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low))
}

// product returns a*b.
func product(a, b int64) int128 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	// The product of the bit patterns counts 2^64 too much of the other one
	// for each that is negative.
	return int128{int64(high) - (a>>63)&b - (b>>63)&a, low}
}
