package sigma

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// DefaultHorizon is how far apart two events may arrive and still be
// correlated, unless Options say otherwise.
const DefaultHorizon = 24 * time.Hour

// Options for Compile.
type Options struct {
	// Horizon bounds the timespan of correlations; a longer one is an error.
	// Zero is DefaultHorizon.
	Horizon time.Duration
	// Disable lists ids or names of rules and correlations that shall not
	// alert. A disabled rule still counts for the correlations over it; a
	// disabled correlation is left out altogether.
	Disable []string
	// Level overrides levels by id or name.
	Level map[string]Level
	// Placeholders are the values that stand for %name% under the modifier
	// "expand", by name without the percent signs. Wildcards in them work as in
	// a rule. A placeholder that is not here is an error of the rule.
	Placeholders map[string][]string
}

// Set is a compiled collection. It is immutable and safe for concurrent use.
type Set struct {
	rules        []*CompiledRule
	correlations []*CompiledCorrelation
	skipped      []Skipped
	byID         map[string]*CompiledCorrelation
	fields       []fieldPath
	index        index
	readers      sync.Pool
	placeholders map[string][]string
	// Slots of the fields whose values the caller of Candidates knows; -1 when
	// no rule reads them.
	sourceSlot, nameSlot int
}

// CompiledRule is a detection rule of a Set.
type CompiledRule struct {
	meta      Meta
	source    *Rule // for people who ask why
	condition node
	alerts    bool
	feeds     []*CompiledCorrelation
	pins      pins
	order     int // in the set
}

// Meta describes the rule, with its level as overridden. It must not be
// changed.
func (r *CompiledRule) Meta() *Meta { return &r.meta }

// Alerts reports whether a match is an alert by itself. It is not when the
// rule is disabled, and not when correlations refer to the rule and none of
// them says "generate: true".
func (r *CompiledRule) Alerts() bool { return r.alerts }

// Feeds returns the correlations that count the rule's matches. It must not be
// changed.
func (r *CompiledRule) Feeds() []*CompiledCorrelation { return r.feeds }

// Rules returns the rules that are tried, in the order of the collection. A
// rule that neither alerts nor feeds a correlation is not among them. The
// slice must not be changed.
func (s *Set) Rules() []*CompiledRule { return s.rules }

// Correlations returns the correlations in the order of the collection. The
// slice must not be changed.
func (s *Set) Correlations() []*CompiledCorrelation { return s.correlations }

// Correlation returns the correlation with an id, or nil.
func (s *Set) Correlation(id string) *CompiledCorrelation { return s.byID[id] }

// Skipped returns the rules and correlations that are not for CloudTrail.
func (s *Set) Skipped() []Skipped { return s.skipped }

// Compile checks a collection as a whole and builds its matchers. What is
// wrong is returned beside what could be compiled: of two rules with one id or
// name the first is kept, and a correlation that cannot work is left out.
func Compile(c *Collection, opts Options) (*Set, []error) {
	k := compiler{
		set:      &Set{skipped: slices.Clone(c.Skipped), byID: map[string]*CompiledCorrelation{}, placeholders: opts.Placeholders},
		opts:     opts,
		entries:  map[string]*entry{},
		slots:    map[string]int{},
		switches: map[string]bool{},
	}
	if k.opts.Horizon == 0 {
		k.opts.Horizon = DefaultHorizon
	}
	for _, name := range opts.Disable {
		k.switches[name] = true
	}
	for i := range c.Skipped {
		k.skip(&c.Skipped[i])
	}
	for _, rule := range c.Rules {
		k.rule(rule)
	}
	for _, correlation := range c.Correlations {
		k.declare(correlation)
	}
	for _, e := range k.order {
		if e.correlation != nil {
			k.link(e)
		}
	}
	k.checkOptions()
	k.finish()
	return k.set, k.errs
}

// entry is what an id or a name stands for.
type entry struct {
	meta        *Meta
	rule        *CompiledRule // nil for a correlation, and for a skipped rule
	correlation *Correlation  // nil for a rule
	disabled    bool
	referenced  bool // by a correlation that is not disabled
	generated   bool // by one that says so
}

