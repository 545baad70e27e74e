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
	// Verdicts are of the rules that were asked for, or else of those that the
	// index tries on such a record.
	Verdicts []Verdict
	// Untried is how many rules the index ruled out, when none was asked for.
	Untried int
}

// Verdict is what one rule says.
type Verdict struct {
	Rule    string            `json:"rule"` // its name, else its title
	ID      string            `json:"id"`
	Title   string            `json:"title"`
	Level   sigma.Level       `json:"level"`
	File    string            `json:"file"`
	Line    int               `json:"line"`
	Matches bool              `json:"matches"`
	Alerts  bool              `json:"alerts"` // if it matches
	Reason  string            `json:"reason,omitempty"`
	Tree    sigma.Explanation `json:"explanation"`
}

// Explain asks the rules that are named by id, name or title, of a correlation
// all that it counts; or every rule when there are no names.
func (b *Book) Explain(record []byte, names []string) (*Answer, error) {
	set, errs := sigma.Compile(b.Collection, b.Options)
	if len(set.Rules()) == 0 {
		return nil, errors.Join(append(slices.Concat(b.Errs, errs), errors.New("no rules are left to ask; see --rules and correlator.rules in the configuration"))...)
	}
	a := &Answer{record: record}
	asked, err := b.asked(set, names)
	if err != nil {
		return nil, err
	}
	for _, rule := range set.Rules() {
		if len(names) > 0 && !asked[rule.Meta().ID] {
			continue
		}
		e := set.Explain(rule, record)
		if len(names) == 0 && e.RuledOut != nil {
			a.Untried++
			continue
		}
		m := rule.Meta()
		a.Verdicts = append(a.Verdicts, Verdict{
			Rule: label(m), ID: m.ID, Title: m.Title, Level: m.Level, File: m.File, Line: m.Line,
			Matches: e.Matches, Alerts: rule.Alerts(), Reason: e.Reason(), Tree: e,
		})
	}
	return a, nil
}

// asked returns the ids of the rules that names stand for.
func (b *Book) asked(set *sigma.Set, names []string) (map[string]bool, error) {
	ids := map[string]bool{}
	known := map[string][]string{} // id, name or title: ids of rules
	enter := func(m *sigma.Meta, rules []string) {
		for _, key := range []string{m.ID, m.Name, m.Title} {
			if _, taken := known[key]; !taken && key != "" {
				known[key] = rules
			}
		}
	}
	var labels []string
	for _, rule := range set.Rules() {
		m := rule.Meta()
		enter(m, []string{m.ID})
		labels = append(labels, label(m))
	}
	for _, c := range b.Collection.Correlations {
		var members []string
		for _, rule := range c.Rules {
			members = append(members, known[rule]...)
		}
		enter(&c.Meta, members)
		labels = append(labels, label(&c.Meta))
	}
	for _, name := range names {
		rules, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("--rule: no rule has the id, name or title %q%s", name, sigma.Suggest(name, labels))
		}
		for _, id := range rules {
			ids[id] = true
		}
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
	text := "matches"
	switch {
	case v.Matches && !v.Alerts:
		text = "matches; it does not alert by itself"
	case !v.Matches && v.Tree.RuledOut != nil:
		text = "not tried: " + v.Reason
	case !v.Matches:
		text = v.Reason
	}
	fmt.Fprintf(b, "%s %s: %s\n", look.Check(v.Matches), look.Bold(screen.Safe(v.Rule)), screen.Safe(text))
	if !tree {
		return
	}
	fmt.Fprintf(b, "  %s\n", look.Dim(screen.Safe(fmt.Sprintf("%s, %s, %s:%d", v.Title, v.Level, v.File, v.Line))))
	formatPart(b, look, &v.Tree.Condition, 1)
	b.WriteByte('\n')
}

func formatPart(b *strings.Builder, look screen.Look, p *sigma.Part, depth int) {
	text := p.Text
	switch p.Kind {
	case sigma.PartItem:
		text = p.Describe()
	case sigma.PartEntry:
		text = fmt.Sprintf("the entry in line %d", p.Line)
	}
	fmt.Fprintf(b, "%s%s %s\n", strings.Repeat("  ", depth), look.Check(p.Holds), screen.Safe(text))
	for i := range p.Parts {
		formatPart(b, look, &p.Parts[i], depth+1)
	}
}

// Encode writes the verdicts as JSON, an object a line.
func (a *Answer) Encode(w io.Writer) error { return encode(w, a.Verdicts) }
