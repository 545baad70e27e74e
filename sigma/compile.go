package sigma

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
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
	// Disable lists ids or names of rules, correlations and filters. A disabled
	// rule does not alert and still counts for the correlations over it; a
	// disabled correlation is left out altogether, and what counts it is an
	// error; a disabled filter filters nothing.
	Disable []string
	// Level overrides levels by id or name.
	Level map[string]Level
	// Placeholders are the values that stand for %name% under the modifier
	// "expand", by name without the percent signs. Wildcards in them work as in
	// a rule. A placeholder that is not here is an error of the rule, unless the
	// rule is disabled and nothing counts it.
	Placeholders map[string][]string
}

// Set is a compiled collection. It is immutable and safe for concurrent use.
type Set struct {
	rules        []*CompiledRule
	correlations []*CompiledCorrelation
	skipped      []Skipped
	warnings     []*Error
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
	filters   []*Filter
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

// runs reports whether anything comes of a match.
func (r *CompiledRule) runs() bool { return r.alerts || len(r.feeds) > 0 }

// Feeds returns the correlations that alert and need the rule's matches,
// directly or through the correlations that they count. It must not be
// changed.
func (r *CompiledRule) Feeds() []*CompiledCorrelation { return r.feeds }

// Filters returns the filters that a match has passed, in the order of the
// collection. It must not be changed.
func (r *CompiledRule) Filters() []*Filter { return r.filters }

// Rules returns the rules that are tried, in the order of the collection. A
// rule that neither alerts nor feeds a correlation is not among them. The
// slice must not be changed.
func (s *Set) Rules() []*CompiledRule { return s.rules }

// Correlations returns the correlations that alert, in the order of the
// collection. One that another counts is among them only when one that counts
// it says "generate: true"; it is then here, and a level of the other as well.
// The slice must not be changed.
func (s *Set) Correlations() []*CompiledCorrelation { return s.correlations }

// Correlation returns the correlation that alerts under an id, or nil.
func (s *Set) Correlation(id string) *CompiledCorrelation { return s.byID[id] }

// Skipped returns the rules, correlations and filters that are not for
// CloudTrail.
func (s *Set) Skipped() []Skipped { return s.skipped }

// Warnings returns what is legal but odd, in the order of the collection: it
// runs, and may not do what its author meant. The slice must not be changed.
func (s *Set) Warnings() []*Error { return s.warnings }

// Compile checks a collection as a whole and builds its matchers. What is
// wrong is returned beside what could be compiled: of two rules with one id or
// name the first is kept, and a correlation that cannot work is left out. Each
// error is an [*Error].
func Compile(c *Collection, opts Options) (*Set, []error) {
	k := compiler{
		set:      &Set{skipped: slices.Clone(c.Skipped), byID: map[string]*CompiledCorrelation{}, placeholders: opts.Placeholders},
		opts:     opts,
		entries:  map[string]*entry{},
		slots:    map[string]int{},
		switches: map[string]bool{},
		twice:    map[string]bool{},
	}
	if k.opts.Horizon == 0 {
		k.opts.Horizon = DefaultHorizon
	}
	for _, name := range opts.Disable {
		k.switches[name] = true
	}
	for i := range c.Skipped {
		k.mention(entrySkipped, &c.Skipped[i].Meta)
	}
	for i := range c.Broken {
		k.mention(entryBroken, &c.Broken[i])
	}
	for _, rule := range c.Rules {
		meta := rule.Meta
		k.level(&meta)
		k.register(&entry{kind: entryRule, meta: &meta, source: rule})
	}
	for _, correlation := range c.Correlations {
		meta := correlation.Meta
		k.register(&entry{kind: entryCorrelation, meta: &meta, correlation: correlation})
	}
	for _, filter := range c.Filters {
		meta := filter.Meta
		if e := (&entry{kind: entryFilter, meta: &meta}); k.register(e) && !e.disabled {
			k.filter(e, filter)
		}
	}
	for _, e := range k.order {
		if e.kind == entryRule {
			k.rule(e)
		}
	}
	for _, e := range k.order {
		if e.kind == entryCorrelation {
			k.link(e)
		}
	}
	k.checkOptions()
	k.finish()
	return k.set, k.errs
}

// entryKind says what an id or a name stands for.
type entryKind uint8

const (
	entryRule entryKind = iota
	entryCorrelation
	entryFilter
	entrySkipped // not for CloudTrail
	entryBroken  // its document has errors
)

// entry is what an id or a name stands for.
type entry struct {
	kind     entryKind
	meta     *Meta
	disabled bool
	// unsaid is what keeps a disabled rule from running, as long as nobody
	// needs it.
	unsaid error

	// Of a rule.
	source  *Rule
	filters []compiledFilter
	rule    *CompiledRule

	// Of a filter; nil when it cannot work.
	filter *Filter

	// Of a correlation; link is set when state is linked.
	correlation *Correlation
	state       state
	link        *link

	referenced bool // by a correlation that works
	generated  bool // by one that says so
}

// label is how people know the entry.
func (e *entry) label() string { return cmp.Or(e.meta.Name, e.meta.ID) }

// muted reports whether the entry does not alert because something counts it.
func (e *entry) muted() bool { return e.referenced && !e.generated }

type compiler struct {
	set      *Set
	opts     Options
	errs     []error
	order    []*entry
	entries  map[string]*entry // by id and by name
	slots    map[string]int    // of fields
	switches map[string]bool   // ids and names that are disabled
	twice    map[string]bool   // files that were loaded twice
}

func (k *compiler) errorAt(m *Meta, at position, format string, args ...any) {
	k.errs = append(k.errs, newError(m, at, format, args...))
}

func newError(m *Meta, at position, format string, args ...any) *Error {
	if at.line == 0 {
		at = position{line: m.Line}
	}
	return &Error{File: m.File, Line: at.line, Column: at.column, Rule: m.Title, Msg: fmt.Sprintf(format, args...)}
}

// register enters a rule under its id and its name, or refuses it.
func (k *compiler) register(e *entry) bool {
	for _, key := range []struct{ kind, value string }{{"name", e.meta.Name}, {"id", e.meta.ID}} {
		first, taken := k.entries[key.value]
		if key.value == "" || !taken || first.kind >= entrySkipped {
			continue
		}
		k.refuseTwice(e.meta, first.meta, key.kind, key.value)
		return false
	}
	e.disabled = k.switches[e.meta.ID] || k.switches[e.meta.Name]
	k.enter(e)
	k.order = append(k.order, e)
	return true
}

// refuseTwice says why an id or a name is there a second time.
func (k *compiler) refuseTwice(m, first *Meta, kind, value string) {
	switch {
	case m.Line == first.Line && m.Title == first.Title && sameFile(m.File, first.File):
		// All of its rules are there twice, and one error is enough.
		if !k.twice[m.File] {
			k.twice[m.File] = true
			k.errs = append(k.errs, &Error{File: m.File, Msg: "this file is loaded twice: two of the paths overlap; name it, or its directory, once"})
		}
	case kind == "id" && m.Name == "" && value == deriveID(*m):
		k.errorAt(m, position{}, "another rule without an id has this title, in %s:%d; give each an \"id\", or another title", first.File, first.Line)
	default:
		k.errorAt(m, position{}, "%s %q is taken by rule %q in %s:%d; give one of the two another", kind, value, first.Title, first.File, first.Line)
	}
}

// sameFile reports whether two paths, as they were given, name one file.
func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, errX := filepath.Abs(a)
	y, errY := filepath.Abs(b)
	return errX == nil && errY == nil && x == y
}

