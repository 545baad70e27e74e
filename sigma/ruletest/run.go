package ruletest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/correlate"
	"github.com/trailbell/trailbell/sigma/internal/spelling"
)

// Report is what the tests said about a collection.
type Report struct {
	// Results has one entry a case, in the order of the files.
	Results []Result
	// Untested are the rules and correlations that have no tests: none beside
	// them, and no case that says they ring.
	Untested []sigma.Meta
	// Silent are those that have tests beside them, none of which makes them
	// ring.
	Silent []sigma.Meta
}

// Result is how a case came out.
type Result struct {
	// File is where the case stands, at Line and Column.
	File         string
	Line, Column int
	Case         string
	// Err is why the case could not be run, such as the misspelt name of a
	// rule. It is an [*sigma.Error].
	Err error
	// Differences are between what should have rung and what did.
	Differences []Difference
}

// Passed reports whether all rang that should, and nothing else did.
func (r *Result) Passed() bool { return r.Err == nil && len(r.Differences) == 0 }

// Difference is what a rule should have done and what it did, in words. Want is
// empty for a rule that should not have rung at all.
type Difference struct {
	Rule      string // as the test calls it, else its name, else its title
	Want, Got string
}

// String is one line for people.
func (d Difference) String() string {
	if d.Want == "" {
		return fmt.Sprintf("%s: %s, and was not expected", d.Rule, d.Got)
	}
	return fmt.Sprintf("%s: want %s; it %s", d.Rule, d.Want, d.Got)
}

// Run runs the cases of files against the rules of a collection.
//
// Every rule and every correlation is looked at, also one that would not alert
// by itself because a correlation counts it: a test is about a rule and not
// about what others do with it. Disable and Level of the options do not count.
//
// The errors are those of the collection as a whole, as [sigma.Compile] returns
// them; the rules without errors are tested all the same.
func Run(c *sigma.Collection, o sigma.Options, files []*File) (*Report, []error) {
	o.Disable, o.Level = nil, nil
	set, errs := sigma.Compile(Loud(c), o)
	r := newRunner(c, set)
	report := &Report{}
	for _, f := range files {
		for _, one := range f.Cases {
			report.Results = append(report.Results, r.run(f, one))
		}
	}
	tested := map[string]bool{}
	for _, f := range files {
		base, _ := RuleFile(f.Path)
		tested[base] = true
	}
	for _, t := range r.targets {
		base, _ := RuleFile(t.meta.File)
		switch {
		case t.expected:
		case tested[base]:
			report.Silent = append(report.Silent, *t.meta)
		default:
			report.Untested = append(report.Untested, *t.meta)
		}
	}
	return report, errs
}

// Loud returns a copy of a collection in which every correlation lets what it
// counts alert by itself, too. All correlations are among those of its set.
func Loud(c *sigma.Collection) *sigma.Collection {
	all := *c
	all.Correlations = make([]*sigma.Correlation, len(c.Correlations))
	for i := range c.Correlations {
		loud := *c.Correlations[i]
		loud.Generate = true
		all.Correlations[i] = &loud
	}
	return &all
}

// target is a rule or a correlation.
type target struct {
	meta        *sigma.Meta
	rule        *sigma.CompiledRule        // nil for a correlation
	correlation *sigma.CompiledCorrelation // nil for a rule
	expected    bool                       // to ring, by any case
}

func (t *target) label() string { return cmp.Or(t.meta.Name, t.meta.Title) }

// runner runs cases against one set.
type runner struct {
	set     *sigma.Set
	targets []*target
	byFile  map[string][]*target // by file without its extension
	// byName has ids, names and titles; of a title that several have, nil.
	byName       map[string]*target
	names        []string // for suggestions
	rules        map[*sigma.CompiledRule]*target
	correlations map[*sigma.CompiledCorrelation]*target
	// cannot says, by id, name, title or file, why a rule cannot ring.
	cannot map[string]string
}

func newRunner(c *sigma.Collection, set *sigma.Set) *runner {
	r := &runner{
		set: set, byFile: map[string][]*target{}, byName: map[string]*target{}, cannot: map[string]string{},
		rules: map[*sigma.CompiledRule]*target{}, correlations: map[*sigma.CompiledCorrelation]*target{},
	}
	for _, rule := range set.Rules() {
		t := &target{meta: rule.Meta(), rule: rule}
		r.rules[rule] = t
		r.targets = append(r.targets, t)
	}
	for _, correlation := range set.Correlations() {
		t := &target{meta: correlation.Meta(), correlation: correlation}
		r.correlations[correlation] = t
		r.targets = append(r.targets, t)
	}
	for _, t := range r.targets {
		base, _ := RuleFile(t.meta.File)
		r.byFile[base] = append(r.byFile[base], t)
		r.names = append(r.names, t.label())
		if _, twice := r.byName[t.meta.Title]; twice {
			r.byName[t.meta.Title] = nil
		} else {
			r.byName[t.meta.Title] = t
		}
	}
	for _, t := range r.targets { // what is unique comes before titles
		r.byName[t.meta.ID] = t
		if t.meta.Name != "" {
			r.byName[t.meta.Name] = t
		}
	}
	for _, f := range c.Filters {
		r.filter(f)
	}
	for _, s := range set.Skipped() {
		r.exclude(&s.Meta, s.Reason)
	}
	for i := range c.Broken {
		r.exclude(&c.Broken[i], "it is broken; see its error")
	}
	delete(r.cannot, "")
	return r
}

