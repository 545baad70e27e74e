package sigma

import (
	"regexp"
	"strings"

	"github.com/tidwall/gjson"
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
	slot  int // of the field in the reader
	tests []test
	all   bool
}

func (n *fieldNode) holds(r *reader) bool {
	values := r.field(n.slot)
	for i := range n.tests {
		if n.tests[i].holds(r, values) != n.all {
			return !n.all
		}
	}
	return n.all
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
}

type testKind uint8

const (
	testNull    testKind = iota // absent, or a JSON null
	testExists                  // there, a JSON null too
	testMissing                 // not there
	testPresent                 // there and not a JSON null: a bare '*'
	testPattern
	testRegexp
)

// holds tests the values at a field's path.
func (t *test) holds(r *reader, values []gjson.Result) bool {
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
			if values[i].Type == gjson.Null {
				return true
			}
		}
		return false
	case testPresent:
		for i := range values {
			if values[i].Type != gjson.Null {
				return true
			}
		}
		return false
	}
	for i := range values {
		v := &values[i]
		switch v.Type {
		case gjson.String:
			if t.text(v.Str) {
				return true
			}
		case gjson.Number, gjson.True, gjson.False:
			if t.scalar(v.Raw) {
				return true
			}
		case gjson.JSON:
			if t.holdsForLeaf(r, v.Raw) {
				return true
			}
		}
	}
	return false
}

// holdsForLeaf tests the leaves of an object or a list.
func (t *test) holdsForLeaf(r *reader, value string) bool {
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
	case testPresent:
		return true // the keyword '*': any string
	}
	return false
}

// scalar tests the text of a number, true or false.
func (t *test) scalar(raw string) bool {
	if t.kind == testPattern {
		return t.pattern.matchNumber(raw)
	}
	return t.text(raw)
}

// reader reads the fields of one record, each at most once, however many rules
// ask for it. It is used by one goroutine at a time.
type reader struct {
	record string
	fields []fieldPath // of the set
	slots  []slot
	// serial tells which slots belong to the record.
	serial  uint64
	scratch []byte
}

type slot struct {
	serial uint64
	values []gjson.Result
}

func (r *reader) reset(record string) {
	r.record = record
	r.serial++
}

func (r *reader) field(i int) []gjson.Result {
	s := &r.slots[i]
	if s.serial != r.serial {
		s.values = r.fields[i].read(s.values[:0], r.record)
		s.serial = r.serial
	}
	return s.values
}

// preset gives a field that is known without reading it.
func (r *reader) preset(i int, value string) {
	s := &r.slots[i]
	s.values = append(s.values[:0], gjson.Result{Type: gjson.String, Str: value})
	s.serial = r.serial
}
