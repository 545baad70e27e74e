package sigma

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trailbell/trailbell/sigma/window"
)

// Threshold is the condition of a correlation that measures: all bounds hold.
type Threshold []Bound

// Bound compares a measure with a number.
type Bound struct {
	// Op is one of gt, gte, lt, lte, eq, neq.
	Op string
	// Value is a whole number of at least 0 for a count, and any number of at
	// most six decimals, at most 9e12 either way, for a sum, an average or a
	// percentile.
	Value float64
}

var boundOps = []string{"gt", "gte", "lt", "lte", "eq", "neq"}

// maxCount bounds the numbers that counts are compared with. No window holds
// as many events.
const maxCount = 1_000_000_000

// holds reports whether a measure satisfies every bound.
func (t Threshold) holds(measure float64) bool {
	for _, b := range t {
		if !b.holds(measure) {
			return false
		}
	}
	return true
}

func (b Bound) holds(measure float64) bool {
	switch b.Op {
	case "gt":
		return measure > b.Value
	case "gte":
		return measure >= b.Value
	case "lt":
		return measure < b.Value
	case "lte":
		return measure <= b.Value
	case "eq":
		return measure == b.Value
	case "neq":
		return measure != b.Value
	}
	return false
}

// String formats as rules spell it: "gt: 4, lte: 10".
func (t Threshold) String() string {
	parts := make([]string, len(t))
	for i, b := range t {
		parts[i] = b.Op + ": " + strconv.FormatFloat(b.Value, 'f', -1, 64)
	}
	return strings.Join(parts, ", ")
}

// possibleCount reports whether any count from 1 to most satisfies t: the
// window of a matching event is never empty. Counts next to a bound decide.
func (t Threshold) possibleCount(most float64) bool {
	tries := []float64{1, most}
	for _, b := range t {
		// neq can punch holes of one; a step further is then the next try.
		for d := range len(t) + 2 {
			tries = append(tries, b.Value-float64(d), b.Value+float64(d))
		}
	}
	return slices.ContainsFunc(tries, func(c float64) bool { return 1 <= c && c <= most && t.holds(c) })
}

// possibleNumber reports whether any number satisfies t: the bounds, and what
// is between them, decide.
func (t Threshold) possibleNumber() bool {
	var tries []float64
	for _, b := range t {
		tries = append(tries, b.Value)
	}
	slices.Sort(tries)
	for i := range len(tries) - 1 {
		tries = append(tries, tries[i]/2+tries[i+1]/2)
	}
	tries = append(tries, -math.MaxFloat64, math.MaxFloat64)
	return slices.ContainsFunc(tries, t.holds)
}

// startsHigh reports whether t holds for the least count there is: it does
// not wait for anything, but ceases to hold.
func (t Threshold) startsHigh() bool {
	upper := func(b Bound) bool { return b.Op == "lt" || b.Op == "lte" }
	return t.holds(1) && slices.ContainsFunc(t, upper)
}

// holdsAlways reports whether every count that a window can reach satisfies t.
func (t Threshold) holdsAlways() bool {
	for _, b := range t {
		lower := b.Op == "gt" || b.Op == "gte" || b.Op == "neq" && b.Value < 1
		if !lower || !b.holds(1) {
			return false
		}
	}
	return len(t) > 0
}

// bounds returns t for the window engine, in the unit of the measure.
func (t Threshold) bounds(numbers bool) []window.Bound {
	ops := map[string]window.Op{"gt": window.GT, "gte": window.GTE, "lt": window.LT, "lte": window.LTE, "eq": window.EQ, "neq": window.NEQ}
	bounds := make([]window.Bound, len(t))
	for i, b := range t {
		bounds[i] = window.Bound{Op: ops[b.Op], Value: int64(b.Value)}
		if numbers {
			bounds[i].Value, _, _ = parseMillionths(strconv.FormatFloat(b.Value, 'f', -1, 64))
		}
	}
	return bounds
}