// exclude remembers why a rule cannot ring.
func (r *runner) exclude(m *sigma.Meta, reason string) {
	base, _ := RuleFile(m.File)
	for _, key := range []string{m.ID, m.Name, m.Title, base} {
		r.cannot[key] = reason
	}
}

// filter makes the tests beside a filter look at the rules that it is for.
func (r *runner) filter(f *sigma.Filter) {
	base, _ := RuleFile(f.File)
	for _, t := range r.targets {
		named := slices.ContainsFunc(f.Rules, func(name string) bool { return name == t.meta.ID || name == t.meta.Name })
		if t.correlation == nil && (f.Any || named) && !slices.Contains(r.byFile[base], t) {
			r.byFile[base] = append(r.byFile[base], t)
		}
	}
}

func (r *runner) run(f *File, c *Case) Result {
	result := Result{File: f.Path, Line: c.Line, Column: c.Column, Case: c.Name}
	fail := func(at position, format string, args ...any) Result {
		result.Err = &sigma.Error{File: f.Path, Line: at.line, Column: at.column, Msg: fmt.Sprintf(format, args...)}
		return result
	}
	base, tests := RuleFile(f.Path)
	own := r.byFile[base]
	if len(own) == 0 {
		where := "the file"
		if tests {
			where = base + ".yml"
		}
		if reason, ok := r.cannot[base]; ok {
			return fail(position{c.Line, c.Column}, "nothing in %s can ring: %s", where, reason)
		}
		return fail(position{c.Line, c.Column}, "there are no rules in %s that could ring", where)
	}
	looked := map[*target]bool{}
	for _, t := range own {
		looked[t] = true
	}
	wants := map[*target][]ring{}
	for _, expected := range c.rings {
		t, known := r.byName[expected.rule]
		switch reason, cannot := r.cannot[expected.rule]; {
		case t == nil && known:
			return fail(expected.at, "several rules have the title %q; write the name or the id of one", expected.rule)
		case t == nil && cannot:
			return fail(expected.at, "rule %q cannot ring: %s", expected.rule, reason)
		case t == nil:
			return fail(expected.at, "no rule has the name, id or title %q%s", expected.rule, spelling.Suggest(expected.rule, r.names))
		case t.correlation == nil && len(expected.group) > 0:
			return fail(expected.group[0].at, `group: %q is a rule; only a correlation has groups`, expected.rule)
		case t.correlation == nil && len(wants[t]) > 0:
			return fail(expected.at, `rule %q is listed twice; write its "count"`, expected.rule)
		}
		if t.correlation != nil {
			for _, g := range expected.group {
				if !slices.Contains(t.correlation.GroupBy(), g.field) {
					return fail(g.at, "group: correlation %q does not group by %q%s", expected.rule, g.field, spelling.Suggest(g.field, t.correlation.GroupBy()))
				}
			}
		}
		looked[t], t.expected = true, true
		wants[t] = append(wants[t], expected)
	}
	deliveries, err := c.deliveries()
	if err != nil {
		return fail(position{c.Line, c.Column}, "%v", err)
	}
	got := r.ring(deliveries)
	for _, t := range r.targets {
		if !looked[t] {
			continue
		}
		differences := compare(t, wants[t], got[t])
		if t.rule != nil && len(got[t]) == 0 && len(differences) > 0 {
			differences[0].Got += r.why(t.rule, deliveries)
		}
		result.Differences = append(result.Differences, differences...)
	}
	return result
}

// occurrence is what rang: the matches of a rule, or an episode.
type occurrence struct {
	group  []string
	events []int // numbers of the entries that the events come from
	correlate.Episode
}

// ring returns what rings for the records of a case.
func (r *runner) ring(deliveries []delivery) map[*target][]*occurrence {
	got := map[*target][]*occurrence{}
	numbers := map[string]int{}
	c := correlate.New(r.set)
	for _, d := range deliveries {
		if _, again := numbers[d.id]; !again {
			numbers[d.id] = d.event
		}
		for _, rule := range c.Add(d.record, d.time, d.id) {
			t := r.rules[rule]
			if len(got[t]) == 0 {
				got[t] = []*occurrence{{Episode: correlate.Episode{First: d.time, Last: d.time}}}
			}
			o := got[t][0]
			o.events = append(o.events, d.event)
			o.Events = append(o.Events, d.id)
			if d.time.Before(o.First) {
				o.First = d.time
			}
			if d.time.After(o.Last) {
				o.Last = d.time
			}
		}
	}
	for _, e := range c.Episodes() {
		t := r.correlations[e.Correlation]
		o := &occurrence{group: e.Group, Episode: e}
		for _, id := range e.Events {
			o.events = append(o.events, numbers[id])
		}
		got[t] = append(got[t], o)
	}
	return got
}

