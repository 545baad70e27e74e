package sigma

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

// node is a compiled condition or a part of one.
type node interface {
	holds(r *reader) bool
}

type (
	andNode []node
	orNode  []node
	notNode struct{ x node }
)

func (n andNode) holds(r *reader) bool {
	for _, x := range n {
		if !x.holds(r) {
			return false
		}
	}
	return true
}

func (n orNode) holds(r *reader) bool {
	for _, x := range n {
		if x.holds(r) {
			return true
		}
	}
	return false
}

func (n notNode) holds(r *reader) bool { return !n.x.holds(r) }

// fieldNode is a compiled item on a field.
type fieldNode struct {
	slot    int // of the field in the reader
	tests   []test
	all     bool
	negated bool // the field is there, and the rest does not hold
}

func (n *fieldNode) holds(r *reader) bool {
	values := r.field(n.slot)
	if n.negated && len(values) == 0 {
		return false
	}
	for i := range n.tests {
		if n.tests[i].holds(r, values) != n.all {
			return n.all == n.negated
		}
	}
	return n.all != n.negated
}

// fieldRefNode is a compiled item that compares a field with others.
type fieldRefNode struct {
	slot    int
	others  []int // slots of the fields that are referred to
	op      Op
	cased   bool
	negated bool
	all     bool
}

// maxReferred bounds the values of the field referred to that are compared, so
// that a record with two long lists costs no more than their sum times it.
const maxReferred = 1000

func (n *fieldRefNode) holds(r *reader) bool {
	values := r.field(n.slot)
	for _, other := range n.others {
		holds, known := n.compare(r, values, r.field(other))
		if (known && holds != n.negated) != n.all {
			return !n.all
		}
	}
	return n.all
}

// compare reports whether any pair matches, and whether there is one: an absent
// field, a JSON null, an empty list or an empty object has no values.
func (n *fieldRefNode) compare(r *reader, values, others []value) (holds, known bool) {
	some := test{kind: testSome}
	if !some.holds(r, values) {
		return false, false
	}
	t := &r.referred
	t.kind, t.pattern = testPattern, pattern{cased: n.cased}
	part := n.op != OpEqual // of which an empty text would be one of everything
	budget := maxReferred
	for i := range others {
		if others[i].kind == valueText {
			if part && others[i].text == "" {
				continue
			}
			known = true
			if budget--; budget < 0 {
				break
			}
			if r.literal(others[i].text, n.op); t.holds(r, values) {
				return true, true
			}
			continue
		}
		l := leaves{text: others[i].text}
		for l.next() {
			text := l.raw
			if text == "null" || part && text == `""` {
				continue
			}
			known = true
			if budget--; budget < 0 {
				break
			}
			if text[0] == '"' {
				r.other = unescape(r.other[:0], text[1:len(text)-1])
				text = textOf(r.other)
			}
			if r.literal(text, n.op); t.holds(r, values) {
				return true, true
			}
		}
	}
	return false, known
}

// literal makes the test of the reader one for a text, without wildcards.
func (r *reader) literal(text string, op Op) {
	p := &r.referred.pattern
	p.number = op == OpEqual && isNumber(text)
	if !p.cased {
		r.folded = appendFold(r.folded[:0], text)
		text = textOf(r.folded)
	}
	p.literal, p.runes = text, utf8.RuneCountInString(text)
	switch op {
	case OpContains:
		p.kind = patternContains
	case OpStartsWith:
		p.kind = patternPrefix
	case OpEndsWith:
		p.kind = patternSuffix
	default:
		p.kind = patternExact
	}
}

// keywordNode is a compiled item without a field.
type keywordNode struct {
	tests []test
	all   bool
}

func (n *keywordNode) holds(r *reader) bool {
	for i := range n.tests {
		if n.tests[i].holdsForLeaf(r, r.record) != n.all {
			return !n.all
		}
	}
	return n.all
}

// test is a compiled value.
type test struct {
	kind    testKind
	pattern pattern
	re      *regexp.Regexp
	network netip.Prefix
	// A testOrder compares the number, or the part of the time if there is one.
	op     Op
	part   TimePart
	number number
	any    []test
}

type testKind uint8

const (
	testNull    testKind = iota // absent, or a JSON null
	testExists                  // there, a JSON null too
	testMissing                 // not there
	testPresent                 // there and not a JSON null: a bare '*'
	testPattern
	testRegexp
	testNetwork
	testOrder
	testSome // any scalar
	testAny  // any of several tests
)

// holds tests the values at a field's path.
func (t *test) holds(r *reader, values []value) bool {
	switch t.kind {
	case testExists:
		return len(values) > 0
	case testMissing:
		return len(values) == 0
	case testNull:
		if len(values) == 0 {
			return true
		}
		for i := range values {
			if values[i].kind == valueNull {
				return true
			}
		}
		return false
	case testPresent:
		for i := range values {
			if values[i].kind != valueNull {
				return true
			}
		}
		return false
	case testAny:
		for i := range t.any {
			if t.any[i].holds(r, values) {
				return true
			}
		}
		return false
	}
	for i := range values {
		holds := false
		switch v := &values[i]; v.kind {
		case valueText:
			holds = t.text(v.text)
		case valueScalar:
			holds = t.scalar(v.text)
		case valueJSON:
			holds = t.holdsForLeaf(r, v.text)
		}
		if holds {
			return true
		}
	}
	return false
}

