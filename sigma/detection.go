package sigma

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseRule reads logsource, detections and condition.
func (d *document) parseRule(meta Meta, source LogSource, top map[string]*yaml.Node, root *yaml.Node) *Rule {
	rule := &Rule{Meta: meta, LogSource: source}
	if rule.Level == 0 {
		rule.Level = Medium
	}
	n, ok := top["detection"]
	if !ok {
		d.errorf(root, `the rule has no "detection"`)
		return rule
	}
	var condition *yaml.Node
	for _, m := range d.mapping(n, "detection") {
		switch m.key.Value {
		case "condition":
			condition = m.value
		case "timeframe":
			rule.timeframeAt = position{m.key.Line, m.key.Column}
		default:
			rule.Detections = append(rule.Detections, d.parseDetection(m))
		}
	}
	switch {
	case condition == nil:
		if len(d.errs) == 0 {
			d.errorf(n, `detection: there is no "condition"; write "condition: selection" with the name of a detection`)
		}
	case len(rule.Detections) == 0:
		if len(d.errs) == 0 {
			d.errorf(n, `detection: there is nothing but a condition; write a detection such as "selection"`)
		}
	default:
		rule.Condition = d.parseConditions(condition, rule.Detections)
	}
	return rule
}

// parseConditions reads a condition, or a list of which any may hold.
func (d *document) parseConditions(n *yaml.Node, detections []Detection) Expr {
	names := make([]string, len(detections))
	for i := range detections {
		names[i] = detections[i].Name
	}
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	var any Or
	for _, c := range nodes {
		if d.spent(n) {
			return nil
		}
		if d.full() {
			return nil
		}
		c = d.resolve(c)
		x, err := parseCondition(d.text(c, "condition"), names)
		if err != nil {
			d.conditionError(c, "condition", err)
			continue
		}
		d.budget -= named(x)
		if d.spent(c) {
			return nil
		}
		any = append(any, x)
	}
	switch len(any) {
	case 0:
		if len(d.errs) == 0 {
			d.errorf(n, "condition: the list is empty")
		}
		return nil
	case 1:
		return any[0]
	}
	return any
}

// conditionError points into the condition where its place in the file can be
// told: a scalar in one line. Columns count bytes, as package yaml does.
func (d *document) conditionError(n *yaml.Node, where string, err error) {
	at := position{n.Line, n.Column}
	if syntax, ok := err.(*conditionError); ok && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(n.Value, "\n") {
		at.column += syntax.offset
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			at.column++
		}
	}
	d.errorAt(at, "%s: %v", where, err)
}

// parseDetection reads a named search: a map, a list of maps, a list of
// keywords, a keyword.
func (d *document) parseDetection(m member) Detection {
	s := Detection{Name: m.key.Value, Line: m.key.Line, Column: m.key.Column}
	where := fmt.Sprintf("selection %q", s.Name)
	switch m.value.Kind {
	case yaml.MappingNode:
		if items := d.parseItems(m.value, where); len(items) > 0 {
			s.Alternatives = append(s.Alternatives, items)
		}
	case yaml.SequenceNode:
		keywords := Item{Op: OpContains, Line: m.value.Line, Column: m.value.Column}
		for _, entry := range m.value.Content {
			if d.spent(entry) {
				return s
			}
			entry = d.resolve(entry)
			switch entry.Kind {
			case yaml.MappingNode:
				if items := d.parseItems(entry, where); len(items) > 0 {
					s.Alternatives = append(s.Alternatives, items)
				}
			case yaml.ScalarNode:
				if v, ok := d.parseValue(entry, &keywords, where); ok {
					keywords.Values = append(keywords.Values, v)
				}
			default:
				d.errorf(entry, "%s: an entry must be a map or a keyword, not %s", where, describe(entry))
			}
		}
		if len(keywords.Values) > 0 {
			s.Alternatives = append(s.Alternatives, Alternative{keywords})
		}
	case yaml.ScalarNode:
		keyword := Item{Op: OpContains, Line: m.value.Line, Column: m.value.Column}
		if v, ok := d.parseValue(m.value, &keyword, where); ok {
			keyword.Values = []Value{v}
			s.Alternatives = append(s.Alternatives, Alternative{keyword})
		}
	}
	if len(s.Alternatives) == 0 && len(d.errs) == 0 {
		d.errorf(m.value, "%s is empty; write fields and values, or remove it", where)
	}
	return s
}

func (d *document) parseItems(n *yaml.Node, where string) Alternative {
	var items Alternative
	for _, m := range d.mapping(n, where) {
		if item, ok := d.parseItem(m, where); ok {
			items = append(items, item)
		}
	}
	return items
}

// parseItem reads "field|modifier|…: value" or a list of values.
func (d *document) parseItem(m member, where string) (Item, bool) {
	field, modifiers, _ := strings.Cut(m.key.Value, "|")
	item := Item{Key: m.key.Value, Field: field, Line: m.key.Line, Column: m.key.Column}
	before := len(d.errs)
	if msg := checkField(field); msg != "" {
		d.errorf(m.key, "%s: %s", where, msg)
	}
	if modifiers != "" || strings.HasSuffix(m.key.Value, "|") {
		d.parseModifiers(&item, m.key, strings.Split(modifiers, "|"), where)
	}
	if field == "" {
		if item.Op == OpEqual {
			item.Op = OpContains // a keyword is looked for inside each string
		}
	}
	if len(d.errs) > before {
		return item, false
	}
	nodes := []*yaml.Node{m.value}
	if m.value.Kind == yaml.SequenceNode {
		nodes = m.value.Content
		if len(nodes) == 0 {
			d.errorf(m.value, "%s: field %q has an empty list of values, which nothing can match", where, field)
		}
	}
	for _, n := range nodes {
		if d.spent(n) {
			return item, false
		}
		if v, ok := d.parseValue(d.resolve(n), &item, where); ok {
			item.Values = append(item.Values, v)
		}
	}
	return item, len(d.errs) == before
}

