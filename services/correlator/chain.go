package correlator

import (
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/window"
)

// insertChain folds a match of a correlation over correlations. It has groups at
// every level, and alerts of the outermost one only. What can ever count
// together has one key, and so one partition:
//
//	match -> chain of its key -> inner groups -> groups of the outermost level -> alerts
func (o *owner) insertChain(c *sigma.CompiledCorrelation, match *trailbellv1.Match, e window.Event) {
	id := streams.GroupID(c.Meta().ID, match.GetGroup())
	chain := o.chains[id]
	if chain == nil {
		chain = window.NewChain(c.Levels())
		o.chains[id] = chain
	}
	known, before := chain.Len(), chain.Size()
	for _, root := range chain.Insert(e, countsOf(match)) {
		g := o.group(c, root.Values)
		g.window = root.Group
		o.touched(g)
	}
	o.count(e.Stored, chain.Size()-before)
	if chain.Len() == known {
		o.metrics.repeats.Inc()
	}
}

func countsOf(match *trailbellv1.Match) []window.Count {
	counts := make([]window.Count, len(match.GetCounts()))
	for i, c := range match.GetCounts() {
		counts[i] = window.Count{Level: int(c.GetLevel()), Group: c.GetGroup(), Inputs: c.GetInputs(), Values: c.GetValues()}
	}
	return counts
}
