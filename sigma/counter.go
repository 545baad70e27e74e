package sigma

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/gjson"

	"github.com/trailbell/trailbell/sigma/window"
)

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

// sets returns the inputs of each source; nil when there is but one.
func (n *counter) sets() []uint64 {
	var sets []uint64
	for _, r := range n.readings {
		for len(sets) <= r.source {
			sets = append(sets, 0)
		}
		sets[r.source] |= r.inputs
	}
	if len(sets) == 1 {
		return nil
	}
	return sets
}

// count appends how a record counts for the level l with the given inputs. The
// counts of a group are one, but apart when each source shall have its own.
func (n *counter) count(dst []window.Count, l int, inputs uint64, apart bool, record string, s *scratch) []window.Count {
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
			if slices.Equal(dst[j].Group, group) && (!apart || sources[j-before] == 1<<r.source) {
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
// may point into the record. Bytes that are not UTF-8 become U+FFFD: a group
// must be something that can be written down, in whatever encoding.
func (s *scratch) readGroup(dst []string, fields []fieldPath, record string) ([]string, bool) {
	before := len(dst)
	for i := range fields {
		value, ok := groupValue(s.read(&fields[i], record))
		if !ok {
			return dst[:before], false
		}
		dst = append(dst, strings.ToValidUTF8(value, "\uFFFD"))
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