// foreign reports whether the entry is a skipped rule.
func (e *entry) foreign() bool { return e.rule == nil && e.correlation == nil }

type compiler struct {
	set      *Set
	opts     Options
	errs     []error
	order    []*entry
	entries  map[string]*entry // by id and by name
	slots    map[string]int    // of fields
	switches map[string]bool   // ids and names that are disabled
}

func (k *compiler) errorAt(m *Meta, at position, format string, args ...any) {
	if at.line == 0 {
		at = position{line: m.Line}
	}
	k.errs = append(k.errs, &Error{File: m.File, Line: at.line, Column: at.column, Rule: m.Title, Msg: fmt.Sprintf(format, args...)})
}

// register enters a rule under its id and its name, or refuses it.
func (k *compiler) register(e *entry) bool {
	for _, key := range []struct{ kind, value string }{{"id", e.meta.ID}, {"name", e.meta.Name}} {
		first, taken := k.entries[key.value]
		if key.value == "" || !taken || first.foreign() {
			continue
		}
		k.errorAt(e.meta, position{}, "%s %q is taken by rule %q in %s:%d; give one of the two another", key.kind, key.value, first.meta.Title, first.meta.File, first.meta.Line)
		return false
	}
	e.disabled = k.switches[e.meta.ID] || k.switches[e.meta.Name]
	k.entries[e.meta.ID] = e
	if e.meta.Name != "" {
		k.entries[e.meta.Name] = e
	}
	k.order = append(k.order, e)
	return true
}

// skip makes a rule of another log source known, so that a correlation over it
// is skipped and not refused. It does not keep a rule of ours from its id.
func (k *compiler) skip(s *Skipped) {
	e := &entry{meta: &s.Meta}
	k.entries[s.ID] = e
	if s.Name != "" {
		k.entries[s.Name] = e
	}
}

func (k *compiler) level(m *Meta) {
	if level, ok := k.opts.Level[m.ID]; ok {
		m.Level = level
	} else if level, ok := k.opts.Level[m.Name]; ok && m.Name != "" {
		m.Level = level
	}
}

func (k *compiler) rule(rule *Rule) {
	compiled := &CompiledRule{meta: rule.Meta, source: rule}
	detections := make(map[string]*Detection, len(rule.Detections))
	for i := range rule.Detections {
		detections[rule.Detections[i].Name] = &rule.Detections[i]
	}
	condition, err := k.expr(rule.Condition, detections)
	if err != nil {
		at := position{}
		if value, ok := err.(*valueError); ok {
			at = value.at
		}
		k.errorAt(&rule.Meta, at, "%v", err)
		return
	}
	if !k.register(&entry{meta: &compiled.meta, rule: compiled}) {
		return
	}
	k.level(&compiled.meta)
	compiled.condition = condition
	compiled.pins = k.pins(condition)
}

func (k *compiler) declare(c *Correlation) {
	meta := c.Meta
	k.register(&entry{meta: &meta, correlation: c})
}

// link resolves the rules of a correlation.
func (k *compiler) link(e *entry) {
	c := e.correlation
	if e.disabled {
		return
	}
	if c.Timespan > k.opts.Horizon {
		k.errorAt(e.meta, c.timespanAt, "correlation.timespan: %s is longer than the horizon of %s, beyond which events are forgotten; shorten it, or raise the horizon", formatSpan(c.Timespan), formatSpan(k.opts.Horizon))
		return
	}
	compiled := &CompiledCorrelation{meta: *e.meta, groupBy: c.GroupBy, timespan: c.Timespan, condition: c.Condition}
	var members []*entry
	for i, reference := range c.Rules {
		at := position{}
		if i < len(c.ruleAt) {
			at = c.ruleAt[i]
		}
		member, ok := k.entries[reference]
		switch {
		case !ok:
			k.errorAt(e.meta, at, "correlation.rules: no rule has the id or name %q%s", reference, suggest(reference, k.names()))
			return
		case member.correlation != nil:
			k.errorAt(e.meta, at, "correlation.rules: %q is a correlation, and a correlation over a correlation is not supported by this version", reference)
			return
		case member.foreign():
			k.set.skipped = append(k.set.skipped, Skipped{Meta: *e.meta, Reason: fmt.Sprintf("it counts rule %q, which is not for CloudTrail", reference)})
			return
		}
		if !slices.Contains(members, member) {
			members = append(members, member)
		}
	}
	for _, m := range members {
		compiled.meta.Level = max(compiled.meta.Level, inherited(c.Meta.Level, m.meta.Level))
		m.referenced = true
		m.generated = m.generated || c.Generate
		m.rule.feeds = append(m.rule.feeds, compiled)
	}
	k.level(&compiled.meta)
	for _, field := range c.GroupBy {
		compiled.fields = append(compiled.fields, compilePath(field))
	}
	k.set.correlations = append(k.set.correlations, compiled)
	k.set.byID[compiled.meta.ID] = compiled
}

