package ruletest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/correlate"
	"github.com/trailbell/trailbell/sigma/internal/spelling"
)

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
		return fmt.Sprintf("%s: want nothing, got %s", d.Rule, d.Got)
	}
	return fmt.Sprintf("%s: want %s, got %s", d.Rule, d.Want, d.Got)
}

// Runner runs tests against the rules of one collection. It is not safe for
// concurrent use.
type Runner struct {
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

// New returns a Runner for a collection.
//
// Every rule and every correlation is looked at, also one that would not alert
// by itself because a correlation counts it: a test is about a rule and not
// about what others do with it. Disable and Level of the options do not count.
//
// The errors are those of the collection as a whole, as [sigma.Compile] returns
// them; the rules without errors are tested all the same.
func New(c *sigma.Collection, o sigma.Options) (*Runner, []error) {
	o.Disable, o.Level = nil, nil
	set, errs := sigma.Compile(Loud(c), o)
	return newRunner(c, set), errs
}

// Results runs the cases of files, in their order, and says how each came out.
// It ends when the context does: the case that is running then has no result.
func (r *Runner) Results(ctx context.Context, files []*File) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		for _, f := range files {
			for _, one := range f.Cases {
				result, err := r.run(ctx, f, one)
				if err != nil || !yield(result) {
					return
				}
			}
		}
	}
}

// Check looks at the cases of files without running them: for names of rules and
// fields of groups that do not exist, and for tests that stand beside no rules.
// What is about a broken rule is passed over: the rule has an error of its own.
// Each error is a [*sigma.Error].
func (r *Runner) Check(files []*File) []error {
	var errs []error
	for _, f := range files {
		for _, c := range f.Cases {
			base, _ := RuleFile(f.Path)
			about := []string{base}
			for _, expected := range c.rings {
				about = append(about, expected.rule)
			}
			if slices.ContainsFunc(about, func(key string) bool { return r.cannot[key] == isBroken }) {
				continue
			}
			if _, err := r.resolve(f, c); err != nil {
				errs = append(errs, err)
			}
			if len(r.byFile[base]) == 0 {
				break // the other cases would say the same
			}
		}
	}
	return errs
}

// Unrung returns the rules and correlations that no case expects to ring:
// untested are those without tests beside them, silent those with tests. What
// stands beside a file that could not be read is neither: nobody knows what its
// tests would have expected.
func (r *Runner) Unrung(files []*File) (untested, silent []sigma.Meta) {
	const whole, broken = 1, 2
	state := map[string]int{}
	expected := map[*target]bool{}
	for _, f := range files {
		base, _ := RuleFile(f.Path)
		state[base] = max(state[base], whole)
		if len(f.Cases) == 0 {
			state[base] = broken
		}
		for _, c := range f.Cases {
			for _, ring := range c.rings {
				if t := r.byName[ring.rule]; t != nil {
					expected[t] = true
				}
			}
		}
	}
	for _, t := range r.targets {
		base, _ := RuleFile(t.meta.File)
		switch {
		case expected[t]:
		case state[base] == whole:
			silent = append(silent, *t.meta)
		case state[base] == 0:
			untested = append(untested, *t.meta)
		}
	}
	return untested, silent
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
}

func (t *target) label() string { return cmp.Or(t.meta.Name, t.meta.Title) }

func newRunner(c *sigma.Collection, set *sigma.Set) *Runner {
	r := &Runner{
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
		r.exclude(&c.Broken[i], isBroken)
	}
	delete(r.cannot, "")
	return r
}

const isBroken = "it is broken; see its error"

// exclude remembers why a rule cannot ring.
func (r *Runner) exclude(m *sigma.Meta, reason string) {
	base, _ := RuleFile(m.File)
	for _, key := range []string{m.ID, m.Name, m.Title, base} {
		r.cannot[key] = reason
	}
}

// filter makes the tests beside a filter look at the rules that it is for.
func (r *Runner) filter(f *sigma.Filter) {
	base, _ := RuleFile(f.File)
	for _, t := range r.targets {
		named := slices.ContainsFunc(f.Rules, func(name string) bool { return name == t.meta.ID || name == t.meta.Name })
		if t.correlation == nil && (f.Any || named) {
			r.byFile[base] = append(r.byFile[base], t)
		}
	}
}

// run says how a case came out. Its error is that of the context.
func (r *Runner) run(ctx context.Context, f *File, c *Case) (Result, error) {
	result := Result{File: f.Path, Line: c.Line, Column: c.Column, Case: c.Name}
	wants, err := r.resolve(f, c)
	if err != nil {
		result.Err = err
		return result, nil
	}
	deliveries, err := c.deliveries()
	if err != nil {
		result.Err = failure(f, position{c.Line, c.Column}, "%v", err)
		return result, nil
	}
	got, err := r.ring(ctx, deliveries)
	if err != nil {
		return result, err
	}
	for _, t := range r.targets {
		expected, looked := wants[t]
		if !looked {
			continue
		}
		differences := compare(t, expected, got[t], c.origin)
		if t.rule != nil && len(got[t]) == 0 && len(differences) > 0 {
			differences[0].Got += r.why(t.rule, deliveries)
		}
		result.Differences = append(result.Differences, differences...)
	}
	return result, nil
}

