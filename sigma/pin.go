package sigma

import "slices"

// pins are what a condition demands of eventSource and eventName: the record
// lies in one of the boxes.
type pins []box

// box is a set of sources times a set of names, both folded and sorted. A nil
// set is every value.
type box struct{ sources, names []string }

// maxBoxes bounds the work for a condition with many alternatives; with more
// of them a rule counts as not pinned.
const maxBoxes = 32

var unpinned = pins{{}}

// pins derives the pins of a condition. They err on the side of too many
// records: what is not understood is not pinned.
func (k *compiler) pins(n node) pins {
	switch n := n.(type) {
	case andNode:
		return allOf(n, k.pins)
	case orNode:
		return anyOf(n, k.pins)
	case *fieldNode:
		return k.pinsOfField(n)
	}
	return unpinned // a negation says what a record is not
}

func (k *compiler) pinsOfField(n *fieldNode) pins {
	source := n.slot == k.slotOf(sourceField)
	if n.negated || !source && n.slot != k.slotOf(nameField) {
		return unpinned
	}
	// With "all" too each one of the values pins: a field that is a list can
	// have them all.
	set, ok := appendLiterals([]string{}, n.tests)
	if !ok {
		return unpinned
	}
	slices.Sort(set)
	set = slices.Compact(set)
	if source {
		return pins{{sources: set}}
	}
	return pins{{names: set}}
}

// appendLiterals appends the strings, folded, that tests match; false when one
// of them matches more than one string.
func appendLiterals(set []string, tests []test) ([]string, bool) {
	for i := range tests {
		t := &tests[i]
		switch {
		case t.kind == testPattern && t.pattern.kind == patternExact && t.pattern.literal != "":
			set = append(set, foldString(t.pattern.literal))
		case t.kind == testAny:
			var ok bool
			if set, ok = appendLiterals(set, t.any); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return set, true
}

// allOf intersects.
func allOf[T any](xs []T, of func(T) pins) pins {
	result := unpinned
	for _, x := range xs {
		var next pins
		for _, a := range result {
			for _, b := range of(x) {
				next = append(next, a.intersect(b))
			}
		}
		if next = next.merge(); len(next) <= maxBoxes { // else the boxes so far still hold
			result = next
		}
	}
	return result
}

// anyOf unites.
func anyOf[T any](xs []T, of func(T) pins) pins {
	var result pins
	for _, x := range xs {
		result = append(result, of(x)...)
	}
	if result = result.merge(); len(result) > maxBoxes {
		return unpinned
	}
	return result
}

// merge puts boxes together that differ in one side only, such as the names in
// a list of values.
func (p pins) merge() pins {
	var merged pins
next:
	for _, b := range p {
		for i := range merged {
			m := &merged[i]
			switch {
			case equalSet(m.sources, b.sources):
				m.names = unite(m.names, b.names)
				continue next
			case equalSet(m.names, b.names):
				m.sources = unite(m.sources, b.sources)
				continue next
			}
		}
		merged = append(merged, b)
	}
	return merged
}

func equalSet(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

func unite(a, b []string) []string {
	if a == nil || b == nil {
		return nil
	}
	both := append(append(make([]string, 0, len(a)+len(b)), a...), b...) // never nil
	slices.Sort(both)
	return slices.Compact(both)
}

func (b box) intersect(c box) box {
	return box{intersectSets(b.sources, c.sources), intersectSets(b.names, c.names)}
}

// intersectSets may return an empty set, which no string is in. The box stays:
// a record whose field is not a string could still lie in both.
func intersectSets(a, b []string) []string {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	both := []string{}
	for _, s := range a {
		if _, found := slices.BinarySearch(b, s); found {
			both = append(both, s)
		}
	}
	return both
}

// names returns every name that the boxes admit; false when some box admits
// all.
func (p pins) names() ([]string, bool) {
	return p.side(func(b box) []string { return b.names })
}

func (p pins) sources() ([]string, bool) {
	return p.side(func(b box) []string { return b.sources })
}

func (p pins) side(of func(box) []string) ([]string, bool) {
	all := []string{}
	for _, b := range p {
		if of(b) == nil {
			return nil, false
		}
		all = unite(all, of(b))
	}
	return all, true
}

// admit reports whether a folded pair lies in a box. An empty side is unknown
// and lies in all.
func (p pins) admit(source, name string) bool {
	for _, b := range p {
		if admits(b.sources, source) && admits(b.names, name) {
			return true
		}
	}
	return false
}

func admits(set []string, value string) bool {
	if set == nil || value == "" {
		return true
	}
	_, found := slices.BinarySearch(set, value)
	return found
}