// inherited is the level that a rule lends to a correlation over it: its own
// when the correlation has none.
func inherited(own, member Level) Level {
	if own != 0 {
		return own
	}
	return member
}

// names returns all names of rules, for suggestions.
func (k *compiler) names() []string {
	var names []string
	for _, e := range k.order {
		if e.meta.Name != "" && e.correlation == nil {
			names = append(names, e.meta.Name)
		}
	}
	return names
}

// checkOptions refuses options that name nothing, which would be a misspelt
// exception that does not work.
func (k *compiler) checkOptions() {
	var all []string
	for _, e := range k.order {
		all = append(all, cmp.Or(e.meta.Name, e.meta.ID))
	}
	check := func(option, reference string) {
		if k.entries[reference] == nil {
			k.errs = append(k.errs, &Error{Msg: fmt.Sprintf("%s: no rule has the id or name %q%s", option, reference, suggest(reference, all))})
		}
	}
	for _, reference := range k.opts.Disable {
		check("disable", reference)
	}
	references := make([]string, 0, len(k.opts.Level))
	for reference := range k.opts.Level {
		references = append(references, reference)
	}
	slices.Sort(references)
	for _, reference := range references {
		check("level", reference)
	}
}

// finish decides which rules alert, drops those that do nothing, and builds
// the index over the rest.
func (k *compiler) finish() {
	s := k.set
	for _, e := range k.order {
		if e.rule == nil {
			continue
		}
		muted := e.referenced && !e.generated
		e.rule.alerts = !e.disabled && !muted
		if !e.rule.alerts && len(e.rule.feeds) == 0 {
			continue
		}
		e.rule.order = len(s.rules)
		s.rules = append(s.rules, e.rule)
	}
	s.index = buildIndex(s.rules)
	s.sourceSlot, s.nameSlot = k.slotOf(sourceField), k.slotOf(nameField)
	fields := s.fields
	s.readers.New = func() any { return &reader{fields: fields, slots: make([]slot, len(fields))} }
}

func (k *compiler) slotOf(field string) int {
	if i, ok := k.slots[field]; ok {
		return i
	}
	return -1
}

// slot returns the slot of a field, a new one for a field that no rule before
// has read.
func (k *compiler) slot(field string) int {
	if i := k.slotOf(field); i >= 0 {
		return i
	}
	i := len(k.set.fields)
	k.slots[field] = i
	k.set.fields = append(k.set.fields, compilePath(field))
	return i
}

func (k *compiler) expr(x Expr, detections map[string]*Detection) (node, error) {
	switch x := x.(type) {
	case And:
		return k.exprs(x, true, detections)
	case Or:
		return k.exprs(x, false, detections)
	case Not:
		n, err := k.expr(x.X, detections)
		return notNode{n}, err
	case Ref:
		return k.detection(detections[x.Name])
	case Of:
		nodes := make([]node, len(x.Names))
		for i, name := range x.Names {
			n, err := k.detection(detections[name])
			if err != nil {
				return nil, err
			}
			nodes[i] = n
		}
		return join(nodes, x.All), nil
	}
	panic(fmt.Sprintf("sigma: %T in a condition", x))
}

