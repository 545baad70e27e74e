package sigma

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var correlationKeys = []string{"type", "rules", "group-by", "timespan", "condition", "generate", "aliases"}

// laterTypes are in the specification or its reference implementation and not
// in this version.
var laterTypes = []string{"value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile", "value_median"}

// parseCorrelation reads the "correlation" of a document, and "generate",
// which the specification's schema has beside it and the reference
// implementation inside.
func (d *document) parseCorrelation(meta Meta, top map[string]*yaml.Node) *Correlation {
	c := &Correlation{Meta: meta}
	n := top["correlation"]
	if top["detection"] != nil {
		d.errorf(top["detection"], "a document has either a detection or a correlation; put \"---\" between the two")
	}
	if g, ok := top["generate"]; ok {
		c.Generate = d.truth(g, "generate")
	}
	has := map[string]bool{}
	var condition *yaml.Node
	for _, m := range d.mapping(n, "correlation") {
		has[m.key.Value] = true
		switch m.key.Value {
		case "type":
			c.Type = d.text(m.value, "correlation.type")
			d.checkType(m.value, c.Type)
		case "rules":
			c.Rules, c.ruleAt = d.texts(m.value, "correlation.rules")
		case "group-by":
			c.GroupBy = d.parseGroupBy(m.value)
		case "timespan":
			text := d.text(m.value, "correlation.timespan")
			span, err := parseTimespan(text)
			if err != nil {
				d.errorf(m.value, "correlation.timespan: %v", err)
			}
			c.Timespan, c.timespanAt = span, position{m.value.Line, m.value.Column}
		case "condition":
			condition = m.value
		case "generate":
			c.Generate = d.truth(m.value, "correlation.generate") || c.Generate
		case "aliases":
			d.errorf(m.key, `correlation: "aliases" are not supported by this version; group by a field that all rules have`)
		default:
			// Unlike the top level this is closed: a misspelt group-by would
			// silently count everything together.
			d.errorf(m.key, "correlation: unknown key %q%s", m.key.Value, suggest(m.key.Value, correlationKeys))
		}
	}
	if n.Kind != yaml.MappingNode || c.Type != "event_count" {
		if n.Kind == yaml.MappingNode && !has["type"] {
			d.errorf(n, `correlation: there is no "type"; write "type: event_count"`)
		}
		return c // the rest has another form in other types
	}
	if len(c.Rules) == 0 {
		d.errorf(n, `correlation: there are no "rules"; write a list of ids or names of rules`)
	}
	if !has["timespan"] {
		d.errorf(n, `correlation: there is no "timespan"; write one such as "timespan: 5m"`)
	}
	if condition == nil {
		d.errorf(n, `correlation: there is no "condition"; write one such as "condition: {gte: 5}"`)
	} else {
		c.Condition = d.parseThreshold(condition)
	}
	return c
}

func (d *document) checkType(n *yaml.Node, name string) {
	switch {
	case name == "event_count":
	case slices.Contains(laterTypes, name):
		d.errorf(n, "correlation.type: %q is not supported by this version, which counts events only; write event_count", name)
	default:
		d.errorf(n, "correlation.type: %q is not a correlation type%s", name, suggest(name, append([]string{"event_count"}, laterTypes...)))
	}
}

func (d *document) parseGroupBy(n *yaml.Node) []string {
	fields, at := d.texts(n, "correlation.group-by")
	for i, field := range fields {
		if strings.HasPrefix(field, ".") || strings.HasSuffix(field, ".") || strings.Contains(field, "..") || strings.Count(field, ".") >= maxFieldParts {
			d.errorAt(at[i], "correlation.group-by: %q is not a field; write names with one dot between, as in \"userIdentity.arn\"", shorten(field))
		}
		if slices.Contains(fields[:i], field) {
			d.errorAt(at[i], "correlation.group-by: field %q is there twice", field)
		}
	}
	return fields
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
	unit, ok := timespanUnits[s[len(s)-1]]
	number, rest := digits(s[:len(s)-1])
	if !ok || number == "" || rest != "" {
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

func (d *document) parseThreshold(n *yaml.Node) Threshold {
	if n.Kind == yaml.ScalarNode {
		d.errorf(n, "correlation.condition: event_count takes a map such as {gte: 5}, not %s", describe(n))
		return nil
	}
	before := len(d.errs)
	var t Threshold
	for _, m := range d.mapping(n, "correlation.condition") {
		switch {
		case m.key.Value == "field":
			d.errorf(m.key, `correlation.condition: "field" belongs to value_count, which is not supported by this version; event_count counts events`)
		case !slices.Contains(boundOps, m.key.Value):
			d.errorf(m.key, "correlation.condition: unknown comparison %q%s", m.key.Value, suggest(m.key.Value, boundOps))
		default:
			text := d.text(m.value, "correlation.condition")
			value, err := strconv.Atoi(text)
			if err != nil || value < 0 {
				d.errorf(m.value, "correlation.condition: %q is not a count; write a whole number, 0 or more", shorten(text))
				continue
			}
			t = append(t, Bound{m.key.Value, value})
		}
	}
	if len(d.errs) > before {
		return t
	}
	if len(t) == 0 {
		d.errorf(n, "correlation.condition: there is no comparison; write one such as {gte: 5}")
	} else if !t.possible() {
		d.errorf(n, "correlation.condition: no count can be %s", t)
	}
	return t
}
