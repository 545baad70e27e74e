package correlator

import (
	"fmt"
	"time"

	"github.com/trailbell/trailbell/sigma"
)

// readings names, for each correlation, how an owner reads the log for it: by
// which definition, and within which horizon.
//
// An owner passes over the matches for a definition that it does not know. While
// processes with other rules share the partitions, as in a rolling restart, what
// it has written everything for is therefore known by reading, and the next owner
// writes what is new to all before it.
type readings map[*sigma.CompiledCorrelation]string

func readingsOf(rules *sigma.Set, horizon time.Duration) readings {
	r := readings{}
	for _, c := range rules.Correlations() {
		r[c] = fmt.Sprintf("%s %08x %s", c.Meta().ID, c.Fingerprint(), horizon)
	}
	return r
}
