package sigma

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Bounds of an explanation: a record may hold a list of thousands, and a rule
// may want one of thousands.
const (
	maxFound     = 20
	maxWanted    = 50
	maxFoundText = 200 // characters of a value
)

// Explanation is why one rule matches one record, or does not. It is data, to
// be printed or encoded.
type Explanation struct {
	Rule *CompiledRule `json:"-"`
	// Matches is what AppendMatches would say.
	Matches bool `json:"matches"`
	// RuledOut says why the index leaves the rule out for records of this
	// type, so that its condition is never looked at; nil when it does not.
	RuledOut *Mismatch `json:"ruledOut,omitempty"`
	// Condition is the condition of the rule with all of its parts, each
	// evaluated, also those that no longer mattered.
	Condition Part `json:"condition"`
}

// Mismatch is a field of a record that no record has which a rule could match.
type Mismatch struct {
	Field string `json:"field"`
	Found string `json:"found"`
	// Wanted are the values that the rule could match, as the rule spells them.
	Wanted []string `json:"wanted"`
}

// String is a sentence for people.
func (m *Mismatch) String() string {
	return fmt.Sprintf("%s is %s, the rule wants %s", m.Field, m.Found, enumerate(m.Wanted, "or"))
}

// PartKind is what a Part of an explanation is.
type PartKind string

// The kinds of parts.
const (
	PartAnd       PartKind = "and"       // holds when all of its parts do
	PartOr        PartKind = "or"        // holds when any of its parts does
	PartNot       PartKind = "not"       // holds when its only part does not
	PartOf        PartKind = "of"        // "1 of" or "all of": the detections it stands for
	PartDetection PartKind = "detection" // a named search: its items, or its entries
	PartEntry     PartKind = "entry"     // one of the maps in the list of a detection
	PartItem      PartKind = "item"      // a comparison of a field, or keywords
)

// Part is one node of the tree of a condition.
type Part struct {
	Kind PartKind `json:"kind"`
	// Text is the part as the rule spells it: a condition, the name of a
	// detection, the field of an item with its modifiers. Empty for keywords.
	Text string `json:"text,omitempty"`
	// Line is where a detection or an item stands in the file of the rule.
	Line  int  `json:"line,omitempty"`
	Holds bool `json:"holds"`
	// Filter is the title of the filter that the part is the condition of; the
	// lines below are those of its file. Empty for parts of the rule itself.
	Filter string `json:"filter,omitempty"`
	Parts  []Part `json:"parts,omitempty"`

	// The rest is of items.

	// All says that each wanted value must be met, not just one.
	All bool `json:"all,omitempty"`
	// Wanted are the values of the rule; MoreWanted is how many are left out.
	Wanted     []Wanted `json:"wanted,omitempty"`
	MoreWanted int      `json:"moreWanted,omitempty"`
	// Found are the values in the record, as JSON, long ones shortened; empty
	// when the field is absent, and for keywords, which look at every string.
	// MoreFound is how many are left out.
	Found     []string `json:"found,omitempty"`
	MoreFound int      `json:"moreFound,omitempty"`
}

// Wanted is one value of an item.
type Wanted struct {
	// Text is the value as the rule spells it.
	Text string `json:"text"`
	// Holds says whether the item would hold if this were its only value.
	Holds bool `json:"holds"`
	// Found are the values of the field that the value refers to, for the
	// modifier fieldref, as JSON.
	Found []string `json:"found,omitempty"`
}

// Explain says why a rule of the set matches a record, or does not. The record
// is the JSON text of one valid CloudTrail record. It is for people who wait
// for one answer: unlike matching it evaluates everything, and allocates.
func (s *Set) Explain(rule *CompiledRule, record []byte) Explanation {
	x := explainer{record: string(record), placeholders: s.placeholders}
	e := Explanation{Rule: rule, RuledOut: rule.mismatch(typeOfRecord(x.record))}
	e.Condition = x.expr(rule.source.Condition, rule.source.Detections)
	if len(rule.filters) > 0 {
		e.Condition = x.filtered(e.Condition, rule.filters)
	}
	e.Matches = e.Condition.Holds
	return e
}

