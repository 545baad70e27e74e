package window

import (
	"testing"

	"pgregory.net/rapid"
)

// An index is a multiset, also if its fingerprints belong into few slots and
// around the end.
func TestIndexIsAMultiset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fingerprint := rapid.OneOf(rapid.Uint32Range(1, 8), rapid.Uint32Min(1<<32-8), rapid.Uint32Min(1))
		x := index{}
		want := map[uint32]int{}
		var all []uint32
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(all) > 0 && rapid.IntRange(0, 2).Draw(t, "drop") == 0 {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				x.drop(all[i])
				want[all[i]]--
				all[i] = all[len(all)-1]
				all = all[:len(all)-1]
			} else {
				f := fingerprint.Draw(t, "fingerprint")
				x.add(f)
				want[f]++
				all = append(all, f)
			}
			for f, n := range want {
				if x.has(f) != (n > 0) {
					t.Fatalf("has(%d) = %v, and it is there %d times", f, x.has(f), n)
				}
			}
			if x.n != len(all) {
				t.Fatalf("%d fingerprints, want %d", x.n, len(all))
			}
		}
	})
}
