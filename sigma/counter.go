package sigma

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/gjson"

	"github.com/trailbell/trailbell/sigma/window"
)

// CompiledCorrelation is a correlation of a Set, with all correlations that it
// counts.
type CompiledCorrelation struct {
	meta      Meta
	kind      string
	groupBy   []string
	timespan  time.Duration
	condition string
	rules     []string

	levels   []window.Level
	counters []*counter // of each level
	// shared are the positions, in the group-by of each level, of the fields
	// that all levels have. Only for a chain.
	shared [][]int
	// inputs says where the match of a rule counts.
	inputs      map[*CompiledRule][]window.Input
	fingerprint uint32
}

// Meta describes the correlation, with its level as inherited or overridden.
// It must not be changed.
func (c *CompiledCorrelation) Meta() *Meta { return &c.meta }

// Type is the type of the correlation, such as "event_count".
func (c *CompiledCorrelation) Type() string { return c.kind }

// GroupBy returns the fields and aliases whose values make a group. It must
// not be changed.
func (c *CompiledCorrelation) GroupBy() []string { return c.groupBy }

// Timespan is the length of the closed window: events at most that far apart
// are in one.
func (c *CompiledCorrelation) Timespan() time.Duration { return c.timespan }

// Condition is what must hold for a window, as a rule spells it: "gte: 5",
// "field: userIdentity.arn, gt: 3", or "failure and not success".
func (c *CompiledCorrelation) Condition() string { return c.condition }

// Rules returns the names, or ids where there is no name, of the rules and
// correlations that count directly, in the order of the bits of
// window.Count.Inputs. It must not be changed.
func (c *CompiledCorrelation) Rules() []string { return c.rules }

// Levels describes the correlation to the window engine. The first level is
// the correlation itself. More than one make a chain: the others are the
// correlations that it counts, directly or through others, each after all
// levels that count it. It must not be changed.
func (c *CompiledCorrelation) Levels() []window.Level { return c.levels }

// Chained reports whether the correlation counts correlations.
func (c *CompiledCorrelation) Chained() bool { return len(c.levels) > 1 }

// Hit is how a record counts for a correlation.
type Hit struct {
	// Key are the group-by values by which the hits of a correlation can be
	// told apart: only hits with equal keys can ever count together. For a
	// correlation over rules they are the values of the group. For a chain they
	// are the values of the fields that all of its levels group by under their
	// own names, in the order of the outermost; there may be none.
	Key []string
	// Counts has, for a correlation over rules, one entry of level 0. For a
	// chain it has one or more for each level that the record counts for, or
	// would count for if the conditions of the levels below held at it; the
	// inputs that stand for levels are only possible ones then. Levels ascend.
	Counts []window.Count
}

// Hits appends how a record counts that matched some rules. Rules that do not
// feed the correlation are passed over; without one that does, and for a
// record that lacks a group-by field (absent, or a JSON null) or the value that
// is counted, there is no hit. What is appended shares no memory with the record.
//
// A group value is a string as it is, without folding case; a number, true and
// false as they are written. Where a path leads to several values, or to a list
// or an object, the compact JSON text stands for it, as a list when there are
// several.
//
// A correlation over rules gives one hit, or, where aliases lead to several
// groups, one for each. A chain gives one.
func (c *CompiledCorrelation) Hits(dst []Hit, matched []*CompiledRule, record []byte) []Hit {
	s := scratches.Get().(*scratch)
	defer s.release()
	return c.hits(dst, matched, textOf(record), s)
}

func (c *CompiledCorrelation) hits(dst []Hit, matched []*CompiledRule, text string, s *scratch) []Hit {
	var inputs [maxLevels]uint64
	any := false
	for _, rule := range matched {
		for _, in := range c.inputs[rule] {
			inputs[in.Level] |= 1 << in.Bit
			any = true
		}
	}
	if !any {
		return dst
	}
	if len(c.levels) == 1 {
		counts := c.counters[0].count(nil, 0, inputs[0], text, s)
		for i := range counts {
			dst = append(dst, Hit{Key: counts[i].Group, Counts: counts[i : i+1 : i+1]})
		}
		return dst
	}
	var counts []window.Count
	// A level stands after all levels that count it.
	for l := len(c.levels) - 1; l >= 0; l-- {
		if inputs[l] == 0 {
			continue
		}
		before := len(counts)
		counts = c.counters[l].count(counts, l, inputs[l], text, s)
		if len(counts) == before {
			continue
		}
		for _, outer := range c.levels[l].Outer {
			inputs[outer.Level] |= 1 << outer.Bit
		}
	}
	if len(counts) == 0 {
		return dst
	}
	slices.SortStableFunc(counts, func(a, b window.Count) int { return a.Level - b.Level })
	first := &counts[0]
	var key []string
	for _, i := range c.shared[first.Level] {
		key = append(key, first.Group[i])
	}
	return append(dst, Hit{Key: key, Counts: counts})
}

// counter reads from records how they count for one level.
type counter struct {
	measure  window.Measure
	readings []reading
}

// reading is how the records of some inputs are read. Without aliases a
// counter has one.
type reading struct {
	inputs uint64
	group  []fieldPath
	values []fieldPath
	// source is the same for readings that take their values from the same
	// fields.
	source int
}

// maxValues bounds the values that one record contributes.
const maxValues = 1000