// parseThreshold reads the condition map of a correlation: bounds, and what
// the type asks for beside them.
func (d *document) parseThreshold(n *yaml.Node, c *Correlation) {
	before := len(d.errs)
	t := correlationTypes[c.Type]
	var percentile, field *yaml.Node
	for _, m := range d.mapping(n, "correlation.condition") {
		switch key := m.key.Value; {
		case key == "field":
			field = m.key
			if !t.values {
				d.oddf(m.key, `correlation.condition: "field" does nothing, since %s counts %s; remove it, or write "type: value_count" to count values`, c.Type, t.counts)
				continue
			}
			c.Fields, c.fieldAt = d.parseFields(m.value, "correlation.condition.field")
		case key == "percentile":
			percentile = m.key
			if c.Type != "value_percentile" {
				d.errorf(m.key, `correlation.condition: "percentile" is for the type value_percentile, not %s`, c.Type)
				continue
			}
			text := d.text(m.value, "correlation.condition.percentile")
			p, err := strconv.Atoi(decimal(text))
			if err != nil || p < 0 || p > 100 {
				d.errorf(m.value, "correlation.condition.percentile: %q is not a percentile; write a whole number, 0 to 100", shorten(text))
				continue
			}
			c.Percentile = p
		case slices.Contains(boundOps, key):
			if value, ok := d.parseBound(m.value, t); ok {
				c.Condition = append(c.Condition, Bound{key, value})
			}
		default:
			known := boundOps
			if t.values {
				known = append(slices.Clone(known), "field")
			}
			if c.Type == "value_percentile" {
				known = append(slices.Clone(known), "percentile")
			}
			d.errorf(m.key, "correlation.condition: unknown comparison %q%s", key, d.suggest(key, known))
		}
	}
	if len(d.errs) > before {
		return
	}
	switch {
	case t.values && (field == nil || len(c.Fields) == 0):
		d.errorf(n, `correlation.condition: %s needs a "field"; write one as in {field: %s, gte: 5}`, c.Type, t.example)
	case len(c.Fields) > 1 && c.Type != "value_count":
		d.errorf(field, "correlation.condition.field: %s takes one field, not %d; only value_count counts combinations", c.Type, len(c.Fields))
	case c.Type == "value_percentile" && percentile == nil:
		d.errorf(n, `correlation.condition: value_percentile needs a "percentile"; write one as in {field: %s, percentile: 95, gt: 5}`, t.example)
	case len(c.Condition) == 0:
		d.errorf(n, "correlation.condition: there is no comparison; write one such as {gte: 5}")
	case t.numbers && !c.Condition.possibleNumber():
		d.errorf(n, "correlation.condition: no number can be %s", c.Condition)
	case !t.numbers && !c.Condition.possibleCount(c.most()):
		d.errorf(n, "correlation.condition: no count can be %s%s", c.Condition, c.mostHint())
	}
}

// parseBound reads the number of a comparison.
func (d *document) parseBound(n *yaml.Node, t correlationType) (float64, bool) {
	text := d.text(n, "correlation.condition")
	plain := decimal(text)
	millionths, exact, ok := parseMillionths(plain)
	switch {
	case t.numbers && ok && !exact:
		d.errorf(n, "correlation.condition: %q has more than six decimals; round it", shorten(text))
		return 0, false
	case t.numbers && !ok:
		d.errorf(n, "correlation.condition: %q is not a number that can be compared with; write a decimal number, at most 9e12 either way", shorten(text))
		return 0, false
	case !t.numbers && (ok && millionths > maxCount*million || !ok && isNumber(plain) && plain[0] != '-'):
		d.errorf(n, "correlation.condition: %q is more than any window holds; write at most %d", shorten(text), maxCount)
		return 0, false
	case !t.numbers && (!ok || !exact || millionths < 0 || millionths%million != 0):
		d.errorf(n, "correlation.condition: %q is not a count; write a whole number, 0 or more", shorten(text))
		return 0, false
	}
	value, err := strconv.ParseFloat(plain, 64)
	if err != nil {
		d.errorf(n, "correlation.condition: %q is not a number", shorten(text))
	}
	return value, err == nil
}

// most is the highest count that the correlation can reach.
func (c *Correlation) most() float64 {
	switch c.Type {
	case "temporal":
		return float64(len(distinct(c.Rules)))
	case "temporal_ordered":
		return float64(len(c.Rules))
	}
	return math.MaxFloat64
}

func (c *Correlation) mostHint() string {
	if most := c.most(); most < maxCount {
		return fmt.Sprintf("; there are %.0f rules", most)
	}
	return ""
}
