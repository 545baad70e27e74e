package correlator

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/window"
)

// windows is what a partition of MATCHES folds into: groups, and chains of them.
//
//	message -> match -> group                          -> touched
//	                 -> chain -> inner -> outer groups -> touched
//
// It is a function of the prefix of the partition that was folded, whoever
// folded it, and of nothing else: it reads no clock and knows no stream.
type windows struct {
	rules   *sigma.Set
	horizon int64 // milliseconds
	share   *share
	metrics *metrics

	definitions map[*sigma.CompiledCorrelation]*window.Definition
	chained     map[*sigma.CompiledCorrelation]*window.ChainDefinition

	groups map[streams.Group]*group
	chains map[streams.Group]*window.Chain // their roots are among the groups
	// touched are the groups that have been given something since whoever
	// writes their alerts last looked.
	touched map[*group]struct{}
	folding uint64 // sequence of the message that is being folded
	size    int    // of all groups and chains
	swept   int64  // what was stored before has been forgotten for the horizon
}

// group is one group of one correlation. Most have a few events and never say
// anything, so what is needed to speak is kept apart.
type group struct {
	id          streams.Group
	correlation *sigma.CompiledCorrelation
	values      []string
	// window is filled, and made to forget, by its chain, if the correlation is
	// chained.
	window *window.Group
	voice  *voice // nil until there has been something to say
	born   uint64 // sequence of the message that the group began with
}

// empty reports whether there is nothing that the group could say any more. What
// is gone out of it may be in an alert of somebody who does not know that yet.
func (g *group) empty() bool {
	for range g.window.Gone() {
		return false
	}
	return g.window.Len() == 0 && !g.window.Dirty()
}

// message is a message of MATCHES.
type message struct {
	sequence uint64
	stored   int64 // by the log, in milliseconds since the Unix epoch
	batch    *trailbellv1.MatchBatch
	// anew says that EVENTS has been made anew since: it has other records
	// where the message says that its own are.
	anew bool
}

const (
	minute = int64(time.Minute / time.Millisecond)
	second = int64(time.Second / time.Millisecond)
)

func newWindows(rules *sigma.Set, horizon time.Duration, s *share, m *metrics) *windows {
	return &windows{
		rules: rules, horizon: horizon.Milliseconds(), share: s, metrics: m,
		definitions: map[*sigma.CompiledCorrelation]*window.Definition{}, chained: map[*sigma.CompiledCorrelation]*window.ChainDefinition{},
		groups: map[streams.Group]*group{}, chains: map[streams.Group]*window.Chain{}, touched: map[*group]struct{}{},
	}
}

// horizonAt returns before when something must have been stored to be forgotten
// by the time a message is folded that the log stored at stored. It advances in
// whole steps, so that most messages have nothing to forget.
func (w *windows) horizonAt(stored int64) int64 {
	step := max(w.horizon/96/minute, 1) * minute
	return (stored - w.horizon) / step * step
}

// fold takes in one message.
func (w *windows) fold(m message) {
	evidence := m.batch.GetEventsSequence()
	if m.anew {
		evidence = gone
	}
	w.folding = m.sequence
	before := w.size
	chains := map[*window.Chain]*sigma.CompiledCorrelation{} // that got a match
	for i, match := range m.batch.GetMatches() {
		c := w.rules.Correlation(match.GetCorrelation())
		if c == nil || c.Fingerprint() != match.GetDefinition() || !fits(c, match) {
			w.metrics.outdated.Inc()
			continue // of a rule that is not loaded any more, or not as it was
		}
		w.metrics.folded.Inc()
		if match.GetTime() < m.stored-w.horizon {
			w.metrics.late.Inc()
		}
		e := window.Event{
			Time: match.GetTime(), ID: match.GetIdentity(),
			Seq: m.sequence, Index: uint32(i), Stored: m.stored,
			Evidence: window.Ref{Sequence: evidence, Record: match.GetRecord()},
		}
		known := false
		if c.Chained() {
			chain := w.chain(c, match.GetGroup())
			chains[chain] = c
			known = w.insertChain(chain, match, e)
		} else {
			known = w.insert(c, match, e)
		}
		if known {
			w.metrics.repeats.Inc()
		}
	}
	for chain, c := range chains {
		for _, root := range chain.Touched() {
			g := w.group(c, root.Values)
			g.window = root.Group
			w.touched[g] = struct{}{}
		}
	}
	w.share.add(m.stored/second, w.size-before)
}