func failure(f *File, at position, format string, args ...any) error {
	return &sigma.Error{File: f.Path, Line: at.line, Column: at.column, Msg: fmt.Sprintf(format, args...)}
}

// resolve finds what a case looks at, and what it expects of each: nothing of
// most.
func (r *Runner) resolve(f *File, c *Case) (map[*target][]ring, error) {
	fail := func(at position, format string, args ...any) (map[*target][]ring, error) {
		return nil, failure(f, at, format, args...)
	}
	base, tests := RuleFile(f.Path)
	own := r.byFile[base]
	if len(own) == 0 {
		at, where := position{c.Line, c.Column}, "the file"
		if tests {
			where = base + ".yml"
		}
		reason, known := r.cannot[base]
		switch {
		case known:
			return fail(at, "nothing in %s can ring: %s", where, reason)
		case tests:
			return fail(at, "no rule was read from %s; if there is no such file, rename this one: the tests of NAME.yml are in NAME.test.yml beside it", where)
		}
		return fail(at, "there are no rules in %s that could ring", where)
	}
	wants := map[*target][]ring{}
	for _, t := range own {
		wants[t] = nil
	}
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
		wants[t] = append(wants[t], expected)
	}
	return wants, nil
}

// occurrence is what rang: the matches of a rule, or an episode.
type occurrence struct {
	group  []string
	events []int // numbers of the entries that the events come from
	correlate.Episode
}

// ring returns what rings for the records of a case.
func (r *Runner) ring(ctx context.Context, deliveries []delivery) (map[*target][]*occurrence, error) {
	got := map[*target][]*occurrence{}
	numbers := map[string]int{}
	c := correlate.New(r.set)
	for _, d := range deliveries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
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
	return got, ctx.Err()
}

// why says what decided against a rule: on the first record of the kind that it
// is tried on, or else on the first.
func (r *Runner) why(rule *sigma.CompiledRule, deliveries []delivery) string {
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

// compare pairs what was expected of a rule with what rang. Times are told from
// the origin, as a test has them.
func compare(t *target, wants []ring, got []*occurrence, origin time.Time) []Difference {
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
		d := Difference{Rule: w.rule, Want: w.describe(t), Got: "nothing"}
		if i < len(unexpected) {
			d.Got = unexpected[i].describe(t, &w, origin)
		}
		differences = append(differences, d)
	}
	for i := len(unmet); i < len(unexpected); i++ {
		differences = append(differences, Difference{Rule: t.label(), Got: unexpected[i].describe(t, nil, origin)})
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
		parts = append(parts, "from "+w.first.describe())
	}
	if w.last != nil {
		parts = append(parts, "to "+w.last.describe())
	}
	return strings.Join(parts, " ")
}

// describe writes a moment as a test does.
func (m *moment) describe() string {
	if m.absolute.IsZero() {
		return offset(m.offset)
	}
	return m.absolute.UTC().Format(clock)
}

const clock = "2006-01-02T15:04:05.999Z"

// offset writes a time span as a test does: 0s, 90s as 1m30s, 2h.
func offset(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// describe says what rang. Times are said where they are expected or tell
// episodes apart: as offsets, unless the test has times of the day, or the
// events are far from the base.
func (o *occurrence) describe(t *target, w *ring, origin time.Time) string {
	absolute := w != nil && (w.first != nil && !w.first.absolute.IsZero() || w.last != nil && !w.last.absolute.IsZero())
	const far = 48 * time.Hour
	absolute = absolute || o.First.Sub(origin).Abs() > far || o.Last.Sub(origin).Abs() > far
	times := " from " + offset(o.First.Sub(origin)) + " to " + offset(o.Last.Sub(origin))
	if absolute {
		times = " from " + o.First.UTC().Format(clock) + " to " + o.Last.UTC().Format(clock)
	}
	if t.correlation == nil {
		text := plural(len(o.Events), "match", "matches") + " (" + entries(o.events) + ")"
		if w != nil && (w.first != nil || w.last != nil) {
			text += times
		}
		return text
	}
	text := "an episode of " + plural(len(o.Events), "event", "events") + " (" + entries(o.events) + ")"
	var values []string
	for i, field := range t.correlation.GroupBy() {
		values = append(values, field+"="+o.group[i])
	}
	if len(values) > 0 {
		text += " for " + strings.Join(values, ", ")
	}
	return text + times
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