// count appends how a record counts for the level l with the given inputs.
func (n *counter) count(dst []window.Count, l int, inputs uint64, record string, s *scratch) []window.Count {
	before := len(dst)
	var sources [maxInputs]uint64 // whose values each count has
	for i := range n.readings {
		r := &n.readings[i]
		if inputs&r.inputs == 0 {
			continue
		}
		group, ok := s.readGroup(s.group[:0], r.group, record)
		s.group = group // it may have grown
		if !ok {
			continue
		}
		values := s.readValues(s.values[:0], r.values, n.measure, record)
		s.values = values
		if len(r.values) > 0 && len(values) == 0 {
			continue
		}
		k := len(dst)
		for j := before; j < len(dst); j++ {
			if slices.Equal(dst[j].Group, group) {
				k = j
			}
		}
		if k == len(dst) {
			dst = append(dst, window.Count{Level: l, Group: cloneTexts(group), Inputs: inputs & r.inputs, Values: append([]int64(nil), values...)})
		} else {
			dst[k].Inputs |= inputs & r.inputs
			if sources[k-before]&(1<<r.source) == 0 {
				for _, v := range values {
					dst[k].Values = n.addValue(dst[k].Values, v)
				}
			}
		}
		sources[k-before] |= 1 << r.source
	}
	return dst
}

func cloneTexts(texts []string) []string {
	if len(texts) == 0 {
		return nil
	}
	clones := make([]string, len(texts))
	for i, s := range texts {
		clones[i] = strings.Clone(s)
	}
	return clones
}

// scratch is memory that reading a record needs and that nothing keeps.
type scratch struct {
	texts   []string
	results []gjson.Result
	group   []string
	values  []int64
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// release puts s back, without what points into a record.
func (s *scratch) release() {
	clear(s.texts[:cap(s.texts)])
	clear(s.results[:cap(s.results)])
	clear(s.group[:cap(s.group)])
	scratches.Put(s)
}

func (s *scratch) read(p *fieldPath, record string) []gjson.Result {
	s.texts = p.collect(s.texts[:0], record, 0, 0)
	s.results = s.results[:0]
	for _, text := range s.texts {
		s.results = append(s.results, gjson.Parse(text))
	}
	return s.results
}

// readGroup appends the values of the group-by fields, or reports false. They
// may point into the record.
func (s *scratch) readGroup(dst []string, fields []fieldPath, record string) ([]string, bool) {
	before := len(dst)
	for i := range fields {
		value, ok := groupValue(s.read(&fields[i], record))
		if !ok {
			return dst[:before], false
		}
		dst = append(dst, value)
	}
	return dst, true
}

// groupValue returns the text that stands for the values of a field. It may
// point into the record.
func groupValue(values []gjson.Result) (string, bool) {
	switch {
	case len(values) == 0:
		return "", false
	case len(values) == 1 && values[0].Type == gjson.Null:
		return "", false
	case len(values) == 1 && values[0].Type == gjson.String:
		return values[0].Str, true
	case len(values) == 1:
		return compact(values[0].Raw), true
	}
	var list strings.Builder
	null := true
	for i, v := range values {
		if i > 0 {
			list.WriteByte(',')
		} else {
			list.WriteByte('[')
		}
		list.WriteString(compact(v.Raw))
		null = null && v.Type == gjson.Null
	}
	list.WriteByte(']')
	return list.String(), !null
}

// compact returns JSON text without white space around its parts, so that what
// wrote a record does not decide about its group. Text without any, as CloudTrail
// writes it, costs nothing.
func compact(raw string) string {
	if raw == "" || raw[0] != '[' && raw[0] != '{' || !strings.ContainsAny(raw, " \t\n\r") {
		return raw
	}
	return gjson.Get(raw, "@ugly").Raw
}

// readValues appends what the record contributes to a measure of values: none
// when the field is absent or holds nothing that can be counted.
func (s *scratch) readValues(dst []int64, fields []fieldPath, measure window.Measure, record string) []int64 {
	switch len(fields) {
	case 0:
		return dst
	case 1:
		for _, v := range s.read(&fields[0], record) {
			dst = appendScalars(dst, measure, v.Type, v.Raw, v.Str, 0)
		}
		return dst
	}
	// Each part of a combination is preceded by its length, so that no two
	// combinations have one text.
	var text []byte
	for i := range fields {
		value, ok := groupValue(s.read(&fields[i], record))
		if !ok {
			return dst
		}
		text = strconv.AppendInt(text, int64(len(value)), 10)
		text = append(append(text, ':'), value...)
	}
	return append(dst, int64(xxhash.Sum64(text)))
}

// appendScalars appends a value, or each scalar in a list of them. Objects and
// nulls are none.
func appendScalars(dst []int64, measure window.Measure, kind gjson.Type, raw, str string, depth int) []int64 {
	if len(dst) >= maxValues {
		return dst
	}
	text := raw
	switch kind {
	case gjson.Null:
		return dst
	case gjson.String:
		text = str
	case gjson.JSON:
		if raw == "" || raw[0] != '[' || depth == maxListDepth {
			return dst
		}
		for c := childrenOf(raw); c.next(); {
			v := gjson.Parse(c.value)
			dst = appendScalars(dst, measure, v.Type, v.Raw, v.Str, depth+1)
		}
		return dst
	}
	if measure == window.Values {
		hash := valueHash(text)
		if slices.Contains(dst, hash) {
			return dst
		}
		return append(dst, hash)
	}
	if kind != gjson.Number && kind != gjson.String {
		return dst
	}
	if n, _, ok := parseMillionths(text); ok {
		dst = append(dst, n)
	}
	return dst
}

// addValue adds a value that was read from another field of the same record.
func (n *counter) addValue(values []int64, v int64) []int64 {
	if len(values) >= maxValues || n.measure == window.Values && slices.Contains(values, v) {
		return values
	}
	return append(values, v)
}

// valueHash stands for the text of a value that value_count counts: xxHash64
// with seed 0. It is stored in logs of matches: another hash would count a
// value twice.
func valueHash(text string) int64 { return int64(xxhash.Sum64String(text)) }
