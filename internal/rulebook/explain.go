package rulebook

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/sigma"
)

// Answer is what rules say to a record.
type Answer struct {
	record []byte
	// Verdicts are of the rules and correlations that were asked for, or else
	// of the rules that the index tries on such a record.
	Verdicts []Verdict
	// Untried is how many rules the index ruled out, when none was asked for.
	Untried int
}

// Verdict is what one rule or correlation says.
type Verdict struct {
	Kind  string      `json:"kind"` // rule, correlation
	Rule  string      `json:"rule"` // its name, else its title
	ID    string      `json:"id"`
	Title string      `json:"title"`
	Level sigma.Level `json:"level"`
	File  string      `json:"file"`
	Line  int         `json:"line"`
	// Matches says of a correlation that the record counts for it.
	Matches bool `json:"matches"`
	// Alerts says whether a match of the rule alerts by itself, or an episode
	// of the correlation.
	Alerts bool   `json:"alerts"`
	Reason string `json:"reason,omitempty"`
	// Groups are those that the record counts for, as "field=value".
	Groups [][]string `json:"groups,omitempty"`
	// Tree is of a rule.
	Tree *sigma.Explanation `json:"explanation,omitempty"`
}

// Explain asks the rules that are named by id, name or title, and with a
// correlation all that it counts; or every rule when there are no names.
func (b *Book) Explain(record []byte, names []string) (*Answer, error) {
	set, errs := b.compile()
	if len(set.Rules()) == 0 {
		return nil, errors.Join(append(slices.Concat(b.Errs, errs), errors.New("no rules are left to ask; see --rules and correlator.rules in the configuration"))...)
	}
	asked, err := b.asked(names)
	if err != nil {
		return nil, err
	}
	a := &Answer{record: record}
	alerts := alerting(set)
	if len(names) > 0 {
		set = b.whole()
	}
	var matched []*sigma.CompiledRule
	for _, rule := range set.Rules() {
		m := rule.Meta()
		if len(names) > 0 && !asked[m.ID] {
			continue
		}
		e := set.Explain(rule, record)
		if e.Matches {
			matched = append(matched, rule)
		}
		if len(names) == 0 && e.RuledOut != nil {
			a.Untried++
			continue
		}
		v := verdict("rule", m)
		v.Matches, v.Alerts, v.Reason, v.Tree = e.Matches, alerts[m.ID], e.Reason(), &e
		a.Verdicts = append(a.Verdicts, v)
	}
	if len(names) > 0 {
		for _, v := range counting(set, asked, matched, record) {
			v.Alerts = alerts[v.ID]
			a.Verdicts = append(a.Verdicts, v)
		}
	}
	return a, nil
}

func verdict(kind string, m *sigma.Meta) Verdict {
	return Verdict{Kind: kind, Rule: label(m), ID: m.ID, Title: m.Title, Level: m.Level, File: m.File, Line: m.Line}
}