// Reason says in a sentence what decided against the rule: the first part of
// its condition that does not hold and would have to. It is empty for a rule
// that matches.
func (e *Explanation) Reason() string {
	switch {
	case e.Matches:
		return ""
	case e.RuledOut != nil:
		return e.RuledOut.String()
	}
	return e.Condition.reason()
}

// reason is for a part that does not hold.
func (p *Part) reason() string {
	switch p.Kind {
	case PartNot:
		return p.Parts[0].held()
	case PartItem:
		return p.Describe()
	case PartOr, PartOf:
		if n := len(p.Parts); n > 1 && (p.Kind == PartOr || !strings.HasPrefix(p.Text, "all ")) {
			return fmt.Sprintf("none of %s holds; %s", enumerate(p.names(), "and"), p.nearest().reason())
		}
	case PartDetection:
		if len(p.Parts) > 1 && p.Parts[0].Kind == PartEntry {
			nearest := p.nearest()
			return fmt.Sprintf("%s: none of its %d entries holds; of that in line %d, %s", p.Text, len(p.Parts), nearest.Line, nearest.reason())
		}
	}
	for i := range p.Parts {
		if !p.Parts[i].Holds {
			text := p.Parts[i].reason()
			switch {
			case p.Kind == PartDetection:
				text = p.Text + ": " + text
			case p.Parts[i].Filter != "":
				text = fmt.Sprintf("filter %q: %s", p.Parts[i].Filter, text)
			}
			return text
		}
	}
	return p.Text + " does not hold"
}

// nearest returns the part of which the greatest share holds, the first of
// equals. There is at least one.
func (p *Part) nearest() *Part {
	best, most := 0, -1.0
	for i := range p.Parts {
		if holding, items := p.Parts[i].items(); float64(holding)/float64(items) > most {
			best, most = i, float64(holding)/float64(items)
		}
	}
	return &p.Parts[best]
}

// items counts the items in a part, and those that hold.
func (p *Part) items() (holding, items int) {
	if p.Kind == PartItem {
		if p.Holds {
			return 1, 1
		}
		return 0, 1
	}
	for i := range p.Parts {
		h, n := p.Parts[i].items()
		holding, items = holding+h, items+n
	}
	return holding, items
}

// held says what holds although it should not.
func (p *Part) held() string {
	switch p.Kind {
	case PartDetection:
		return p.Text + " holds, which it must not"
	case PartNot:
		return p.Parts[0].reason()
	case PartOr, PartOf:
		for i := range p.Parts {
			if p.Parts[i].Holds {
				return p.Parts[i].held()
			}
		}
	}
	return p.Text + " holds, which it must not"
}

func (p *Part) names() []string {
	var names []string
	for _, part := range p.Parts {
		names = append(names, cmp.Or(part.Text, "keywords"))
	}
	return names
}

// Describe says in a sentence what an item wants and what there is.
func (p *Part) Describe() string {
	var wanted []string
	for _, w := range p.Wanted {
		text := quoteValue(w.Text)
		if w.Found != nil {
			text += " (" + enumerate(w.Found, "and") + ")"
		}
		wanted = append(wanted, text)
	}
	if p.MoreWanted > 0 {
		wanted = append(wanted, fmt.Sprintf("%d more", p.MoreWanted))
	}
	conjunction := "or"
	if p.All {
		conjunction = "and"
	}
	text := cmp.Or(p.Text, "keywords") + " wants " + enumerate(wanted, conjunction)
	switch {
	case p.Text == "" || strings.HasPrefix(p.Text, "|"):
		return text + ", and no string of the record has it"
	case len(p.Found) == 0:
		return text + ", the field is absent"
	}
	found := p.Found
	if p.MoreFound > 0 {
		found = append(slices.Clone(found), fmt.Sprintf("%d more", p.MoreFound))
	}
	return text + ", the record has " + enumerate(found, "and")
}