func (k *compiler) enter(e *entry) {
	k.entries[e.meta.ID] = e
	if e.meta.Name != "" {
		k.entries[e.meta.Name] = e
	}
}

// mention makes a rule known that cannot run, so that what refers to it can
// say why. It does not keep another from its id.
func (k *compiler) mention(kind entryKind, m *Meta) { k.enter(&entry{kind: kind, meta: m}) }

func (k *compiler) level(m *Meta) {
	if level, ok := k.opts.Level[m.ID]; ok {
		m.Level = level
	} else if level, ok := k.opts.Level[m.Name]; ok && m.Name != "" {
		m.Level = level
	}
}

// rule compiles a rule with its filters: all of them must hold as well.
func (k *compiler) rule(e *entry) {
	condition, err := k.expr(e.source.Condition, byName(e.source.Detections))
	if err != nil {
		e.kind, e.unsaid = entryBroken, err
		if !e.disabled {
			k.sayBroken(e)
		}
		return
	}
	nodes := []node{condition}
	compiled := &CompiledRule{meta: *e.meta, source: e.source}
	for _, f := range e.filters {
		nodes = append(nodes, f.node)
		compiled.filters = append(compiled.filters, f.filter)
	}
	compiled.condition = join(nodes, true)
	compiled.pins = k.pins(compiled.condition)
	e.rule = compiled
}

// sayBroken says once why a condition could not be compiled.
func (k *compiler) sayBroken(e *entry) {
	if e.unsaid == nil {
		return
	}
	at := position{}
	if value, ok := e.unsaid.(*valueError); ok {
		at = value.at
	}
	k.errorAt(e.meta, at, "%v", e.unsaid)
	e.unsaid = nil
}

func byName(detections []Detection) map[string]*Detection {
	named := make(map[string]*Detection, len(detections))
	for i := range detections {
		named[detections[i].Name] = &detections[i]
	}
	return named
}

// names returns all names of rules and correlations, for suggestions.
func (k *compiler) names() []string {
	var names []string
	for _, e := range k.order {
		if e.meta.Name != "" && e.kind != entryFilter {
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
		all = append(all, e.label())
	}
	check := func(option, reference string) {
		msg := ""
		if e := k.entries[reference]; e == nil {
			msg = fmt.Sprintf("no rule has the id or name %q%s", reference, suggest(reference, all))
		} else if option == "level" && e.kind == entryFilter {
			msg = fmt.Sprintf("%q is a filter, which has no level", reference)
		}
		if msg != "" {
			k.errs = append(k.errs, &Error{Option: option, Value: reference, Msg: msg})
		}
	}
	for _, reference := range k.opts.Disable {
		check("disable", reference)
	}
	for _, reference := range slices.Sorted(maps.Keys(k.opts.Level)) {
		check("level", reference)
	}
}

// finish decides what alerts, drops the rules that do nothing, and builds the
// index over the rest.
func (k *compiler) finish() {
	s := k.set
	for _, e := range k.order {
		if e.link == nil {
			continue
		}
		for _, m := range e.link.members {
			m.referenced = true
			m.generated = m.generated || e.correlation.Generate
		}
	}
	for _, e := range k.order {
		if e.link != nil && !e.muted() {
			k.build(e)
		}
	}
	for _, e := range k.order {
		if e.rule == nil {
			continue
		}
		e.rule.alerts = !e.disabled && !e.muted()
		if !e.rule.runs() {
			continue
		}
		e.rule.order = len(s.rules)
		s.rules = append(s.rules, e.rule)
	}
	k.warn()
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