// holdsForLeaf tests the leaves of an object or a list.
func (t *test) holdsForLeaf(r *reader, value string) bool {
	if t.kind == testAny {
		for i := range t.any {
			if t.any[i].holdsForLeaf(r, value) {
				return true
			}
		}
		return false
	}
	l := leaves{text: value}
	for l.next() {
		if l.raw[0] != '"' {
			if l.raw != "null" && t.scalar(l.raw) {
				return true
			}
			continue
		}
		inner := l.raw[1 : len(l.raw)-1]
		if strings.IndexByte(inner, '\\') >= 0 {
			r.scratch = unescape(r.scratch[:0], inner)
			inner = textOf(r.scratch)
		}
		if t.text(inner) {
			return true
		}
	}
	return false
}

func (t *test) text(s string) bool {
	switch t.kind {
	case testPattern:
		return t.pattern.match(s)
	case testRegexp:
		return t.re.MatchString(s)
	case testNetwork:
		address, ok := parseAddress(s)
		return ok && t.network.Contains(address)
	case testOrder:
		return t.order(s)
	case testPresent, testSome:
		return true // the keyword '*': any string
	}
	return false
}

// order compares text that spells a number, or a point in time.
func (t *test) order(s string) bool {
	var n number
	if t.part != 0 {
		var buffer [4]byte
		part, ok := timePart(buffer[:0], s, t.part)
		if !ok {
			return false
		}
		n = parseNumber(textOf(part))
	} else {
		if !isNumber(s) {
			return false
		}
		n = parseNumber(s)
	}
	c := compareNumbers(n, t.number)
	switch t.op {
	case OpLT:
		return c < 0
	case OpLTE:
		return c <= 0
	case OpGT:
		return c > 0
	case OpGTE:
		return c >= 0
	}
	return c == 0
}

// scalar tests the text of a number, true or false.
func (t *test) scalar(raw string) bool {
	if t.kind == testPattern {
		return t.pattern.matchScalar(raw)
	}
	return t.text(raw)
}

// value is what a field path leads to.
type value struct {
	kind valueKind
	// text is the decoded text of a string, and else the JSON text.
	text string
}

type valueKind uint8

const (
	valueNull   valueKind = iota
	valueText             // a string
	valueScalar           // a number, true or false
	valueJSON             // an object or a list
)

// reader reads the fields of one record, each at most once, however many rules
// ask for it. It is used by one goroutine at a time.
type reader struct {
	record string
	fields []fieldPath // of the set
	slots  []slot
	// serial tells which slots belong to the record.
	serial uint64
	// members are those of the record itself, as far as a field has been looked
	// for. Records are wide: each field would pass over the same ones.
	members object
	object  bool // the record is one
	raws    []string
	scratch []byte
	// For fields that are compared with others: the text of a value, folded,
	// and the test made of it.
	other, folded []byte
	referred      test
}

type slot struct {
	serial  uint64
	values  []value
	decoded []byte // what strings with escapes say
}

func (r *reader) reset(record string) {
	r.record = record
	r.serial++
	known := r.members.known
	r.members, r.object = openObject(record)
	r.members.known, r.members.keep = known[:0], true
}

func (r *reader) field(i int) []value {
	s := &r.slots[i]
	if s.serial != r.serial {
		s.serial = r.serial
		s.values, s.decoded = s.values[:0], s.decoded[:0]
		p := &r.fields[i]
		if r.object {
			r.raws = p.collectMembers(r.raws[:0], &r.members, 0)
		} else {
			r.raws = p.collect(r.raws[:0], r.record, 0, 0)
		}
		for _, raw := range r.raws {
			s.append(raw)
		}
	}
	return s.values
}

// append adds a value, given as JSON text.
func (s *slot) append(raw string) {
	v := value{text: raw}
	switch raw[0] {
	case 'n':
		v.kind = valueNull
	case '{', '[':
		v.kind = valueJSON
	case '"':
		v.kind, v.text = valueText, raw[1:max(1, len(raw)-1)]
		if strings.IndexByte(v.text, '\\') >= 0 {
			before := len(s.decoded)
			s.decoded = unescape(s.decoded, v.text)
			v.text = textOf(s.decoded[before:])
		}
	default:
		v.kind = valueScalar
	}
	s.values = append(s.values, v)
}

// preset gives a field that is known without reading it.
func (r *reader) preset(i int, text string) {
	s := &r.slots[i]
	s.values = append(s.values[:0], value{valueText, text})
	s.serial = r.serial
}
