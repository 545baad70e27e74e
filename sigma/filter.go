package sigma

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Filter is the syntax tree of a filter: an exception to rules that are not
// changed themselves. A rule with filters matches when its own condition and
// those of all its filters hold. Correlations are not filtered, but what they
// count is.
type Filter struct {
	Meta
	// LogSource is which rules the filter is for: those whose log source has
	// every part that is named here.
	LogSource LogSource
	// Any says that the filter is for all of these; Rules is empty then.
	Any bool
	// Rules are ids or names of the rules that the filter is for.
	Rules []string
	// Detections are the named searches in the order of the file.
	Detections []Detection
	// Condition combines them. An exception is a negation: "not by_terraform".
	Condition Expr

	ruleAt      []position
	conditionAt position
	top         top
}

// parseFilter reads the "filter" of a document.
func (d *document) parseFilter(meta Meta, source LogSource, top map[string]*yaml.Node) *Filter {
	f := &Filter{Meta: meta, LogSource: source}
	f.Level = 0
	if top["detection"] != nil {
		d.errorf(top["detection"], "a document has either a detection or a filter; put \"---\" between the two")
	}
	n := top["filter"]
	var condition, rules *yaml.Node
	for _, m := range d.mapping(n, "filter") {
		switch m.key.Value {
		case "condition":
			condition = m.value
		case "rules":
			rules = m.value
			d.parseFilterRules(f, m.value)
		default:
			f.Detections = append(f.Detections, d.parseDetection(m))
		}
	}
	if n.Kind != yaml.MappingNode {
		return f
	}
	if rules == nil {
		d.errorf(n, `filter: there are no "rules"; write a list of ids or names of rules, or "rules: any"`)
	}
	before := len(d.errs)
	switch {
	case condition == nil:
		d.errorf(n, `filter: there is no "condition"; write one such as "condition: not selection" with the name of a detection`)
	case len(f.Detections) == 0:
		d.errorf(n, `filter: there is nothing but a condition; write a detection such as "selection"`)
	case condition.Kind != yaml.ScalarNode:
		d.errorf(condition, `filter.condition must be one text, not %s; write "or" between alternatives`, describe(condition))
	}
	if len(d.errs) > before || condition == nil {
		return f
	}
	f.conditionAt = position{condition.Line, condition.Column}
	f.Condition = d.parseConditions(condition, f.Detections)
	return f
}

// parseFilterRules reads ids and names, or "any", alone or in a list, which "all"
// and an empty list stand for as well.
func (d *document) parseFilterRules(f *Filter, n *yaml.Node) {
	only := n
	if n.Kind == yaml.SequenceNode && len(n.Content) == 1 {
		only = n.Content[0]
	}
	all := n.Kind == yaml.SequenceNode && len(n.Content) == 0 ||
		only.Kind == yaml.ScalarNode && (strings.EqualFold(only.Value, "any") || strings.EqualFold(only.Value, "all"))
	if all {
		f.Any = true
		return
	}
	before := len(d.errs)
	f.Rules, f.ruleAt = d.texts(n, "filter.rules")
	if len(f.Rules) == 0 && len(d.errs) == before {
		d.errorf(n, `filter.rules is %s; write a list of ids or names of rules, or "any"`, describe(n))
	}
}

// contains reports whether a filter for the log source s is for rules of r:
// every part that s names is named by r.
func (s LogSource) contains(r LogSource) bool {
	part := func(s, r string) bool { return s == "" || strings.EqualFold(s, r) }
	return part(s.Category, r.Category) && part(s.Product, r.Product) && part(s.Service, r.Service)
}

// String formats as rules spell it: "{product: aws, service: cloudtrail}".
func (s LogSource) String() string {
	var parts []string
	for _, p := range []struct{ key, value string }{{"category", s.Category}, {"product", s.Product}, {"service", s.Service}} {
		if p.value != "" {
			parts = append(parts, p.key+": "+p.value)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// compiledFilter is a filter with its matcher.
type compiledFilter struct {
	filter *Filter
	node   node
}

// filter compiles a filter and finds the rules that it is for.
func (k *compiler) filter(e *entry, f *Filter) {
	condition, err := k.expr(f.Condition, f.Detections)
	if err != nil {
		e.unsaid = err
		k.sayBroken(e)
		return
	}
	compiled := compiledFilter{f, condition}
	if f.Any {
		for _, r := range k.order {
			if r.kind == entryRule && f.LogSource.contains(r.source.LogSource) {
				r.filters = append(r.filters, compiled)
			}
		}
	}
	elsewhere := 0
	for i, reference := range f.Rules {
		at := position{}
		if i < len(f.ruleAt) {
			at = f.ruleAt[i]
		}
		r := k.entries[reference]
		switch {
		case r == nil:
			k.errorAt(e.meta, at, "filter.rules: no rule has the id or name %q%s", reference, k.suggestName(reference))
		case r.kind == entryBroken:
			k.errorAt(e.meta, at, "filter.rules: rule %q is broken; see its error", reference)
		case r.kind == entryCorrelation:
			k.errorAt(e.meta, at, "filter.rules: %q is a correlation, and filters are for the rules that it counts; name %s", reference, strings.Join(r.correlation.Rules, ", "))
		case r.kind == entryFilter:
			k.errorAt(e.meta, at, "filter.rules: %q is a filter; name the rules that it is for", reference)
		case r.kind == entrySkipped:
			elsewhere++
		case !f.LogSource.contains(r.source.LogSource):
			k.errorAt(e.meta, at, "filter.rules: rule %q has the logsource %s, which this filter's %s does not take in; write no more into the filter's than the rule has", reference, r.source.LogSource, f.LogSource)
		case !slices.ContainsFunc(r.filters, func(c compiledFilter) bool { return c.filter == f }):
			r.filters = append(r.filters, compiled)
		}
	}
	if elsewhere > 0 && elsewhere == len(f.Rules) {
		k.set.skipped = append(k.set.skipped, Skipped{Meta: *e.meta, Reason: fmt.Sprintf("it is for rule %q, which is not for CloudTrail", f.Rules[0])})
		return
	}
	e.filter = f
}
