package sigma

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// CompiledCorrelation is a correlation of a Set.
type CompiledCorrelation struct {
	meta      Meta
	groupBy   []string
	fields    []fieldPath
	timespan  time.Duration
	condition Threshold
}

// Meta describes the correlation, with its level as inherited or overridden.
// It must not be changed.
func (c *CompiledCorrelation) Meta() *Meta { return &c.meta }

// GroupBy returns the fields whose values make a group. It must not be
// changed.
func (c *CompiledCorrelation) GroupBy() []string { return c.groupBy }

// Timespan is the length of the closed window: events at most that far apart
// are in one.
func (c *CompiledCorrelation) Timespan() time.Duration { return c.timespan }

// Condition is what must hold for the count in a window.
func (c *CompiledCorrelation) Condition() Threshold { return c.condition }

// Holds reports whether the condition holds for the count of a window that
// ends at a matching event.
func (c *CompiledCorrelation) Holds(count int) bool { return c.condition.Holds(count) }

// Group appends the record's values of the group-by fields to dst. It reports
// false, and returns dst as it was, when the record lacks one of them (absent,
// or a JSON null): such a record does not count.
//
// A string is taken as it is, without folding case; a number, true and false
// as they are written. Where a path leads to several values, or to a list or
// an object, the JSON text stands for it, as a list when there are several.
// The values share no memory with the record.
func (c *CompiledCorrelation) Group(record []byte, dst []string) ([]string, bool) {
	text := textOf(record)
	before := len(dst)
	var buffer [4]gjson.Result
	for i := range c.fields {
		value, ok := groupValue(c.fields[i].read(buffer[:0], text))
		if !ok {
			return dst[:before], false
		}
		dst = append(dst, value)
	}
	return dst, true
}

func groupValue(values []gjson.Result) (string, bool) {
	switch {
	case len(values) == 0:
		return "", false
	case len(values) == 1 && values[0].Type == gjson.Null:
		return "", false
	case len(values) == 1 && values[0].Type == gjson.String:
		return strings.Clone(values[0].Str), true
	case len(values) == 1:
		return strings.Clone(values[0].Raw), true
	}
	var list strings.Builder
	null := true
	for i, v := range values {
		if i > 0 {
			list.WriteByte(',')
		} else {
			list.WriteByte('[')
		}
		list.WriteString(v.Raw)
		null = null && v.Type == gjson.Null
	}
	list.WriteByte(']')
	return list.String(), !null
}
