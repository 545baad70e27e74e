package sigma

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
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
		k.register(&entry{kind: entryRule, meta: &meta, source: rule, top: &rule.top})
	}
	for _, correlation := range c.Correlations {
		meta := correlation.Meta
		k.register(&entry{kind: entryCorrelation, meta: &meta, correlation: correlation, top: &correlation.top})
	}
	for _, filter := range c.Filters {
		meta := filter.Meta
		if e := (&entry{kind: entryFilter, meta: &meta, top: &filter.top}); k.register(e) && !e.disabled {
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
	top      *top // nil for what is only mentioned
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
	return &Error{File: m.File, Line: at.line, Column: at.column, Rule: m.Title, Msg: message(format, args)}
}

// register enters a rule under its id and its name, or refuses it.
func (k *compiler) register(e *entry) bool {
	for _, key := range []struct{ kind, value string }{{"name", e.meta.Name}, {"id", e.meta.ID}} {
		first, taken := k.entries[key.value]
		if key.value == "" || !taken || first.kind >= entrySkipped {
			continue
		}
		at := e.top.id
		if key.kind == "name" {
			at = e.top.name
		}
		k.refuseTwice(e.meta, first.meta, at, key.kind, key.value)
		return false
	}
	e.disabled = k.switches[e.meta.ID] || k.switches[e.meta.Name]
	k.enter(e)
	k.order = append(k.order, e)
	return true
}

// refuseTwice says why an id or a name is there a second time.
func (k *compiler) refuseTwice(m, first *Meta, at position, kind, value string) {
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
		k.errorAt(m, at, "%s %q is taken by rule %q in %s:%d; give one of the two another", kind, value, first.Title, first.File, first.Line)
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
	condition, err := k.expr(e.source.Condition, e.source.Detections)
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

// suggestName is suggest among the names of rules and correlations, for as many
// errors as a person reads.
func (k *compiler) suggestName(word string) string {
	if len(k.errs) >= maxErrors {
		return ""
	}
	var names []string
	for _, e := range k.order {
		if e.meta.Name != "" && e.kind != entryFilter {
			names = append(names, e.meta.Name)
		}
	}
	return suggest(word, names)
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
	for _, name := range slices.Sorted(maps.Keys(k.opts.Placeholders)) {
		if placeholder.FindString("%"+name+"%") != "%"+name+"%" {
			k.errs = append(k.errs, &Error{Option: "placeholders", Value: name, Msg: fmt.Sprintf("no rule can name %q; write letters, digits and \"_\" only, without percent signs", shorten(name))})
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
