package window

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestInt128(t *testing.T) {
	exact := func(a int128) *big.Int {
		v := new(big.Int).Lsh(big.NewInt(a.high), 64)
		return v.Add(v, new(big.Int).SetUint64(a.low))
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		// Not so great that a sum has more than 128 bits.
		c, d := rapid.Int64Range(-1<<62, 1<<62).Draw(t, "c"), rapid.Int64Range(-1<<62, 1<<62).Draw(t, "d")
		p, q := product(a, b), product(c, d)
		x, y := new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), new(big.Int).Mul(big.NewInt(c), big.NewInt(d))
		if exact(p).Cmp(x) != 0 {
			t.Fatalf("product(%d, %d) = %v", a, b, exact(p))
		}
		if got, want := exact(p.add(q)), new(big.Int).Add(x, y); got.Cmp(want) != 0 {
			t.Fatalf("%v + %v = %v", x, y, got)
		}
		if got, want := exact(p.sub(q)), new(big.Int).Sub(x, y); got.Cmp(want) != 0 {
			t.Fatalf("%v - %v = %v", x, y, got)
		}
		if got := p.compare(q); got != x.Cmp(y) {
			t.Fatalf("%v compared with %v: %d", x, y, got)
		}
		if wide(a).compare(wide(b)) != big.NewInt(a).Cmp(big.NewInt(b)) {
			t.Fatalf("%d compared with %d", a, b)
		}
	})
}
