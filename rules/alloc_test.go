//go:build !race

package rules

import (
	"testing"

	"github.com/trailbell/trailbell/sigma"
)

// Not under -race, where sync.Pool drops what it is given at random.
func TestARecordThatMatchesNothingCostsNoAllocation(t *testing.T) {
	records, types := traffic(50)
	for name, set := range map[string]*sigma.Set{"shipped": func() *sigma.Set { _, s := shipped(t); return s }(), "sixty": sixty(t)} {
		for i, record := range records {
			candidates := set.Candidates(types[i][0], types[i][1])
			if candidates.Len() == 0 {
				t.Fatalf("%s: no rule is tried", name)
			}
			candidates.AppendMatches(nil, record) // fills the pool
			// A garbage collection may empty the pool once in between.
			if n := testing.AllocsPerRun(200, func() { candidates.AppendMatches(nil, record) }); n >= 1 {
				t.Errorf("%s: %v allocations on %s", name, n, types[i][1])
			}
		}
	}
}