// parseValue reads a scalar and checks that the item's operator takes it.
func (d *document) parseValue(n *yaml.Node, item *Item, where string) (Value, bool) {
	what := where
	if item.Field != "" {
		what = fmt.Sprintf("%s: field %q", where, item.Field)
	}
	if n.Kind != yaml.ScalarNode {
		hint := ""
		if n.Kind == yaml.MappingNode && item.Field != "" {
			hint = fmt.Sprintf("; for a nested field write \"%s.name: value\"", item.Field)
		}
		d.errorf(n, "%s: a value must be a string, a number, true, false or null, not %s%s", what, describe(n), hint)
		return Value{}, false
	}
	if d.refuseMark(n, what) {
		return Value{}, false
	}
	v := Value{Kind: String, Text: n.Value, Line: n.Line, Column: n.Column, Quote: quoteOf(n)}
	switch tag := n.ShortTag(); {
	case tag == "!!null":
		v.Kind, v.Text = Null, ""
	case item.Op == OpRegexp: // an expression is what is written
	case tag == "!!bool":
		v.Kind, v.Text = Bool, strings.ToLower(n.Value)
	case tag == "!!int", tag == "!!float":
		v.Kind, v.Text = Number, decimal(n.Value)
	}
	if msg := item.refuse(&v, describe(n)); msg != "" {
		d.errorf(n, "%s: %s", what, msg)
		return v, false
	}
	if slices.Contains(item.Transforms, Expand) {
		return v, true // the placeholders are not known yet
	}
	tests, err := item.compile(&v, nil, &d.room)
	if err == errRoom && d.spent(n) {
		return v, false
	}
	if err != nil {
		d.errorf(n, "%s: %v", what, err)
		return v, false
	}
	d.budget -= len(tests) - 1
	return v, true
}

func quoteOf(n *yaml.Node) byte {
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		return '\''
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return '"'
	case n.Style&yaml.LiteralStyle != 0:
		return '|'
	case n.Style&yaml.FoldedStyle != 0:
		return '>'
	}
	return 0
}

// refuse says what is wrong with the kind of a value, and what to write
// instead; given is how the file spells it.
func (item *Item) refuse(v *Value, given string) string {
	switch {
	case item.Op == OpExists && v.Kind != Bool:
		return fmt.Sprintf("modifier \"exists\" takes true or false, not %s", given)
	case item.FieldRef && (v.Kind != String || v.Text == ""):
		return fmt.Sprintf("modifier \"fieldref\" takes the name of a field, such as userIdentity.userName, not %s", given)
	case item.FieldRef:
		if msg := checkField(v.Text); msg != "" {
			return msg
		}
	case v.Kind == Null && item.Field == "":
		return "a keyword must be a string, not null"
	case item.Part != 0:
		return item.refusePart(v, given)
	case item.Op.order() && !isNumber(v.Text) && !isInteger(v.Text):
		return fmt.Sprintf("modifier %q takes a number, not %s", item.Op, given)
	case v.Kind == Null && (item.Op != OpEqual || len(item.Transforms) > 0):
		return "null stands for an absent field and takes no string modifier; write '' for an empty string"
	}
	return ""
}

func (item *Item) refusePart(v *Value, given string) string {
	first, last := item.Part.bounds()
	n, err := strconv.Atoi(v.Text)
	switch {
	case err != nil || v.Kind != Number && v.Kind != String:
	case item.Op.order() || first <= n && n <= last: // "hour|lt: 24" is true
		return ""
	}
	return fmt.Sprintf("modifier %q takes a whole number from %d to %d, not %s", item.Part, first, last, given)
}

// compileRegexp compiles the value of "re" with its sub-modifiers.
func compileRegexp(expr, flags string, left *room) (*regexp.Regexp, error) {
	if flags != "" {
		expr = "(?" + flags + ")" + expr
	}
	if err := left.take(len(expr)); err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err == nil {
		if err := left.take(stepCost * steps(tree)); err != nil {
			return nil, err
		}
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("%q is not a regular expression that Go can match: %v", shorten(expr), truncate(strings.TrimPrefix(err.Error(), "error parsing regexp: "), 100))
	}
	return re, nil
}

// stepCost is how many characters of text take as much memory and time as a
// step of a regular expression, about.
const stepCost = 8

// steps returns about how many steps a regular expression is compiled to: what
// is repeated has its steps as often. Package syntax bounds them.
func steps(tree *syntax.Regexp) int {
	n := 1 + len(tree.Rune)/8
	for _, sub := range tree.Sub {
		n += steps(sub)
	}
	if tree.Op == syntax.OpRepeat {
		n *= max(1, tree.Min, tree.Max)
	}
	return n
}
