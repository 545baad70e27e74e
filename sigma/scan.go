package sigma

import (
	"math"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A minimal reader of JSON text: it walks the members of an object without
// decoding those that are passed over, finds every string leaf, and allocates
// nothing. It takes text that has been validated;
// anything else ends the walk early and never panics.

// Eight bytes at once: a byte of a word is zero where subtracting one from it
// borrows from its highest bit.
const (
	lowBits     = 0x0101010101010101
	highBits    = 0x8080808080808080
	quotes      = '"' * lowBits
	backslashes = '\\' * lowBits
)

// skipString returns the index after the string that starts at s[i], a quote,
// and whether there are escapes in it.
func skipString(s string, i int) (end int, escaped bool) {
	i++
	for i+8 <= len(s) {
		w := s[i : i+8]
		word := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		quote, backslash := word^quotes, word^backslashes
		// The lowest bit is exact; those above may be borrowed.
		found := ((quote-lowBits)&^quote | (backslash-lowBits)&^backslash) & highBits
		if found == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(found) / 8
		if s[i] == '"' {
			return i + 1, escaped
		}
		escaped = true
		i += 2
	}
	for ; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			i++
		}
	}
	return len(s), escaped
}

// skipValue returns the index after the value that starts at s[i].
func skipValue(s string, i int) int {
	if i >= len(s) {
		return len(s)
	}
	switch s[i] {
	case '"':
		end, _ := skipString(s, i)
		return end
	case '{', '[':
		for depth := 0; i < len(s); {
			switch s[i] {
			case '"':
				i, _ = skipString(s, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			i++
			if depth == 0 {
				return i
			}
		}
		return len(s)
	}
	return skipScalar(s, i)
}

// skipScalar returns the index after a number or a literal.
func skipScalar(s string, i int) int {
	for i < len(s) {
		switch s[i] {
		case ',', ']', '}', ':', '"', '[', '{', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return len(s)
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// property is where a member of an object stands in a text, or an element of a
// list, which has no key. There are no pointers in it, so that keeping one is
// cheap.
type property struct {
	key, keyEnd     int32 // between the quotes, escapes not decoded
	value, valueEnd int32
	escaped         bool // there are escapes in the key
}

// maxText is the length above which a text has no members: records are far
// shorter.
const maxText = math.MaxInt32

// scan reads the member or the element that follows s[i], the brace, bracket or
// value before it. It returns the index after it; 0 when there is none.
func (p *property) scan(s string, i int, object bool) int {
	i = skipSpace(s, i)
	if i < len(s) && s[i] == ',' {
		i = skipSpace(s, i+1)
	}
	if i >= len(s) || s[i] == '}' || s[i] == ']' {
		return 0
	}
	if object {
		if s[i] != '"' {
			return 0
		}
		end, escaped := skipString(s, i)
		if end-i < 2 {
			return 0
		}
		p.key, p.keyEnd, p.escaped = int32(i+1), int32(end-1), escaped
		i = skipSpace(s, end)
		if i >= len(s) || s[i] != ':' {
			return 0
		}
		i = skipSpace(s, i+1)
	}
	end := skipValue(s, i)
	if end == i {
		return 0
	}
	p.value, p.valueEnd = int32(i), int32(end)
	return end
}

// startsWith reports whether the key could be the name, or start with it.
func (p *property) startsWith(s, name string) bool {
	return p.escaped || int(p.keyEnd-p.key) >= len(name) && s[p.key:int(p.key)+len(name)] == name
}

// keyIs reports whether the key is the name.
func (p *property) keyIs(s, name string) bool {
	key := s[p.key:p.keyEnd]
	if !p.escaped {
		return key == name
	}
	var buffer [64]byte
	return string(unescape(buffer[:0], key)) == name
}

// object walks the members of an object.
type object struct {
	text string
	i    int // after the member that was read last; 0 after the last one
	// known are the members that were read, if they are kept.
	known []property
	keep  bool
	last  property
}

// openObject starts a walk over the text of an object, which may have space
// before it; false for anything else.
func openObject(text string) (object, bool) {
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' || len(text) > maxText {
		return object{}, false
	}
	return object{text: text, i: i + 1}, true
}

// at returns the n-th member, or nil. Without keep it is to be called for one
// after the other, and a member is valid until the next call.
func (o *object) at(n int) *property {
	if n < len(o.known) {
		return &o.known[n]
	}
	if o.i == 0 {
		return nil
	}
	if o.i = o.last.scan(o.text, o.i, true); o.i == 0 {
		return nil
	}
	if o.keep {
		o.known = append(o.known, o.last)
	}
	return &o.last
}

// children walks the members of an object or the elements of a list.
type children struct {
	text   string
	i      int
	object bool
	// value is the text of the value.
	value string
}

// childrenOf starts a walk over the text of an object or a list.
func childrenOf(text string) children {
	i := skipSpace(text, 0)
	if i >= len(text) || len(text) > maxText {
		return children{}
	}
	return children{text: text, i: i + 1, object: text[i] == '{'}
}

func (c *children) next() bool {
	var p property
	i := p.scan(c.text, c.i, c.object)
	if i == 0 {
		return false
	}
	c.value, c.i = c.text[p.value:p.valueEnd], i
	return true
}

// leaves walks the leaves of a value in the order of the text: every string
// that is not a key, and the other scalars that lists, and not objects, lead
// to.
type leaves struct {
	text    string
	i       int
	objects int // open braces
	// raw is the text of the leaf, a string with its quotes.
	raw string
}

func (l *leaves) next() bool {
	s, i := l.text, l.i
	for i < len(s) {
		switch s[i] {
		case '{':
			l.objects++
			i++
		case '}':
			l.objects--
			i++
		case '[', ']', ',', ':', ' ', '\t', '\n', '\r':
			i++
		case '"':
			end, _ := skipString(s, i)
			raw := s[i:end]
			i = skipSpace(s, end)
			if i < len(s) && s[i] == ':' {
				continue // a key
			}
			if len(raw) < 2 {
				continue
			}
			l.raw, l.i = raw, i
			return true
		default:
			end := skipScalar(s, i)
			raw := s[i:end]
			i = end
			if l.objects == 0 {
				l.raw, l.i = raw, i
				return true
			}
		}
	}
	l.i = i
	return false
}

// unescape appends the text of a JSON string, given without its quotes. Half
// of a surrogate pair becomes U+FFFD, as in encoding/json.
func unescape(dst []byte, s string) []byte {
	for {
		backslash := strings.IndexByte(s, '\\')
		if backslash < 0 || backslash+1 >= len(s) {
			return append(dst, s...)
		}
		dst = append(dst, s[:backslash]...)
		c := s[backslash+1]
		s = s[backslash+2:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := hex4(s)
			if !ok {
				return dst
			}
			s = s[4:]
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
					if low, ok := hex4(s[2:]); ok {
						pair = utf16.DecodeRune(r, low)
					}
				}
				if pair != utf8.RuneError {
					s = s[6:]
				}
				r = pair
			}
			dst = utf8.AppendRune(dst, r)
		default: // a quote, a backslash, a slash
			dst = append(dst, c)
		}
	}
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[:4]) {
		r <<= 4
		switch {
		case '0' <= c && c <= '9':
			r |= rune(c - '0')
		case 'a' <= c && c <= 'f':
			r |= rune(c - 'a' + 10)
		case 'A' <= c && c <= 'F':
			r |= rune(c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return r, true
}
