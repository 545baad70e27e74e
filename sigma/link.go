package sigma

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trailbell/trailbell/sigma/window"
)

const (
	// maxDepth bounds the correlations of a chain from the outermost to the
	// innermost.
	maxDepth = 8
	// maxLevels bounds all correlations that one chain is made of.
	maxLevels = 64
)

// link is a correlation whose rules have been found.
type link struct {
	correlation *Correlation
	meta        *Meta
	members     []*entry // by bit
	counter     *counter
	condition   window.Condition
	depth       int
}

// state of an entry that is a correlation.
type state uint8

const (
	unseen  state = iota
	open          // its rules are being looked at: to meet it again is a cycle
	linked        // it works
	failed        // it does not, and why has been said
	foreign       // it counts a rule that is not for CloudTrail
)

// link resolves the rules of a correlation, those of the correlations among
// them first.
func (k *compiler) link(e *entry) {
	if e.state != unseen || e.disabled {
		return
	}
	e.state = open
	e.state = k.resolve(e)
}

func (k *compiler) resolve(e *entry) state {
	c := e.correlation
	if c.Timespan > k.opts.Horizon {
		k.errorAt(e.meta, c.timespanAt, "correlation.timespan: %s is longer than the horizon of %s, beyond which events are forgotten; shorten it, or raise the horizon (correlator.horizon in the configuration)", formatSpan(c.Timespan), formatSpan(k.opts.Horizon))
		return failed
	}
	l := &link{correlation: c, meta: e.meta, depth: 1}
	bitsOf := map[string]uint64{} // of each reference
	for i, reference := range c.Rules {
		at := position{}
		if i < len(c.ruleAt) {
			at = c.ruleAt[i]
		}
		member, state := k.member(e, reference, at)
		if state != linked {
			return state
		}
		if inner := member.link; inner != nil {
			l.depth = max(l.depth, inner.depth+1)
		}
		bit := slices.Index(l.members, member)
		if bit < 0 || c.Type == "temporal_ordered" {
			bit = len(l.members)
			l.members = append(l.members, member)
		}
		bitsOf[reference] |= 1 << bit
	}
	if l.depth > maxDepth {
		k.errorAt(e.meta, position{}, "correlation.rules: the chain of correlations is %d deep and at most %d are possible", l.depth, maxDepth)
		return failed
	}
	if !k.counter(e, l) {
		return failed
	}
	condition, err := conditionOf(c, bitsOf, len(l.members))
	if err != nil {
		k.errorAt(e.meta, c.conditionAt, "correlation.condition: %v", err)
		return failed
	}
	l.condition = condition
	e.link = l
	if n := len(levelsOf(e)); n > maxLevels {
		e.link = nil
		k.errorAt(e.meta, position{}, "correlation.rules: the chain is made of %d correlations and at most %d are possible", n, maxLevels)
		return failed
	}
	if e.meta.Level == 0 {
		for _, m := range l.members {
			e.meta.Level = max(e.meta.Level, m.meta.Level)
		}
	}
	k.level(e.meta)
	return linked
}

// member finds what a reference of a correlation stands for.
func (k *compiler) member(e *entry, reference string, at position) (*entry, state) {
	member := k.entries[reference]
	refuse := func(format string, args ...any) (*entry, state) {
		k.errorAt(e.meta, at, "correlation.rules: "+format, args...)
		return nil, failed
	}
	broken := func() (*entry, state) { return refuse("rule %q is broken; see its error", reference) }
	skip := func(what string) (*entry, state) {
		k.set.skipped = append(k.set.skipped, Skipped{Meta: *e.meta, Reason: fmt.Sprintf("it counts %s %q, which is not for CloudTrail", what, reference)})
		return nil, foreign
	}
	switch {
	case member == nil:
		return refuse("no rule has the id or name %q%s", reference, k.suggestName(reference))
	case member.kind == entryBroken:
		k.sayBroken(member)
		return broken()
	case member.kind == entryFilter:
		return refuse("%q is a filter, which matches nothing by itself; name a rule", reference)
	case member.kind == entrySkipped:
		return skip("rule")
	case member.kind == entryRule:
		return member, linked
	case member.disabled:
		return refuse("correlation %q is disabled, and this one counts it; disable both or none", reference)
	}
	if member == e {
		return refuse("it counts itself; write what else it shall count")
	}
	if member.state == open {
		return refuse("correlation %q counts this one in turn, so that neither can begin; take one of the two off the other's list", reference)
	}
	k.link(member)
	switch member.state {
	case foreign:
		return skip("correlation")
	case failed:
		return broken()
	}
	return member, linked
}

// counter compiles how records are read for a correlation: in one way, or with
// aliases in one for each combination of fields.
func (k *compiler) counter(e *entry, l *link) bool {
	c := l.correlation
	fieldsOf := make([]map[*entry]string, len(c.Aliases)) // of each alias
	for i, a := range c.Aliases {
		fieldsOf[i] = map[*entry]string{}
		for _, reference := range a.references() {
			at := a.at
			if j := slices.Index(a.rules, reference); j >= 0 {
				at = a.rulesAt[j]
			}
			m := k.entries[reference]
			if m == nil || !slices.Contains(l.members, m) {
				k.errorAt(e.meta, at, "correlation.aliases: alias %q: %q is not among the rules of the correlation%s", a.Name, reference, suggest(reference, c.Rules))
				return false
			}
			fieldsOf[i][m] = a.Fields[reference]
		}
	}
	read := func(names []string, m *entry) []string {
		fields := make([]string, len(names))
		for i, name := range names {
			fields[i] = name
			for j := range c.Aliases {
				if field, ok := fieldsOf[j][m]; ok && c.Aliases[j].Name == name {
					fields[i] = field
				}
			}
		}
		return fields
	}
	n := &counter{measure: correlationTypes[c.Type].measure}
	known := map[string]int{} // readings
	sources := map[string]int{}
	for bit, m := range l.members {
		group, values := read(c.GroupBy, m), read(c.Fields, m)
		source := strings.Join(values, "\x00")
		if _, ok := sources[source]; !ok {
			sources[source] = len(sources)
		}
		key := strings.Join(group, "\x00") + "\x00\x00" + source
		i, ok := known[key]
		if !ok {
			i = len(n.readings)
			known[key] = i
			n.readings = append(n.readings, reading{group: compilePaths(group), values: compilePaths(values), source: sources[source]})
		}
		n.readings[i].inputs |= 1 << bit
	}
	l.counter = n
	return true
}

