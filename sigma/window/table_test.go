package window

import (
	"testing"

	"pgregory.net/rapid"
)

// A table is a multiset, also if its items belong into few slots and around the
// end.
func TestTableIsAMultiset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Uint32Range(1, 8), rapid.Uint32Min(1<<32-8), rapid.Uint32Min(1))
		x := table[fingerprint]{}
		want := map[fingerprint]int{}
		var all []fingerprint
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(all) > 0 && rapid.IntRange(0, 2).Draw(t, "drop") == 0 {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				x.drop(all[i])
				want[all[i]]--
				all[i] = all[len(all)-1]
				all = all[:len(all)-1]
			} else {
				f := fingerprint(number.Draw(t, "item"))
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
				t.Fatalf("%d items, want %d", x.n, len(all))
			}
		}
	})
}
