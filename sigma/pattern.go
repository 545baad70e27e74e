package sigma

import (
	"strings"
	"unicode/utf8"
)

// pattern is a compiled string value: literal text, '*' for any number of
// characters, '?' for exactly one, and a mark for any of the dashes.
type pattern struct {
	kind  patternKind
	cased bool
	// number says that literal is a JSON number and compares as one.
	number bool
	// literal is the text of every kind but a glob; folded unless cased.
	literal string
	runes   int // length of literal in characters
	// A glob is chunks with a '*' between each two.
	chunks             [][]rune
	openStart, openEnd bool
}

type patternKind uint8

const (
	patternExact patternKind = iota
	patternPrefix
	patternSuffix
	patternContains
	patternAny // nothing but '*'
	patternGlob
)

// Marks in a tokenised value; no character has a negative number.
const (
	anyRune rune = -1 // '?'
	anyText rune = -2 // '*'
	anyDash rune = -3 // one of dashes, after the modifier "windash"
)

// dashes start an option of a Windows command: hyphen, slash, en dash, em dash
// and horizontal bar.
const dashes = "-/\u2013\u2014\u2015"

// tokenize reads wildcards and escapes: a backslash makes a following '*', '?'
// or backslash plain; before anything else it is a backslash.
func tokenize(s string) []rune {
	tokens := make([]rune, 0, len(s))
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			if r != '*' && r != '?' && r != '\\' {
				tokens = append(tokens, '\\')
			}
			tokens = append(tokens, r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '*':
			tokens = append(tokens, anyText)
		case r == '?':
			tokens = append(tokens, anyRune)
		default:
			tokens = append(tokens, r)
		}
	}
	if escaped {
		tokens = append(tokens, '\\')
	}
	return tokens
}

// compilePattern builds the pattern of a tokenised value under an operator.
func compilePattern(tokens []rune, op Op, cased bool) pattern {
	if op == OpContains || op == OpEndsWith {
		tokens = append([]rune{anyText}, tokens...)
	}
	if op == OpContains || op == OpStartsWith {
		tokens = append(tokens, anyText)
	}
	p := pattern{cased: cased}
	var chunk []rune
	star := false // a '*' stands before chunk
	for i, r := range tokens {
		if r == anyText {
			if i == 0 {
				p.openStart = true
			}
			if len(chunk) > 0 {
				p.chunks = append(p.chunks, chunk)
				chunk = nil
			}
			star = true
			continue
		}
		if r >= 0 && !cased {
			r = foldRune(r)
		}
		chunk = append(chunk, r)
		star = false
	}
	p.openEnd = star
	if len(chunk) > 0 {
		p.chunks = append(p.chunks, chunk)
	}
	switch {
	case len(p.chunks) == 0 && p.openStart:
		p.kind = patternAny
	case len(p.chunks) == 0:
		p.kind = patternExact // the empty string
	case len(p.chunks) == 1 && isLiteral(p.chunks[0]):
		p.literal, p.runes = string(p.chunks[0]), len(p.chunks[0])
		switch {
		case p.openStart && p.openEnd:
			p.kind = patternContains
		case p.openStart:
			p.kind = patternSuffix
		case p.openEnd:
			p.kind = patternPrefix
		default:
			p.kind = patternExact
			p.number = isNumber(p.literal)
		}
	default:
		p.kind = patternGlob
	}
	return p
}

func isLiteral(chunk []rune) bool {
	for _, r := range chunk {
		if r < 0 {
			return false
		}
	}
	return true
}

// match reports whether the pattern matches the whole of s. It does not
// allocate, and its time is at most proportional to len(s) times the length of
// the pattern.
func (p *pattern) match(s string) bool {
	switch p.kind {
	case patternAny:
		return true
	case patternGlob:
		return p.matchGlob(s)
	}
	if p.cased {
		switch p.kind {
		case patternExact:
			return s == p.literal
		case patternPrefix:
			return strings.HasPrefix(s, p.literal)
		case patternSuffix:
			return strings.HasSuffix(s, p.literal)
		default:
			return strings.Contains(s, p.literal)
		}
	}
	switch p.kind {
	case patternExact:
		return equalFold(s, p.literal)
	case patternPrefix:
		_, ok := prefixFold(s, p.literal)
		return ok
	case patternSuffix:
		return suffixFold(s, p.literal, p.runes)
	default:
		return containsFold(s, p.literal)
	}
}

// matchGlob fixes the chunks at open ends first and then takes the leftmost
// place for each chunk between: if any placement works, that one does.
func (p *pattern) matchGlob(s string) bool {
	chunks := p.chunks
	if !p.openStart {
		n, ok := p.matchChunk(s, chunks[0])
		if !ok {
			return false
		}
		s, chunks = s[n:], chunks[1:]
		if len(chunks) == 0 {
			return p.openEnd || s == ""
		}
	}
	if !p.openEnd {
		last := chunks[len(chunks)-1]
		tail, ok := lastRunes(s, len(last))
		if !ok {
			return false
		}
		if n, ok := p.matchChunk(tail, last); !ok || n != len(tail) {
			return false
		}
		s, chunks = s[:len(s)-len(tail)], chunks[:len(chunks)-1]
	}
	for _, chunk := range chunks {
		for {
			if n, ok := p.matchChunk(s, chunk); ok {
				s = s[n:]
				break
			}
			if s == "" {
				return false
			}
			_, width := utf8.DecodeRuneInString(s)
			s = s[width:]
		}
	}
	return true
}

// matchChunk matches a chunk at the start of s.
func (p *pattern) matchChunk(s string, chunk []rune) (int, bool) {
	i := 0
	for _, want := range chunk {
		if i >= len(s) {
			return 0, false
		}
		got, width := utf8.DecodeRuneInString(s[i:])
		i += width
		switch want {
		case anyRune:
			continue
		case anyDash:
			if !strings.ContainsRune(dashes, got) {
				return 0, false
			}
			continue
		}
		if !p.cased {
			got = foldRune(got)
		}
		if got != want {
			return 0, false
		}
	}
	return i, true
}

// matchScalar compares with the text of a JSON number, true or false: as
// numbers when both are some, else as text.
func (p *pattern) matchScalar(raw string) bool {
	if !p.number || raw[0] == 't' || raw[0] == 'f' {
		return p.match(raw)
	}
	return raw == p.literal || compareNumbers(parseNumber(raw), parseNumber(p.literal)) == 0
}