// references returns the rules of an alias in the order of the file.
func (a *Alias) references() []string {
	if len(a.rules) == len(a.Fields) {
		return a.rules
	}
	return slices.Sorted(maps.Keys(a.Fields)) // not from a file
}

func compilePaths(fields []string) []fieldPath {
	var paths []fieldPath
	for _, field := range fields {
		paths = append(paths, compilePath(field))
	}
	return paths
}

// conditionOf turns the condition of a correlation into the window engine's.
func conditionOf(c *Correlation, bitsOf map[string]uint64, members int) (window.Condition, error) {
	t := correlationTypes[c.Type]
	w := window.Condition{Measure: t.measure, Percentile: c.Percentile}
	if c.Type == "value_median" {
		w.Percentile = 50
	}
	if c.Expr != nil {
		terms, err := termsOf(c.Expr, bitsOf)
		w.Terms = engineTerms(terms)
		return w, err
	}
	switch {
	case c.all && t.measure == window.OrderedRules:
		// To look for one sequence takes half of what it takes to measure the
		// longest one.
		var need []int
		for bit := range members {
			need = append(need, bit)
		}
		w.Terms = []window.Term{{Need: need}}
		return w, nil
	case c.all: // a rule may have been named twice, by its id and its name
		w.Bounds = []window.Bound{{Op: window.GTE, Value: int64(members)}}
		return w, nil
	}
	w.Bounds = c.Condition.bounds(t.numbers)
	return w, nil
}

// conditionText spells the condition as the file does.
func conditionText(c *Correlation) string {
	if c.Expr != nil {
		return c.Expr.String()
	}
	var parts []string
	switch {
	case len(c.Fields) == 1:
		parts = append(parts, "field: "+c.Fields[0])
	case len(c.Fields) > 1:
		parts = append(parts, "field: ["+strings.Join(c.Fields, ", ")+"]")
	}
	if c.Type == "value_percentile" {
		parts = append(parts, fmt.Sprintf("percentile: %d", c.Percentile))
	}
	return strings.Join(append(parts, c.Condition.String()), ", ")
}

// levelsOf returns the correlations that a chain is made of, the given one
// first and each after all that count it.
func levelsOf(root *entry) []*entry {
	var order []*entry
	seen := map[*entry]bool{}
	var visit func(e *entry)
	visit = func(e *entry) {
		seen[e] = true
		for _, m := range slices.Backward(e.link.members) {
			if m.link != nil && !seen[m] {
				visit(m)
			}
		}
		order = append(order, e)
	}
	visit(root)
	slices.Reverse(order)
	return order
}

// build makes the tree of a correlation that alerts, and tells its rules.
func (k *compiler) build(root *entry) {
	l := root.link
	c := &CompiledCorrelation{
		meta: *l.meta, kind: l.correlation.Type, groupBy: l.correlation.GroupBy, timespan: l.correlation.Timespan,
		condition: conditionText(l.correlation),
		inputs:    map[*CompiledRule][]window.Input{},
	}
	for _, m := range l.members {
		c.rules = append(c.rules, m.label())
	}
	entries := levelsOf(root)
	c.levels = make([]window.Level, len(entries))
	for i, e := range entries {
		c.levels[i].Timespan = e.link.correlation.Timespan.Milliseconds()
		c.levels[i].Condition = e.link.condition
		if len(entries) > 1 {
			c.levels[i].Sources = e.link.counter.sets()
		}
		c.counters = append(c.counters, e.link.counter)
		for bit, m := range e.link.members {
			in := window.Input{Level: i, Bit: uint(bit)}
			if m.rule == nil {
				inner := &c.levels[slices.Index(entries, m)]
				inner.Outer = append(inner.Outer, in)
				continue
			}
			if _, ok := c.inputs[m.rule]; !ok {
				m.rule.feeds = append(m.rule.feeds, c)
			}
			c.inputs[m.rule] = append(c.inputs[m.rule], in)
		}
	}
	if len(entries) > 1 {
		c.shared = sharedFields(entries)
	}
	c.fingerprint = c.definition()
	k.set.correlations = append(k.set.correlations, c)
	k.set.byID[c.meta.ID] = c
}

// sharedFields returns where, in the group-by of each level, the fields are
// that all levels have: the same path for every input.
func sharedFields(entries []*entry) [][]int {
	shared := make([][]int, len(entries))
	for _, field := range entries[0].link.correlation.GroupBy {
		var at []int
		for _, e := range entries {
			c := e.link.correlation
			i := slices.Index(c.GroupBy, field)
			if i < 0 || slices.ContainsFunc(c.Aliases, func(a Alias) bool { return a.Name == field }) {
				break
			}
			at = append(at, i)
		}
		if len(at) < len(entries) {
			continue
		}
		for i := range entries {
			shared[i] = append(shared[i], at[i])
		}
	}
	return shared
}