// quoteValue makes the ends of a value visible where they may not be.
func quoteValue(s string) string {
	if s == "" || strings.ContainsAny(s, " ,;") {
		return `"` + s + `"`
	}
	return s
}

// enumerate writes a list as a sentence does, a long one with its beginning.
func enumerate(list []string, conjunction string) string {
	const most = 4
	switch {
	case len(list) == 0:
		return "nothing"
	case len(list) == 1:
		return list[0]
	case len(list) > most:
		return strings.Join(list[:most-1], ", ") + fmt.Sprintf(" %s %d more", conjunction, len(list)-most+1)
	}
	return strings.Join(list[:len(list)-1], ", ") + " " + conjunction + " " + list[len(list)-1]
}

// explainer evaluates the syntax tree of a rule over one record. Each item is
// compiled by itself and asked in the way in which the matcher asks it.
type explainer struct {
	record       string
	placeholders map[string][]string
}

// filtered joins the condition of a rule with those of its filters.
func (x *explainer) filtered(condition Part, filters []*Filter) Part {
	p := Part{Kind: PartAnd, Text: condition.Text, Parts: []Part{condition}}
	for _, f := range filters {
		part := x.expr(f.Condition, f.Detections)
		part.Filter = f.Title
		p.Parts = append(p.Parts, part)
		p.Text += " and " + operand(f.Condition)
	}
	p.Holds = allHold(p.Parts)
	return p
}

func (x *explainer) expr(e Expr, detections []Detection) Part {
	switch e := e.(type) {
	case And:
		return x.exprs(PartAnd, e.String(), e, detections)
	case Or:
		return x.exprs(PartOr, e.String(), e, detections)
	case Not:
		inner := x.expr(e.X, detections)
		return Part{Kind: PartNot, Text: e.String(), Holds: !inner.Holds, Parts: []Part{inner}}
	case Ref:
		return x.detection(e.Name, detections)
	case Of:
		refs := make([]Expr, len(e.Names))
		for i, name := range e.Names {
			refs[i] = Ref{name}
		}
		p := x.exprs(PartOf, e.String(), refs, detections)
		if e.All {
			p.Holds = allHold(p.Parts)
		}
		return p
	}
	panic(fmt.Sprintf("sigma: %T in a condition", e))
}

func (x *explainer) exprs(kind PartKind, text string, es []Expr, detections []Detection) Part {
	p := Part{Kind: kind, Text: text}
	for _, e := range es {
		p.Parts = append(p.Parts, x.expr(e, detections))
	}
	p.Holds = anyHolds(p.Parts)
	if kind == PartAnd {
		p.Holds = allHold(p.Parts)
	}
	return p
}

func allHold(parts []Part) bool {
	return !slices.ContainsFunc(parts, func(p Part) bool { return !p.Holds })
}

func anyHolds(parts []Part) bool {
	return slices.ContainsFunc(parts, func(p Part) bool { return p.Holds })
}

func (x *explainer) detection(name string, detections []Detection) Part {
	i := slices.IndexFunc(detections, func(d Detection) bool { return d.Name == name })
	d := &detections[i]
	p := Part{Kind: PartDetection, Text: name, Line: d.Line}
	var entries []Part
	for _, items := range d.Alternatives {
		e := Part{Kind: PartEntry}
		for i := range items {
			e.Parts = append(e.Parts, x.item(&items[i]))
		}
		e.Line = e.Parts[0].Line
		e.Holds = allHold(e.Parts)
		entries = append(entries, e)
	}
	p.Parts, p.Holds = entries, anyHolds(entries)
	if len(entries) == 1 {
		p.Parts = entries[0].Parts
	}
	return p
}

