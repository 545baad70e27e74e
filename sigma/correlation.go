package sigma

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/trailbell/trailbell/sigma/window"
)

// Correlation is the syntax tree of a correlation.
type Correlation struct {
	Meta
	// Type is one of event_count, value_count, temporal, temporal_ordered,
	// value_sum, value_avg, value_percentile, value_median.
	Type string
	// Rules are ids or names of the rules and correlations whose matches count,
	// at most 64. A temporal correlation that names them in its condition alone
	// has them here in the order of that text.
	Rules []string
	// GroupBy are field paths or names of aliases; every combination of their
	// values is counted by itself. Empty: everything is one group.
	GroupBy []string
	// Aliases give the fields of GroupBy, and of Fields, that have other names
	// in the records of some rules.
	Aliases []Alias
	// Timespan is the length of the closed window, a whole number of seconds.
	Timespan time.Duration
	// Condition is tested at every matching event. It bounds a number of
	// events (event_count), of distinct values (value_count), of distinct rules
	// (temporal), of the steps of Rules that occur in order (temporal_ordered),
	// or the sum, average, percentile or median of values. It is nil when Expr
	// is set; a temporal correlation without a condition demands all rules.
	Condition Threshold
	// Expr is the condition of a temporal correlation that is a text: And, Or,
	// Not and Ref over entries of Rules.
	Expr Expr
	// Fields is the field whose values the types value_… take. value_count may
	// have several, whose combinations it counts.
	Fields []string
	// Percentile is 0 to 100 and read for value_percentile only.
	Percentile int
	// Generate lets the rules alert by themselves too.
	Generate bool

	// Where each entry of Rules, GroupBy and Fields is.
	ruleAt, groupByAt, fieldAt []position

	at, timespanAt position
	// conditionAt is where the condition is, or the correlation.
	conditionAt position
	top         top
	// all says that the condition is the default of a temporal type.
	all bool
	// mutes says that the file has "generate: false" in so many words.
	mutes bool
	// ungrouped says that the file has no "group-by", not even an empty one.
	ungrouped bool
}

// Alias is a name for what is another field in the records of each rule.
type Alias struct {
	Name string
	// Fields maps ids or names of rules to field paths. For a rule that is not
	// here the name of the alias is the field.
	Fields map[string]string

	at    position
	rules []string // the keys of Fields in the order of the file
	// Where each of them, and its field, is.
	rulesAt, fieldsAt []position
}

// correlationType is what sets a type apart.
type correlationType struct {
	measure window.Measure
	// values: it takes the values of a field. numbers: its bounds are decimal.
	values, numbers, temporal bool
	counts                    string // for errors
	example                   string // a field, for errors
}

var correlationTypes = map[string]correlationType{
	"event_count":      {measure: window.Events, counts: "events"},
	"value_count":      {measure: window.Values, values: true, example: "userIdentity.arn"},
	"temporal":         {measure: window.Rules, temporal: true, counts: "rules"},
	"temporal_ordered": {measure: window.OrderedRules, temporal: true, counts: "rules"},
	"value_sum":        {measure: window.Sum, values: true, numbers: true, example: "additionalEventData.bytesTransferredOut"},
	"value_avg":        {measure: window.Average, values: true, numbers: true, example: "additionalEventData.bytesTransferredOut"},
	"value_percentile": {measure: window.Percentile, values: true, numbers: true, example: "additionalEventData.bytesTransferredOut"},
	"value_median":     {measure: window.Percentile, values: true, numbers: true, example: "additionalEventData.bytesTransferredOut"},
}

var (
	correlationTypeNames = []string{"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile", "value_median"}
	correlationKeys      = []string{"type", "rules", "group-by", "timespan", "condition", "generate", "aliases"}
)

// maxInputs bounds the rules of a correlation: each has a bit of its own.
const maxInputs = 64

