package rulebook

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/sigma"
)

// Event is a record to be explained.
type Event struct {
	Record []byte
	// Of is how many records there were to choose from.
	Of int
}

// ReadEvent reads a record as a scan would read it: from a log file of
// CloudTrail, compressed or not, from lines of records, or a record alone. Of
// several it takes the one with the eventID, or the first when that is empty.
// The name is for errors.
func ReadEvent(r io.Reader, name, eventID string) (Event, error) {
	content, err := cloudtrail.Open(r, cloudtrail.OpenOptions{})
	if err != nil {
		return Event{}, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = content.Close() }()
	var e Event
	var bad string
	cutter := cloudtrail.NewCutter(content, cloudtrail.CutterOptions{Bad: func(b cloudtrail.BadRecord) error {
		bad = b.Reason
		return nil
	}})
	for {
		slice, err := cutter.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Event{}, fmt.Errorf("%s: %w", name, err)
		}
		for i := range slice.Starts {
			record := slice.Record(i)
			e.Of++
			if e.Record == nil && (eventID == "" || gjson.GetBytes(record, "eventID").String() == eventID) {
				if !gjson.ValidBytes(record) {
					return Event{}, fmt.Errorf("%s: record %d is not valid JSON", name, e.Of)
				}
				e.Record = slices.Clone(record)
			}
		}
	}
	switch {
	case e.Record != nil:
		return e, nil
	case e.Of > 0:
		return Event{}, fmt.Errorf("%s: none of %s has the eventID %q", name, count(e.Of, "record", "records"), eventID)
	case bad != "":
		return Event{}, fmt.Errorf("%s: there is no record in it: %s", name, bad)
	}
	return Event{}, fmt.Errorf("%s: there is no record in it", name)
}

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
				v.Groups = append(v.Groups, group)
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
			return nil, fmt.Errorf("--rule: no rule has the id, name or title %q%s", name, sigma.Suggest(name, labels))
		}
		ask(name)
	}
	return ids, nil
}

// Format writes the answer: a line for each rule, and with trees the parts of
// each condition.
func (a *Answer) Format(w io.Writer, look screen.Look, trees bool) error {
	var b strings.Builder
	source, name := gjson.GetBytes(a.record, "eventSource").String(), gjson.GetBytes(a.record, "eventName").String()
	event := fmt.Sprintf("%s of %s", cmp.Or(name, "a call without a name"), cmp.Or(source, "no source"))
	fmt.Fprintf(&b, "%s at %s\n\n", screen.Safe(event),
		screen.Safe(cmp.Or(gjson.GetBytes(a.record, "eventTime").String(), "an unknown time")))
	for _, v := range a.Verdicts {
		v.format(&b, look, trees)
	}
	if a.Untried > 0 {
		if len(a.Verdicts) > 0 {
			b.WriteByte('\n')
		}
		text := fmt.Sprintf("%s not tried on %s; --rule NAME says why.\n",
			count(a.Untried, "other rule is", "other rules are"), event)
		if len(a.Verdicts) == 0 {
			text = strings.Replace(text, "other ", "", 1)
		}
		b.WriteString(screen.Safe(strings.TrimSuffix(text, "\n")) + "\n")
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
	fmt.Fprintf(b, "%s %s: %s\n", look.Check(v.Matches), look.Bold(screen.Safe(v.Rule)), screen.Safe(text))
	if !tree {
		return
	}
	fmt.Fprintf(b, "  %s\n", look.Dim(screen.Safe(fmt.Sprintf("%s, %s, %s:%d", v.Title, v.Level, v.File, v.Line))))
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
	fmt.Fprintf(b, "%s%s %s\n", strings.Repeat("  ", depth), look.Check(p.Holds), screen.Safe(text))
	for i := range p.Parts {
		formatPart(b, look, &p.Parts[i], depth+1)
	}
}

// Encode writes the verdicts as JSON, an object a line.
func (a *Answer) Encode(w io.Writer) error { return encode(w, a.Verdicts) }
