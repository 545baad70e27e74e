package sigma

import "slices"

// The fields that rules are indexed by.
const (
	sourceField = "eventSource"
	nameField   = "eventName"
)

// Candidates are the rules that could match records of one type. It is a small
// value, to be asked for once a type of a batch.
type Candidates struct {
	set          *Set
	rules        []*CompiledRule
	source, name string
}

// Candidates returns the rules that could match a record whose eventSource and
// eventName are these strings as they stand in the record. An empty one stands
// for a record in which that field is absent or not a string.
//
// Rules that the pair rules out are left out, so with no candidates the record
// need not be looked at.
func (s *Set) Candidates(source, name string) Candidates {
	return Candidates{set: s, rules: s.index.find(source, name), source: source, name: name}
}

// Len is the number of candidates.
func (c Candidates) Len() int { return len(c.rules) }

// Rules returns the candidates in the order of the set.
func (c Candidates) Rules() []*CompiledRule { return slices.Clone(c.rules) }

// AppendMatches appends the rules that match a record, in the order of the
// set. The record is the JSON text of one valid CloudTrail record of the type
// that the candidates are for; it is not kept. A record that matches nothing
// costs no allocation, unless a string with escapes is read from it.
func (c Candidates) AppendMatches(dst []*CompiledRule, record []byte) []*CompiledRule {
	if len(c.rules) == 0 {
		return dst
	}
	r := c.set.readers.Get().(*reader)
	r.reset(textOf(record))
	if c.source != "" && c.set.sourceSlot >= 0 {
		r.preset(c.set.sourceSlot, c.source)
	}
	if c.name != "" && c.set.nameSlot >= 0 {
		r.preset(c.set.nameSlot, c.name)
	}
	for _, rule := range c.rules {
		if rule.condition.holds(r) {
			dst = append(dst, rule)
		}
	}
	r.record = ""
	c.set.readers.Put(r)
	return dst
}

// index finds rules by the types of records that they demand. Every rule is in
// exactly one of the three: under the names that it demands, else under the
// sources, else in the rest.
type index struct {
	byName, bySource map[string][]*CompiledRule
	rest             []*CompiledRule
}

func buildIndex(rules []*CompiledRule) index {
	x := index{byName: map[string][]*CompiledRule{}, bySource: map[string][]*CompiledRule{}}
	enter := func(m map[string][]*CompiledRule, rule *CompiledRule, keys []string) {
		if len(keys) == 0 {
			keys = []string{""} // found only when the record's field is unknown
		}
		for _, key := range keys {
			m[key] = append(m[key], rule)
		}
	}
	for _, rule := range rules {
		if names, ok := rule.pins.names(); ok {
			enter(x.byName, rule, names)
		} else if sources, ok := rule.pins.sources(); ok {
			enter(x.bySource, rule, sources)
		} else {
			x.rest = append(x.rest, rule)
		}
	}
	return x
}

// find returns the candidates for a type, in the order of the set.
func (x *index) find(source, name string) []*CompiledRule {
	var sourceBuffer, nameBuffer [96]byte
	s, n := textOf(appendFold(sourceBuffer[:0], source)), textOf(appendFold(nameBuffer[:0], name))
	var found []*CompiledRule
	add := func(rules []*CompiledRule) {
		for _, rule := range rules {
			if rule.pins.admit(s, n) {
				found = append(found, rule)
			}
		}
	}
	lookup := func(m map[string][]*CompiledRule, key string) {
		if key != "" {
			add(m[key])
			return
		}
		// The field is not a string we know: only the rule itself can tell.
		before := len(found)
		for _, rules := range m {
			add(rules)
		}
		slices.SortFunc(found[before:], byOrder)
		found = slices.Compact(found)
	}
	lookup(x.byName, n)
	lookup(x.bySource, s)
	add(x.rest)
	slices.SortFunc(found, byOrder)
	return found
}

func byOrder(a, b *CompiledRule) int { return a.order - b.order }
