package sigma

import (
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"
)

// maxFieldParts bounds the parts of a field path. CloudTrail nests up to 11
// deep.
const maxFieldParts = 32

// maxListDepth bounds how many lists directly inside each other a field path
// fans out over, so that a hostile record cannot make a read quadratic.
const maxListDepth = 32

// Field returns the values that a field path leads to in a record, as rules
// see them: the path walks dots; where that finds nothing, a key that contains
// dots itself is tried; and a list on the way stands for each of its elements.
// A list at the end of the path is one value. Nothing found is an absent
// field; a JSON null is a value.
//
// The results share no memory with the record.
func Field(record []byte, path string) []gjson.Result {
	p := compilePath(path)
	return p.read(nil, string(record))
}

// fieldPath is a compiled field path.
type fieldPath struct {
	name  string
	parts []string
	// direct says that name means the same to gjson: no list index, no
	// wildcard, no modifier, no escape.
	direct bool
}

func compilePath(name string) fieldPath {
	p := fieldPath{name: name, parts: strings.Split(name, "."), direct: true}
	for _, part := range p.parts {
		p.direct = p.direct && isPlainName(part)
	}
	return p
}

// isPlainName reports whether gjson reads the name as a key and nothing else:
// letters, digits, '_' and '-', and not digits only, which would index a list.
func isPlainName(s string) bool {
	letter := false
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == '-':
			letter = true
		case '0' <= c && c <= '9':
		default:
			return false
		}
	}
	return letter
}

// read appends the values at the path. They point into the record.
func (p *fieldPath) read(dst []gjson.Result, record string) []gjson.Result {
	if p.direct {
		if v := gjson.Get(record, p.name); v.Exists() {
			return append(dst, v)
		}
		if len(p.parts) == 1 {
			return dst
		}
	}
	return p.collect(dst, record, 0, 0)
}

// collect appends the values that parts[k:] lead to from a value.
func (p *fieldPath) collect(dst []gjson.Result, value string, k, lists int) []gjson.Result {
	if k == len(p.parts) {
		return append(dst, gjson.Parse(value))
	}
	c := childrenOf(value)
	if c.text == "" {
		return dst
	}
	switch value[skipSpace(value, 0)] {
	case '[':
		if lists == maxListDepth {
			return dst
		}
		for c.next() {
			dst = p.collect(dst, c.value, k, lists+1)
		}
	case '{':
		dst = p.collectMembers(dst, &c, k)
	}
	return dst
}

// collectMembers goes through an object once. The key parts[k] wins if it
// leads to anything; else the shortest key with dots that does.
func (p *fieldPath) collectMembers(dst []gjson.Result, c *children, k int) []gjson.Result {
	var dotted [maxFieldParts]string
	seen, longer := false, false
	before := len(dst)
	for c.next() {
		if !strings.HasPrefix(c.key, p.parts[k]) && strings.IndexByte(c.key, '\\') < 0 {
			continue
		}
		for n := k + 1; n <= len(p.parts); n++ {
			if !keyIs(c.key, p.key(k, n)) {
				continue
			}
			switch {
			case n > k+1:
				if i := (n - 1) % maxFieldParts; dotted[i] == "" { // the first of equal keys counts
					dotted[i], longer = c.value, true
				}
			case !seen:
				seen = true
				if dst = p.collect(dst, c.value, n, 0); len(dst) > before {
					return dst
				}
			}
			break
		}
	}
	if !longer {
		return dst
	}
	for n := k + 2; n <= len(p.parts); n++ {
		if value := dotted[(n-1)%maxFieldParts]; value != "" {
			if dst = p.collect(dst, value, n, 0); len(dst) > before {
				return dst
			}
		}
	}
	return dst
}

// key returns parts[k:n] joined with dots, as a piece of the path's name.
func (p *fieldPath) key(k, n int) string {
	start := 0
	for _, part := range p.parts[:k] {
		start += len(part) + 1
	}
	end := start - 1
	for _, part := range p.parts[k:n] {
		end += len(part) + 1
	}
	return p.name[start:end]
}

// textOf views bytes as a string without copying. The string is valid while
// the bytes are not changed.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
