package sigma

import (
	"fmt"
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

// checkField says what is wrong with a field path.
func checkField(path string) string {
	switch {
	case strings.HasPrefix(path, "."), strings.HasSuffix(path, "."), strings.Contains(path, ".."):
		return fmt.Sprintf("field %q has an empty part; write names with one dot between, as in \"userIdentity.type\"", shorten(path))
	case strings.Count(path, ".") >= maxFieldParts:
		return fmt.Sprintf("field %q has more than %d parts", shorten(path), maxFieldParts)
	}
	return ""
}

// fieldPath is a compiled field path.
type fieldPath struct {
	name  string
	parts []string
}

func compilePath(name string) fieldPath {
	return fieldPath{name: name, parts: strings.Split(name, ".")}
}

// read appends the values at the path. They point into the record.
func (p *fieldPath) read(dst []gjson.Result, record string) []gjson.Result {
	var buffer [8]string
	for _, value := range p.collect(buffer[:0], record, 0, 0) {
		dst = append(dst, gjson.Parse(value))
	}
	return dst
}

// collect appends the texts of the values that parts[k:] lead to from a value.
func (p *fieldPath) collect(dst []string, value string, k, lists int) []string {
	if k == len(p.parts) {
		return append(dst, value)
	}
	if o, ok := openObject(value); ok {
		return p.collectMembers(dst, &o, k)
	}
	if i := skipSpace(value, 0); i >= len(value) || value[i] != '[' || lists == maxListDepth {
		return dst
	}
	for c := childrenOf(value); c.next(); {
		dst = p.collect(dst, c.value, k, lists+1)
	}
	return dst
}

// collectMembers goes through an object once. The key parts[k] wins if it
// leads to anything; else the shortest key with dots that does.
func (p *fieldPath) collectMembers(dst []string, o *object, k int) []string {
	var dotted [maxFieldParts]string
	seen, longer := false, false
	before := len(dst)
	for i := 0; ; i++ {
		m := o.at(i)
		if m == nil {
			break
		}
		if !m.startsWith(o.text, p.parts[k]) {
			continue
		}
		for n := k + 1; n <= len(p.parts); n++ {
			if !m.keyIs(o.text, p.key(k, n)) {
				continue
			}
			value := o.text[m.value:m.valueEnd]
			switch {
			case n > k+1:
				if i := (n - 1) % maxFieldParts; dotted[i] == "" { // the first of equal keys counts
					dotted[i], longer = value, true
				}
			case !seen:
				seen = true
				if dst = p.collect(dst, value, n, 0); len(dst) > before {
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
