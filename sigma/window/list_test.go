package window

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A list is a slice, whatever its length.
func TestListIsASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l list[int]
		var want []int
		next := 0
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"insert", "insert", "remove", "filter"}).Draw(t, "step") {
			case "insert":
				at := rapid.Float64Range(0, 1).Draw(t, "at")
				for range rapid.SampledFrom([]int{1, 3, ringSize / 2, ringSize, 2*ringSize + 1}).Draw(t, "n") {
					i := int(at * float64(len(want)))
					l.insert(i, next)
					want = slices.Insert(want, i, next)
					next++
				}
			case "remove":
				at := rapid.Float64Range(0, 0.999).Draw(t, "at")
				for range min(len(want), rapid.SampledFrom([]int{1, 3, ringSize / 2, ringSize}).Draw(t, "n")) {
					i := int(at * float64(len(want)))
					l.remove(i)
					want = slices.Delete(want, i, i+1)
				}
			case "filter":
				modulus := rapid.IntRange(1, 7).Draw(t, "modulus")
				l.filter(func(i int) bool { return i%modulus == 0 })
				var kept []int
				for i, v := range want {
					if i%modulus == 0 {
						kept = append(kept, v)
					}
				}
				want = kept
			}
			if l.len() != len(want) {
				t.Fatalf("%d items, want %d", l.len(), len(want))
			}
			for i, v := range want {
				if *l.at(i) != v {
					t.Fatalf("item %d is %d, want %d", i, *l.at(i), v)
				}
			}
		}
	})
}
