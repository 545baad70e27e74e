package correlator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/trailbell/trailbell/internal/progress"
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

// begin returns up to where in MATCHES others have written everything for each
// correlation, and from where on in ALERTS somebody may have written knowing less.
func (p *partition) begin(ctx context.Context) (quiet map[*sigma.CompiledCorrelation]uint64, from uint64, err error) {
	matches, err := p.stores.matchesNow(ctx)
	if err != nil {
		return nil, 0, err
	}
	// Whoever wrote for a reading had begun with it. So what was written before
	// somebody did need not be looked at.
	from = p.visitors.heard()
	first := max(matches.FirstSeq, 1)
	known, err := p.known.Begin(ctx, slices.Collect(maps.Values(p.readings)), progress.Pair{Sequence: first - 1, Other: from}, first)
	if err != nil {
		return nil, 0, err
	}
	quiet = map[*sigma.CompiledCorrelation]uint64{}
	for c, reading := range p.readings {
		quiet[c] = known[reading].Sequence
		from = min(from, known[reading].Other)
	}
	return quiet, from, nil
}

// note writes the readings.
func (p *partition) note(ctx context.Context) error {
	pairs := map[string]progress.Pair{}
	for c, reading := range p.readings {
		pairs[reading] = progress.Pair{Sequence: max(p.owner.written(), p.owner.quiet[c]), Other: p.noted}
	}
	return p.known.Raise(ctx, pairs)
}