// fits reports whether a match can be one of a correlation: it counts for levels
// that there are, and has the identity of a record. Anybody who may publish can
// write what no matcher does.
func fits(c *sigma.CompiledCorrelation, match *trailbellv1.Match) bool {
	return len(match.GetIdentity()) <= cloudtrail.MaxIdentity && !slices.ContainsFunc(match.GetCounts(), func(n *trailbellv1.Count) bool {
		return n.GetLevel() >= uint32(len(c.Levels()))
	})
}

// insert adds a match to its group. It reports whether it was there already.
func (w *windows) insert(c *sigma.CompiledCorrelation, match *trailbellv1.Match, e window.Event) bool {
	e.Inputs, e.Values = match.GetInputs(), match.GetValues()
	g := w.group(c, match.GetGroup())
	if g.window == nil {
		g.window = w.define(c).NewGroup()
	}
	before := g.window.Size()
	if !g.window.Insert(e) {
		return true
	}
	w.size += g.window.Size() - before
	w.touched[g] = struct{}{}
	return false
}

// define returns what the groups of a correlation share.
func (w *windows) define(c *sigma.CompiledCorrelation) *window.Definition {
	d := w.definitions[c]
	if d == nil {
		level := c.Levels()[0]
		d = window.Define(level.Timespan, level.Condition)
		w.definitions[c] = d
	}
	return d
}

// chain returns the chain of a key, which has all that can ever count together,
// and so is in one partition.
func (w *windows) chain(c *sigma.CompiledCorrelation, key []string) *window.Chain {
	id := streams.GroupOf(c.Meta().ID, key)
	chain := w.chains[id]
	if chain == nil {
		d := w.chained[c]
		if d == nil {
			d = window.DefineChain(c.Levels())
			w.chained[c] = d
		}
		chain = d.NewChain()
		w.chains[id] = chain
	}
	return chain
}

// insertChain adds a match to a chain. It reports whether it was there already.
// Which groups that touches is asked once for all matches of a message.
func (w *windows) insertChain(chain *window.Chain, match *trailbellv1.Match, e window.Event) bool {
	known, before := chain.Len(), chain.Size()
	chain.Insert(e, countsOf(match))
	w.size += chain.Size() - before
	return chain.Len() == known
}

func countsOf(match *trailbellv1.Match) []window.Count {
	counts := make([]window.Count, len(match.GetCounts()))
	for i, c := range match.GetCounts() {
		counts[i] = window.Count{Level: int(c.GetLevel()), Group: c.GetGroup(), Inputs: c.GetInputs(), Values: c.GetValues()}
	}
	return counts
}

// group returns the group of a correlation with these values, a new one without
// a window if there is none.
func (w *windows) group(c *sigma.CompiledCorrelation, values []string) *group {
	id := streams.GroupOf(c.Meta().ID, values)
	g := w.groups[id]
	if g == nil {
		// A match shares its memory with its message.
		g = &group{id: id, correlation: c, values: cloneAll(values), born: w.folding}
		w.groups[id] = g
		w.size += window.SizeOfGroup(g.values)
		w.metrics.groups.Inc()
	}
	return g
}

func cloneAll(values []string) []string {
	clones := slices.Clone(values)
	for i, v := range clones {
		clones[i] = strings.Clone(v)
	}
	return clones
}

// speakers returns the touched groups that have something to say, and looks at
// all as seen.
func (w *windows) speakers() iter.Seq[*group] {
	return func(yield func(*group) bool) {
		for g := range w.touched {
			delete(w.touched, g)
			if g.window.Dirty() && !yield(g) {
				return
			}
		}
	}
}

// forget drops what the log stored before cutoff: early, if not for the horizon
// but for the budget. What groups have to say must have been said, by us or by
// an owner who is ahead.
func (w *windows) forget(cutoff int64, early bool) {
	if !early {
		w.swept = cutoff
	}
	before := w.size
	for id, c := range w.chains {
		size := c.Size()
		c.Forget(cutoff)
		w.size -= size - c.Size()
		if c.Len() == 0 {
			delete(w.chains, id)
		}
	}
	for id, g := range w.groups {
		if !g.correlation.Chained() {
			size := g.window.Size()
			g.window.Forget(cutoff)
			w.size -= size - g.window.Size()
		}
		if g.empty() {
			delete(w.groups, id)
			w.size -= window.SizeOfGroup(g.values)
			delete(w.touched, g)
			w.metrics.groups.Dec()
		}
	}
	w.share.forgot(cutoff/second, before-w.size, early)
}

// close gives up what the windows hold.
func (w *windows) close() {
	w.metrics.groups.Sub(float64(len(w.groups)))
	w.share.close()
}
