package sigma

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A minimal reader of JSON text for what gjson does not do without allocating:
// walking the members of an object without decoding those that are passed
// over, and finding every string leaf. It takes text that has been validated;
// anything else ends the walk early and never panics.

// skipString returns the index after the string that starts at s[i], a quote.
func skipString(s string, i int) int {
	for i++; i < len(s); {
		quote := strings.IndexByte(s[i:], '"')
		if quote < 0 {
			return len(s)
		}
		i += quote + 1
		backslashes := 0
		for s[i-2-backslashes] == '\\' { // the opening quote ends this
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
	return len(s)
}

// skipValue returns the index after the value that starts at s[i].
func skipValue(s string, i int) int {
	if i >= len(s) {
		return len(s)
	}
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{', '[':
		for depth := 0; i < len(s); {
			switch s[i] {
			case '"':
				i = skipString(s, i)
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

// children walks the members of an object or the elements of a list.
type children struct {
	text   string
	i      int
	object bool
	// key is the member's name between its quotes, escapes not decoded.
	key string
	// value is the text of the value.
	value string
}

// childrenOf starts a walk over the text of an object or a list.
func childrenOf(text string) children {
	i := skipSpace(text, 0)
	if i >= len(text) {
		return children{}
	}
	return children{text: text, i: i + 1, object: text[i] == '{'}
}

func (c *children) next() bool {
	s := c.text
	i := skipSpace(s, c.i)
	if i < len(s) && s[i] == ',' {
		i = skipSpace(s, i+1)
	}
	if i >= len(s) || s[i] == '}' || s[i] == ']' {
		return false
	}
	if c.object {
		if s[i] != '"' {
			return false
		}
		end := skipString(s, i)
		if end-i < 2 {
			return false
		}
		c.key = s[i+1 : end-1]
		i = skipSpace(s, end)
		if i >= len(s) || s[i] != ':' {
			return false
		}
		i = skipSpace(s, i+1)
	}
	end := skipValue(s, i)
	if end == i {
		return false
	}
	c.value, c.i = s[i:end], end
	return true
}

// keyIs reports whether a key as it stands in JSON is the name.
func keyIs(key, name string) bool {
	if strings.IndexByte(key, '\\') < 0 {
		return key == name
	}
	var buffer [64]byte
	return string(unescape(buffer[:0], key)) == name
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
			end := skipString(s, i)
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
