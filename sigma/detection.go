package sigma

import (
	"fmt"
	"regexp"
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
			d.errorf(m.key, `detection: "timeframe" is not part of Sigma 2; write a correlation document with "timespan"`)
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
		c = d.resolve(c)
		x, err := parseCondition(d.text(c, "condition"), names)
		if err != nil {
			d.conditionError(c, err)
			continue
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
func (d *document) conditionError(n *yaml.Node, err error) {
	at := position{n.Line, n.Column}
	if syntax, ok := err.(*conditionError); ok && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(n.Value, "\n") {
		at.column += syntax.offset
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			at.column++
		}
	}
	d.errorAt(at, "condition: %v", err)
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
	item := Item{Field: field, Line: m.key.Line, Column: m.key.Column}
	before := len(d.errs)
	if strings.HasPrefix(field, ".") || strings.HasSuffix(field, ".") || strings.Contains(field, "..") {
		d.errorf(m.key, "%s: field %q has an empty part; write names with one dot between, as in \"userIdentity.type\"", where, field)
	}
	if strings.Count(field, ".") >= maxFieldParts {
		d.errorf(m.key, "%s: field %q has more than %d parts", where, shorten(field), maxFieldParts)
	}
	if modifiers != "" || strings.HasSuffix(m.key.Value, "|") {
		d.parseModifiers(&item, m.key, strings.Split(modifiers, "|"), where)
	}
	if field == "" {
		if item.Op == OpExists {
			d.errorf(m.key, `%s: modifier "exists" needs a field before the "|"`, where)
		}
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
	v := Value{Kind: String, Text: n.Value, Line: n.Line, Column: n.Column}
	switch n.ShortTag() {
	case "!!null":
		v.Kind, v.Text = Null, ""
	case "!!bool":
		v.Kind, v.Text = Bool, strings.ToLower(n.Value)
	case "!!int", "!!float":
		v.Kind, v.Text = Number, decimal(n.Value)
	}
	switch {
	case item.Op == OpExists && v.Kind != Bool:
		d.errorf(n, "%s: modifier \"exists\" takes true or false, not %s", what, describe(n))
		return v, false
	case v.Kind == Null && item.Field == "":
		d.errorf(n, "%s: a keyword must be a string, not null", what)
		return v, false
	case v.Kind == Null && item.Op != OpEqual:
		d.errorf(n, "%s: null stands for an absent field and takes no string modifier; write '' for an empty string", what)
		return v, false
	case item.Op == OpRegexp:
		if _, err := compileRegexp(v.Text, item.Flags); err != nil {
			d.errorf(n, "%s: %v", what, err)
			return v, false
		}
	}
	return v, true
}

// decimal writes a YAML number as JSON would. A whole number with leading
// zeros stays as it is written: in CloudTrail that is an account, not an
// octal number.
func decimal(s string) string {
	if isNumber(s) || isInteger(s) {
		return s
	}
	if i, err := strconv.ParseInt(s, 0, 64); err == nil { // 0x1f, 0o17, 1_000, +1
		return strconv.FormatInt(i, 10)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil { // .5, 1., +1.5
		if text := strconv.FormatFloat(f, 'g', -1, 64); isNumber(text) {
			return text
		}
	}
	return s
}

// compileRegexp compiles the value of "re" with its sub-modifiers.
func compileRegexp(expr, flags string) (*regexp.Regexp, error) {
	if flags != "" {
		expr = "(?" + flags + ")" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("%q is not a regular expression that Go can match: %v", shorten(expr), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}