func (k *compiler) exprs(xs []Expr, all bool, detections map[string]*Detection) (node, error) {
	nodes := make([]node, len(xs))
	for i, x := range xs {
		n, err := k.expr(x, detections)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return join(nodes, all), nil
}

func join(nodes []node, all bool) node {
	switch {
	case len(nodes) == 1:
		return nodes[0]
	case all:
		return andNode(nodes)
	}
	return orNode(nodes)
}

func (k *compiler) detection(s *Detection) (node, error) {
	alternatives := make([]node, len(s.Alternatives))
	for i, items := range s.Alternatives {
		nodes := make([]node, len(items))
		for j := range items {
			n, err := k.item(&items[j])
			if err != nil {
				return nil, err
			}
			nodes[j] = n
		}
		alternatives[i] = join(nodes, true)
	}
	return join(alternatives, false), nil
}

func (k *compiler) item(item *Item) (node, error) {
	if item.FieldRef {
		n := &fieldRefNode{slot: k.slot(item.Field), op: item.Op, cased: item.Cased, negated: item.Negated, all: item.All != item.Negated}
		for i := range item.Values {
			n.others = append(n.others, k.slot(item.Values[i].Text))
		}
		return n, nil
	}
	var tests []test
	for i := range item.Values {
		v := &item.Values[i]
		compiled, err := item.compile(v, k.opts.Placeholders)
		if err == nil && len(tests)+len(compiled) > maxVariants {
			err = errVariants
		}
		switch {
		case err != nil:
			return nil, &valueError{position{v.Line, v.Column}, item.Field, err}
		case item.All && len(compiled) > 1:
			tests = append(tests, test{kind: testAny, any: compiled})
		default:
			tests = append(tests, compiled...)
		}
	}
	if item.Field == "" {
		return &keywordNode{tests: tests, all: item.All}, nil
	}
	return &fieldNode{slot: k.slot(item.Field), tests: tests, all: item.All, negated: item.Negated}, nil
}

// valueError is what is wrong with a value that only Options can tell.
type valueError struct {
	at    position
	field string
	err   error
}

func (e *valueError) Error() string {
	if e.field == "" {
		return e.err.Error()
	}
	return fmt.Sprintf("field %q: %v", e.field, e.err)
}

// compile compiles one value of an item. It is several tests, of which any may
// hold, when the modifiers make several texts of the value.
func (item *Item) compile(v *Value, placeholders map[string][]string) ([]test, error) {
	switch {
	case item.FieldRef:
		return nil, nil
	case item.Op == OpExists && v.Text == "true":
		return []test{{kind: testExists}}, nil
	case item.Op == OpExists:
		return []test{{kind: testMissing}}, nil
	case v.Kind == Null:
		return []test{{kind: testNull}}, nil
	case item.Part != 0, item.Op.order():
		t := test{kind: testOrder, op: item.Op, part: item.Part, number: parseNumber(v.Text)}
		return []test{t}, nil
	case item.Op == OpRegexp:
		return item.compileRegexps(v, placeholders)
	}
	texts, err := item.variants(v, placeholders)
	if err != nil {
		return nil, err
	}
	tests := make([]test, len(texts))
	for i, tokens := range texts {
		if item.Op == OpCIDR {
			network, err := parseNetwork(tokens)
			if err != nil {
				return nil, err
			}
			tests[i] = test{kind: testNetwork, network: network}
			continue
		}
		tests[i] = test{kind: testPattern, pattern: compilePattern(tokens, item.Op, item.Cased)}
		if tests[i].pattern.kind == patternAny {
			tests[i].kind = testPresent
		}
	}
	return tests, nil
}

func (item *Item) compileRegexps(v *Value, placeholders map[string][]string) ([]test, error) {
	exprs := []string{v.Text}
	if slices.Contains(item.Transforms, Expand) {
		var err error
		if exprs, err = expandRegexp(v.Text, placeholders); err != nil {
			return nil, err
		}
	}
	tests := make([]test, len(exprs))
	for i, expr := range exprs {
		re, err := compileRegexp(expr, item.Flags)
		if err != nil {
			return nil, err
		}
		tests[i] = test{kind: testRegexp, re: re}
	}
	return tests, nil
}

// formatSpan writes a duration in the largest unit that is exact, as rules do.
func formatSpan(d time.Duration) string {
	for _, u := range []byte("dhms") {
		if unit := timespanUnits[u]; d%unit == 0 {
			return fmt.Sprintf("%d%c", d/unit, u)
		}
	}
	return d.String()
}