// parseCorrelation reads the "correlation" of a document, and "generate",
// which the specification's schema has beside it and the reference
// implementation inside.
func (d *document) parseCorrelation(meta Meta, top map[string]*yaml.Node) *Correlation {
	c := &Correlation{Meta: meta}
	n := top["correlation"]
	for _, key := range []string{"detection", "filter"} {
		if top[key] != nil {
			d.errorf(top[key], "a document has either a %s or a correlation; put \"---\" between the two", key)
		}
	}
	if g, ok := top["generate"]; ok {
		d.parseGenerate(c, g, "generate")
	}
	has := map[string]*yaml.Node{}
	for _, m := range d.mapping(n, "correlation") {
		has[m.key.Value] = m.value
		switch m.key.Value {
		case "type":
			c.Type = d.text(m.value, "correlation.type")
			if _, known := correlationTypes[c.Type]; !known {
				d.errorf(m.value, "correlation.type: %q is not a correlation type%s", c.Type, d.suggest(c.Type, correlationTypeNames))
			}
		case "rules":
			c.Rules, c.ruleAt = d.texts(m.value, "correlation.rules")
		case "group-by":
			c.GroupBy, c.groupByAt = d.parseFields(m.value, "correlation.group-by")
		case "timespan":
			text := d.text(m.value, "correlation.timespan")
			span, err := parseTimespan(text)
			if err != nil {
				d.errorf(m.value, "correlation.timespan: %v", err)
			}
			c.Timespan, c.timespanAt = span, position{m.value.Line, m.value.Column}
		case "generate":
			d.parseGenerate(c, m.value, "correlation.generate")
		case "aliases":
			c.Aliases = d.parseAliases(m.value)
		case "condition":
		default:
			// Unlike the top level this is closed: a misspelt group-by would
			// silently count everything together.
			d.errorf(m.key, "correlation: unknown key %q%s", m.key.Value, d.suggest(m.key.Value, correlationKeys))
		}
	}
	t, known := correlationTypes[c.Type]
	if n.Kind != yaml.MappingNode || !known {
		if n.Kind == yaml.MappingNode && has["type"] == nil {
			d.errorf(n, `correlation: there is no "type"; write one such as "type: event_count"`)
		}
		return c // the rest has another form in other types
	}
	if has["timespan"] == nil {
		d.errorf(n, `correlation: there is no "timespan"; write one such as "timespan: 5m"`)
	}
	c.ungrouped = has["group-by"] == nil
	c.at = position{n.Line, n.Column}
	c.conditionAt = c.at
	condition := has["condition"]
	if condition != nil && t.temporal && condition.ShortTag() == "!!null" && isEmpty(condition) {
		condition = nil
	}
	if condition != nil {
		c.conditionAt = position{condition.Line, condition.Column}
	}
	isText := t.temporal && condition != nil && condition.Kind == yaml.ScalarNode && condition.ShortTag() == "!!str"
	if isText {
		d.parseRuleCondition(condition, c)
	} else if rules := has["rules"]; len(c.Rules) == 0 && (rules == nil || rules.Kind != yaml.MappingNode) {
		d.errorf(n, `correlation: there are no "rules"; write a list of ids or names of rules`)
	}
	if len(c.Rules) > maxInputs {
		d.errorAt(c.ruleAt[maxInputs], "correlation.rules: there are %d rules and at most %d are possible; put some of them together in one rule", len(c.Rules), maxInputs)
		return c
	}
	switch {
	case isText:
	case condition == nil && t.temporal:
		c.all = true
		c.Condition = Threshold{{"gte", c.most()}}
	case condition == nil:
		d.errorf(n, `correlation: there is no "condition"; write one such as "condition: {%sgte: 5}"`, t.fieldHint())
	case condition.Kind == yaml.ScalarNode && t.temporal:
		d.errorf(condition, `correlation.condition: %s takes names of rules, as in "a and b", or a map such as {gte: 2}, not %s`, c.Type, describe(condition))
	case condition.Kind == yaml.ScalarNode:
		d.errorf(condition, "correlation.condition: %s takes a map such as {%sgte: 5}, not %s", c.Type, t.fieldHint(), describe(condition))
	default:
		d.parseThreshold(condition, c)
	}
	return c
}

func (t correlationType) fieldHint() string {
	if t.values {
		return "field: " + t.example + ", "
	}
	return ""
}

func (d *document) parseGenerate(c *Correlation, n *yaml.Node, what string) {
	before := len(d.errs)
	truth := d.truth(n, what)
	c.Generate = c.Generate || truth
	c.mutes = c.mutes || !truth && len(d.errs) == before
}

// maxFields bounds the fields whose values make a group, or a combination that
// is counted.
const maxFields = 32

// parseFields reads field paths; each must be there once.
func (d *document) parseFields(n *yaml.Node, where string) ([]string, []position) {
	fields, at := d.texts(n, where)
	if len(fields) > maxFields {
		d.errorAt(at[maxFields], "%s: there are %d fields and at most %d are possible", where, len(fields), maxFields)
		return nil, nil
	}
	for i, field := range fields {
		if msg := checkField(field); msg != "" {
			d.errorAt(at[i], "%s: %s", where, msg)
		}
		if slices.Contains(fields[:i], field) {
			d.errorAt(at[i], "%s: field %q is there twice", where, field)
		}
	}
	return fields, at
}

// maxAliases bounds the aliases: as many as fields to be named by one.
const maxAliases = 2 * maxFields