func (x *explainer) item(item *Item) Part {
	p := Part{Kind: PartItem, Text: item.Key, Line: item.Line, All: item.All, Holds: x.holds(item)}
	if item.Field != "" {
		p.Text = cmp.Or(p.Text, item.Field)
		p.Found, p.MoreFound = x.found(item.Field)
	}
	for i, v := range item.Values {
		if i == maxWanted {
			p.MoreWanted = len(item.Values) - i
			break
		}
		one := *item
		one.Values = item.Values[i : i+1]
		w := Wanted{Text: v.Text, Holds: x.holds(&one)}
		switch {
		case v.Kind == Null:
			w.Text = "null"
		case item.FieldRef:
			w.Found, _ = x.found(v.Text)
		}
		p.Wanted = append(p.Wanted, w)
	}
	return p
}

// holds compiles an item by itself.
func (x *explainer) holds(item *Item) bool {
	k := conditionCompiler{
		compiler: &compiler{set: &Set{}, slots: map[string]int{}, opts: Options{Placeholders: x.placeholders}},
		left:     maxRuleText,
	}
	n, err := k.item(item)
	if err != nil {
		return false // Compile has left the rule out
	}
	r := reader{fields: k.set.fields, slots: make([]slot, len(k.set.fields))}
	r.reset(x.record)
	return n.holds(&r)
}

// found returns the values at a path, as far as they are shown.
func (x *explainer) found(field string) (found []string, more int) {
	path := compilePath(field)
	for _, v := range path.read(nil, x.record) {
		if len(found) == maxFound {
			more++
			continue
		}
		found = append(found, cut(v.Raw))
	}
	return found, more
}

func cut(s string) string {
	if len(s) <= maxFoundText {
		return s
	}
	if r := []rune(s); len(r) > maxFoundText {
		return string(r[:maxFoundText]) + "…"
	}
	return s
}

// typeOfRecord returns what the index goes by.
func typeOfRecord(record string) (source, name string) {
	text := func(field string) string {
		if v := gjson.Get(record, field); v.Type == gjson.String {
			return v.Str
		}
		return ""
	}
	return text(sourceField), text(nameField)
}

// mismatch says which field of a type keeps a record of this type from the
// rule; nil when the index tries it.
func (r *CompiledRule) mismatch(source, name string) *Mismatch {
	s, n := foldString(source), foldString(name)
	if r.pins.admit(s, n) {
		return nil
	}
	var open pins // boxes that admit the source
	for _, b := range r.pins {
		if admits(b.sources, s) {
			open = append(open, b)
		}
	}
	if len(open) == 0 {
		sources, _ := r.pins.sources()
		return &Mismatch{sourceField, source, r.spelled(sourceField, sources)}
	}
	names, _ := open.names()
	return &Mismatch{nameField, name, r.spelled(nameField, names)}
}

// Sources returns the values of eventSource that a record must have one of for
// the rule to be tried, as the rule spells them, sorted; nil when the condition
// demands none, so that records of every source are tried.
func (r *CompiledRule) Sources() []string { return r.pinned(sourceField, r.pins.sources) }

// Names returns the values of eventName that a record must have one of for the
// rule to be tried, as the rule spells them, sorted; nil when the condition
// demands none.
func (r *CompiledRule) Names() []string { return r.pinned(nameField, r.pins.names) }

func (r *CompiledRule) pinned(field string, side func() ([]string, bool)) []string {
	folded, ok := side()
	if !ok {
		return nil
	}
	return r.spelled(field, folded)
}

// spelled returns folded values of a field as the rule spells them.
func (r *CompiledRule) spelled(field string, folded []string) []string {
	spelling := map[string]string{}
	detections := r.source.Detections
	for _, f := range r.filters {
		detections = append(slices.Clip(detections), f.Detections...)
	}
	for _, d := range detections {
		for _, items := range d.Alternatives {
			for _, item := range items {
				if item.Field != field {
					continue
				}
				for _, v := range item.Values {
					if key := foldString(v.Text); spelling[key] == "" {
						spelling[key] = v.Text
					}
				}
			}
		}
	}
	values := make([]string, 0, len(folded))
	for _, key := range folded {
		values = append(values, cmp.Or(spelling[key], key))
	}
	slices.Sort(values)
	return values
}