// why says what decided against a rule: on the first record of the kind that it
// is tried on, or else on the first.
func (r *runner) why(rule *sigma.CompiledRule, deliveries []delivery) string {
	const most = 1000 // to look through more is not worth the time
	nearest, e := 0, r.set.Explain(rule, deliveries[0].record)
	for i, d := range deliveries[:min(len(deliveries), most)] {
		if x := r.set.Explain(rule, d.record); x.RuledOut == nil {
			nearest, e = i, x
			break
		}
	}
	return fmt.Sprintf(", since of no. %d %s", deliveries[nearest].event, e.Reason())
}

// compare pairs what was expected of a rule with what rang.
func compare(t *target, wants []ring, got []*occurrence) []Difference {
	owner := make([]int, len(got)) // the expectation that an occurrence meets, counted from 1
	var assign func(w int, tried []bool) bool
	assign = func(w int, tried []bool) bool {
		for i, o := range got {
			if tried[i] || !wants[w].meets(t, o) {
				continue
			}
			tried[i] = true
			if owner[i] == 0 || assign(owner[i]-1, tried) {
				owner[i] = w + 1
				return true
			}
		}
		return false
	}
	var unmet []ring
	for w := range wants {
		if !assign(w, make([]bool, len(got))) {
			unmet = append(unmet, wants[w])
		}
	}
	var unexpected []*occurrence
	for i, o := range got {
		if owner[i] == 0 {
			unexpected = append(unexpected, o)
		}
	}
	var differences []Difference
	for i, w := range unmet {
		d := Difference{Rule: w.rule, Want: w.describe(t), Got: "did not ring"}
		if i < len(unexpected) {
			d.Got = unexpected[i].describe(t, &w)
		}
		differences = append(differences, d)
	}
	for i := len(unmet); i < len(unexpected); i++ {
		differences = append(differences, Difference{Rule: t.label(), Got: unexpected[i].describe(t, nil)})
	}
	return differences
}

// meets reports whether an occurrence is what was expected.
func (w *ring) meets(t *target, o *occurrence) bool {
	want := w.count
	if want == 0 && t.correlation == nil {
		want = 1
	}
	if want != 0 && want != len(o.Events) {
		return false
	}
	for _, g := range w.group {
		if o.group[slices.Index(t.correlation.GroupBy(), g.field)] != g.value {
			return false
		}
	}
	return (w.first == nil || w.first.from(w.origin).Equal(o.First)) && (w.last == nil || w.last.from(w.origin).Equal(o.Last))
}

func (w *ring) describe(t *target) string {
	var parts []string
	if t.correlation == nil {
		parts = append(parts, plural(max(w.count, 1), "match", "matches"))
	} else {
		text := "an episode"
		if w.count > 0 {
			text += " of " + plural(w.count, "event", "events")
		}
		parts = append(parts, text)
	}
	if len(w.group) > 0 {
		var values []string
		for _, g := range w.group {
			values = append(values, g.field+"="+g.value)
		}
		parts = append(parts, "for "+strings.Join(values, ", "))
	}
	if w.first != nil {
		parts = append(parts, "from "+w.first.from(w.origin).UTC().Format(clock))
	}
	if w.last != nil {
		parts = append(parts, "to "+w.last.from(w.origin).UTC().Format(clock))
	}
	return strings.Join(parts, " ")
}

const clock = "2006-01-02T15:04:05.999Z"

// describe says what rang. Times are said where they are expected or tell
// episodes apart.
func (o *occurrence) describe(t *target, w *ring) string {
	if t.correlation == nil {
		text := "matched " + plural(len(o.Events), "event", "events") + " (" + entries(o.events) + ")"
		if w != nil && (w.first != nil || w.last != nil) {
			text += " from " + o.First.UTC().Format(clock) + " to " + o.Last.UTC().Format(clock)
		}
		return text
	}
	text := "had an episode of " + plural(len(o.Events), "event", "events") + " (" + entries(o.events) + ")"
	var values []string
	for i, field := range t.correlation.GroupBy() {
		values = append(values, field+"="+o.group[i])
	}
	if len(values) > 0 {
		text += " for " + strings.Join(values, ", ")
	}
	return text + " from " + o.First.UTC().Format(clock) + " to " + o.Last.UTC().Format(clock)
}

// entries writes the numbers of entries of a case: "1, 3 to 5", in order,
// each once.
func entries(numbers []int) string {
	numbers = slices.Clone(numbers)
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		switch {
		case j-i < 2:
			for ; i <= j; i++ {
				parts = append(parts, fmt.Sprint(numbers[i]))
			}
		default:
			parts = append(parts, fmt.Sprintf("%d to %d", numbers[i], numbers[j]))
			i = j + 1
		}
	}
	const most = 12
	if len(parts) > most {
		parts = append(parts[:most], "…")
	}
	return "no. " + strings.Join(parts, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