// parseAliases reads a map from names to maps from rules to fields.
func (d *document) parseAliases(n *yaml.Node) []Alias {
	var aliases []Alias
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil
	}
	members := d.mapping(n, "correlation.aliases")
	if len(members) > maxAliases {
		d.errorf(members[maxAliases].key, "correlation.aliases: there are %d aliases and at most %d are possible", len(members), maxAliases)
		return nil
	}
	for _, m := range members {
		a := Alias{Name: m.key.Value, Fields: map[string]string{}, at: position{m.key.Line, m.key.Column}}
		where := fmt.Sprintf("correlation.aliases: alias %q", a.Name)
		if m.value.Kind != yaml.MappingNode {
			d.errorf(m.value, `%s must be a map from rules to fields, as in {login_failure: userIdentity.userName}, not %s`, where, describe(m.value))
			continue
		}
		for _, f := range d.mapping(m.value, where) {
			field := d.text(f.value, where)
			if field == "" && f.value.Kind == yaml.ScalarNode {
				d.errorf(f.value, "%s has no field for rule %q; write its path, as in \"userIdentity.arn\"", where, f.key.Value)
			}
			if msg := checkField(field); msg != "" {
				d.errorf(f.value, "%s: %s", where, msg)
			}
			a.Fields[f.key.Value] = field
			a.rules = append(a.rules, f.key.Value)
			a.rulesAt = append(a.rulesAt, position{f.key.Line, f.key.Column})
			a.fieldsAt = append(a.fieldsAt, position{f.value.Line, f.value.Column})
		}
		if len(m.value.Content) == 0 {
			d.errorf(m.value, `%s is empty; write the field of each rule, as in {login_failure: userIdentity.userName}`, where)
		}
		aliases = append(aliases, a)
	}
	return aliases
}

// parseRuleCondition reads the condition of a temporal type that is a text. It
// names the rules, or those of "rules", all of them.
func (d *document) parseRuleCondition(n *yaml.Node, c *Correlation) {
	x, names, err := parseRuleCondition(n.Value)
	if err != nil {
		d.conditionError(n, "correlation.condition", err)
		return
	}
	at := position{n.Line, n.Column}
	if max(len(c.Rules), len(names)) > maxInputs {
		if len(c.Rules) == 0 {
			d.errorf(n, "correlation.condition: there are %d rules and at most %d are possible; put some of them together in one rule", len(names), maxInputs)
		}
		return
	}
	if len(c.Rules) == 0 {
		c.Rules = names
		for range names {
			c.ruleAt = append(c.ruleAt, at)
		}
	}
	for _, name := range names {
		if !slices.Contains(c.Rules, name) {
			d.errorf(n, "correlation.condition: %q is not among the rules of the correlation%s", name, suggest(name, c.Rules))
			return
		}
	}
	for i, name := range c.Rules {
		if !slices.Contains(names, name) {
			d.errorAt(c.ruleAt[i], "correlation.rules: the condition does not name %q; name every rule in it, or take this one off the list", name)
			return
		}
	}
	if len(c.Rules) <= maxInputs {
		if _, err := termsOf(x, bitsByName(c.Rules)); err != nil {
			d.errorf(n, "correlation.condition: %v", err)
			return
		}
	}
	c.Expr = x
}

// timespanUnits are those of the specification and "w" of its reference
// implementation. Months and years have no fixed length.
var timespanUnits = map[byte]time.Duration{
	's': time.Second,
	'm': time.Minute,
	'h': time.Hour,
	'd': 24 * time.Hour,
	'w': 7 * 24 * time.Hour,
}

// parseTimespan reads a whole number with a unit.
func parseTimespan(s string) (time.Duration, error) {
	const want = `write a number and a unit out of s, m, h, d, w, as in "5m"`
	if s == "" {
		return 0, fmt.Errorf("it is empty; %s", want)
	}
	number, rest := digits(s)
	if number != "" && (rest == "M" || rest == "y") {
		if rest == "M" {
			return 0, fmt.Errorf(`%q is months, which are not of one length; write days, as in "30d", or "%sm" for minutes`, s, number)
		}
		return 0, fmt.Errorf(`%q is years, which are not of one length; write days, as in "365d"`, s)
	}
	unit, ok := timespanUnits[s[len(s)-1]]
	if !ok || number == "" || len(rest) != 1 {
		return 0, fmt.Errorf("%q is not a timespan; %s", shorten(s), want)
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) {
		return 0, fmt.Errorf("%q is too long", shorten(s))
	}
	if n == 0 {
		return 0, fmt.Errorf("%q is no time at all; %s", s, want)
	}
	return time.Duration(n) * unit, nil
}

// formatSpan writes a duration in the largest unit that is exact, as rules do.
func formatSpan(d time.Duration) string {
	for _, u := range []byte("dhms") {
		if unit := timespanUnits[u]; d%unit == 0 {
			return fmt.Sprintf("%d%c", d/unit, u)
		}
	}
	return d.String()
}

// distinct returns the names without repeats, in order.
func distinct(names []string) []string {
	var once []string
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}