// counting says which of the correlations that are asked a record counts for
// that has matched some rules.
func counting(set *sigma.Set, asked map[string]bool, matched []*sigma.CompiledRule, record []byte) []Verdict {
	var verdicts []Verdict
	for _, c := range set.Correlations() {
		if !asked[c.Meta().ID] {
			continue
		}
		v := verdict("correlation", c.Meta())
		feeds := slices.ContainsFunc(matched, func(r *sigma.CompiledRule) bool { return slices.Contains(r.Feeds(), c) })
		for _, hit := range c.Hits(nil, matched, record) {
			for _, count := range hit.Counts {
				v.Matches = true
				if count.Level > 0 {
					continue // of a correlation that this one counts
				}
				group := []string{}
				for i, field := range c.GroupBy() {
					group = append(group, field+"="+count.Group[i])
				}
				// Inputs with values of their own are counted apart.
				if !slices.ContainsFunc(v.Groups, func(g []string) bool { return slices.Equal(g, group) }) {
					v.Groups = append(v.Groups, group)
				}
			}
		}
		switch {
		case v.Matches:
		case !feeds:
			v.Reason = "none of the rules that it counts matches"
		default:
			v.Reason = "the record lacks a value that it groups by or measures"
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// asked returns the ids of the rules and correlations that names stand for.
func (b *Book) asked(names []string) (map[string]bool, error) {
	known := map[string]string{} // id, name or title: id
	counted := map[string][]string{}
	var labels []string
	enter := func(m *sigma.Meta) {
		for _, key := range []string{m.ID, m.Name, m.Title} {
			if _, taken := known[key]; !taken && key != "" {
				known[key] = m.ID
			}
		}
		labels = append(labels, label(m))
	}
	for _, r := range b.Collection.Rules {
		enter(&r.Meta)
	}
	for _, c := range b.Collection.Correlations {
		enter(&c.Meta)
		counted[c.ID] = c.Rules
	}
	ids := map[string]bool{}
	var ask func(name string)
	ask = func(name string) {
		if id, ok := known[name]; ok && !ids[id] {
			ids[id] = true
			for _, member := range counted[id] {
				ask(member)
			}
		}
	}
	for _, name := range names {
		if _, ok := known[name]; !ok {
			return nil, b.unknown(name, labels)
		}
		ask(name)
	}
	return ids, nil
}

// Tried returns whether any of the rules that are named, or counted by what is
// named, is tried on a record; nil, for any record, when there are no names.
func (b *Book) Tried(names []string) (func(record []byte) bool, error) {
	if len(names) == 0 {
		return nil, nil
	}
	asked, err := b.asked(names)
	if err != nil {
		return nil, err
	}
	set := b.whole()
	return func(record []byte) bool {
		return slices.ContainsFunc(set.Rules(), func(r *sigma.CompiledRule) bool {
			return asked[r.Meta().ID] && set.Explain(r, record).RuledOut == nil
		})
	}, nil
}

// unknown says why nothing can be asked under a name.
func (b *Book) unknown(name string, labels []string) error {
	is := func(m *sigma.Meta) bool { return name == m.ID || name == m.Name || name == m.Title }
	for _, f := range b.Collection.Filters {
		if !is(&f.Meta) {
			continue
		}
		if f.Any {
			return fmt.Errorf("--rule: %q is a filter, for any rule of %s; ask for one of the rules", name, f.LogSource)
		}
		return fmt.Errorf("--rule: %q is a filter, for %s; ask for one of the rules", name, strings.Join(f.Rules, ", "))
	}
	for _, s := range b.Collection.Skipped {
		if is(&s.Meta) {
			return fmt.Errorf("--rule: %q is skipped: %s", name, s.Reason)
		}
	}
	for i := range b.Collection.Broken {
		if is(&b.Collection.Broken[i]) {
			return fmt.Errorf("--rule: %q is broken; `trailbell rules check` says why", name)
		}
	}
	which := "no rule has"
	if c := b.source.Config.Rules; c.Shipped && len(c.Paths) == 0 {
		which = "none of the shipped rules, and --rules gave no others, has"
	}
	return fmt.Errorf("--rule: %s the id, name or title %q%s", which, name, sigma.Suggest(name, labels))
}

// Format writes the answer: a line for each rule, and with trees the parts of
// each condition.
func (a *Answer) Format(w io.Writer, look screen.Look, trees bool) error {
	var b strings.Builder
	source, name := gjson.GetBytes(a.record, "eventSource").String(), gjson.GetBytes(a.record, "eventName").String()
	event := fmt.Sprintf("%s of %s", cmp.Or(name, "a call without a name"), cmp.Or(source, "no source"))
	at := cmp.Or(gjson.GetBytes(a.record, "eventTime").String(), "an unknown time")
	fmt.Fprintf(&b, "%s\n\n", look.Fold(screen.Safe(event+" at "+at), 0, 2))
	for _, v := range a.Verdicts {
		v.format(&b, look, trees)
	}
	if a.Untried > 0 {
		if len(a.Verdicts) > 0 {
			b.WriteByte('\n')
		}
		text := fmt.Sprintf("%s not tried on %s; --rule NAME says why.",
			count(a.Untried, "other rule is", "other rules are"), event)
		if len(a.Verdicts) == 0 {
			text = strings.Replace(text, "other ", "", 1)
		}
		fmt.Fprintln(&b, look.Fold(screen.Safe(text), 0, 0))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (v *Verdict) format(b *strings.Builder, look screen.Look, tree bool) {
	text := v.Reason
	switch {
	case v.Kind == "correlation" && v.Matches:
		text = v.counts()
	case v.Matches && !v.Alerts:
		text = "matches; it does not alert by itself"
	case v.Matches:
		text = "matches"
	case v.Kind == "correlation":
		text = "does not count: " + text
	case v.Tree.RuledOut != nil:
		text = "not tried: " + text
	}
	fmt.Fprintf(b, "%s %s: %s\n", look.Check(v.Matches), look.Bold(screen.Safe(v.Rule)), look.Fold(screen.Safe(text), 2+screen.Width(v.Rule)+2, 2))
	if !tree {
		return
	}
	fmt.Fprintf(b, "  %s\n", look.Dim(look.Fold(screen.Safe(fmt.Sprintf("%s, %s, %s:%d", v.Title, v.Level, v.File, v.Line)), 2, 2)))
	if v.Tree != nil {
		formatPart(b, look, &v.Tree.Condition, 1)
	}
	b.WriteByte('\n')
}

// counts says for which groups of a correlation a record counts.
func (v *Verdict) counts() string {
	if len(v.Groups) == 0 {
		return "counts for the correlations that it counts"
	}
	var groups []string
	for _, g := range v.Groups {
		groups = append(groups, strings.Join(g, ", "))
	}
	if text := strings.Join(groups, "; "); text != "" {
		return "counts for " + text
	}
	return "counts"
}

func formatPart(b *strings.Builder, look screen.Look, p *sigma.Part, depth int) {
	text := p.Text
	switch p.Kind {
	case sigma.PartItem:
		text = p.Describe()
	case sigma.PartEntry:
		text = fmt.Sprintf("the entry in line %d", p.Line)
	}
	if p.Filter != "" {
		text = fmt.Sprintf("filter %q: %s", p.Filter, text)
	}
	fmt.Fprintf(b, "%s%s %s\n", strings.Repeat("  ", depth), look.Check(p.Holds), look.Fold(screen.Safe(text), 2*depth+2, 2*depth+2))
	for i := range p.Parts {
		formatPart(b, look, &p.Parts[i], depth+1)
	}
}

// Encode writes the verdicts as JSON, an object a line.
func (a *Answer) Encode(w io.Writer) error { return encode(w, a.Verdicts) }
