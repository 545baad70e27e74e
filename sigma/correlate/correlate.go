// Package correlate runs the rules and the correlations of a [sigma.Set] over
// records in memory: in a test of rules, in a notebook, over a file.
//
// Records may be added in any order, any number of times; what comes out is the
// same. Nothing is forgotten, so that a Correlator needs memory in proportion
// to the records that match. It is for a bounded number of them; who watches a
// stream without an end uses the engine, package window, directly and lets it
// forget.
package correlate

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/window"
)

// Correlator holds what has matched so far. It is not safe for concurrent use.
type Correlator struct {
	set *sigma.Set
	// seen are the matches by rule and identity.
	seen  map[match]bool
	flat  map[*sigma.CompiledCorrelation]map[string]*group
	chain map[*sigma.CompiledCorrelation]map[string]*window.Chain
	added uint64
	hits  []sigma.Hit
}

type match struct {
	rule *sigma.CompiledRule
	id   string
}

// group is a group of a correlation over rules.
type group struct {
	values []string
	*window.Group
}

// New returns a Correlator that has seen nothing.
func New(set *sigma.Set) *Correlator {
	return &Correlator{
		set: set, seen: map[match]bool{},
		flat:  map[*sigma.CompiledCorrelation]map[string]*group{},
		chain: map[*sigma.CompiledCorrelation]map[string]*window.Chain{},
	}
}

// Add takes a record into account and returns the rules that match it, in the
// order of the set; whether a rule alerts by itself is for its Alerts method to
// say. A rule that has matched a record with this identity before is left out:
// a record alerts once, however often it is delivered.
//
// The record is the JSON text of one valid CloudTrail record; it is not kept.
// Its time counts to the millisecond. Its identity is what a repeat of it has,
// too: for CloudTrail the eventID.
func (c *Correlator) Add(record []byte, at time.Time, id string) []*sigma.CompiledRule {
	c.added++
	// Str is empty for what is absent or not a string.
	source, name := gjson.GetBytes(record, "eventSource").Str, gjson.GetBytes(record, "eventName").Str
	matched := c.set.Candidates(source, name).AppendMatches(nil, record)
	event := window.Event{Time: at.UnixMilli(), ID: id, Seq: c.added}
	var counted []*sigma.CompiledCorrelation
	for _, rule := range matched {
		for _, correlation := range rule.Feeds() {
			if slices.Contains(counted, correlation) {
				continue
			}
			counted = append(counted, correlation)
			c.hits = correlation.Hits(c.hits[:0], matched, record)
			for i, hit := range c.hits {
				event.Index = uint32(i)
				c.count(correlation, event, hit)
			}
		}
	}
	return slices.DeleteFunc(matched, func(rule *sigma.CompiledRule) bool {
		m := match{rule, id}
		again := c.seen[m]
		c.seen[m] = true
		return again
	})
}

// count brings an event into the windows of a correlation.
func (c *Correlator) count(correlation *sigma.CompiledCorrelation, event window.Event, hit sigma.Hit) {
	key, levels := fmt.Sprintf("%q", hit.Key), correlation.Levels()
	if len(levels) > 1 {
		chains := c.chain[correlation]
		if chains == nil {
			chains = map[string]*window.Chain{}
			c.chain[correlation] = chains
		}
		if chains[key] == nil {
			chains[key] = window.NewChain(levels)
		}
		chains[key].Insert(event, hit.Counts)
		return
	}
	groups := c.flat[correlation]
	if groups == nil {
		groups = map[string]*group{}
		c.flat[correlation] = groups
	}
	if groups[key] == nil {
		groups[key] = &group{hit.Key, window.New(levels[0].Timespan, levels[0].Condition)}
	}
	event.Inputs, event.Values = hit.Counts[0].Inputs, hit.Counts[0].Values
	groups[key].Insert(event)
}

// groups returns the groups of a correlation in the order of their values.
func (c *Correlator) groups(correlation *sigma.CompiledCorrelation) []*group {
	all := slices.Collect(maps.Values(c.flat[correlation]))
	for _, chain := range c.chain[correlation] {
		for root := range chain.Roots() {
			all = append(all, &group{root.Values, root.Group})
		}
	}
	slices.SortFunc(all, func(a, b *group) int { return slices.Compare(a.values, b.values) })
	return all
}

// Episode is a maximal run of consecutive events of one group at which the
// condition of a correlation holds: one alert. Of a correlation over
// correlations the events are those at which what it counts holds.
type Episode struct {
	Correlation *sigma.CompiledCorrelation
	// Group are the values of the correlation's GroupBy fields, in their order.
	Group []string
	// First is the time of the earliest contributing event, Last that of the
	// last event at which the condition holds.
	First, Last time.Time
	// Events are the identities of the contributing events, in the order of
	// time.
	Events []string
	// Open says that no later event of the group fails to hold.
	Open bool
}

// Episodes returns the episodes of all that has been added so far: by
// correlation in the order of the set, then by group, then in the order of
// time.
func (c *Correlator) Episodes() []Episode {
	var all []Episode
	for _, correlation := range c.set.Correlations() {
		for _, g := range c.groups(correlation) {
			for e := range g.Episodes() {
				all = append(all, episode(correlation, g.values, e))
			}
		}
	}
	return all
}

func episode(correlation *sigma.CompiledCorrelation, values []string, e window.Episode) Episode {
	ids := make([]string, 0, e.Len())
	for event := range e.Events() {
		ids = append(ids, event.ID)
	}
	return Episode{
		Correlation: correlation, Group: values, Events: ids, Open: e.Open,
		First: time.UnixMilli(e.First().Time).UTC(), Last: time.UnixMilli(e.Last().Time).UTC(),
	}
}
