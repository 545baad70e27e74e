package cloudtrail

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a record, the record itself counted. It is
// that of encoding/json; real records reach 11.
const maxDepth = 10_000

// scanner walks over JSON (RFC 8259) and checks it. Its methods take a position
// and return the one behind what they passed; at the first byte that is wrong
// they set err and return len(data), so that callers need not look at each
// step. It does not look at whether strings are valid UTF-8.
type scanner struct {
	data []byte
	err  *FormatError
}

func (s *scanner) fail(at int, reason string) int {
	if s.err == nil {
		if at >= len(s.data) {
			reason = "not valid JSON: it ends too early"
		}
		s.err = &FormatError{uint64(at), reason}
	}
	return len(s.data)
}

// space passes white space.
func (s *scanner) space(i int) int {
	for i < len(s.data) && isSpace(s.data[i]) {
		i++
	}
	return i
}

// To look at the eight bytes of a word at once: ones*c is c in each of them, and
// (w-ones)&^w&highs has the high bit of each that is 0. A borrow can set more of
// these bits, but only above the lowest, which is the one that counts.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// str passes the rest of a string whose opening quote is before i, and reports
// whether there are escapes in it.
func (s *scanner) str(i int) (end int, escapes bool) {
	b := s.data
	for {
		// A bit of stop is set for a quote, a backslash or a control character.
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			q, e := w^ones*'"', w^ones*'\\'
			stop := ((q-ones)&^q | (e-ones)&^e | (w-ones*' ')&^w) & highs
			if stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
			i++
		}
		if i == len(b) {
			return s.fail(i, ""), escapes
		}
		switch b[i] {
		case '"':
			return i + 1, escapes
		case '\\':
			escapes = true
			if i = s.escape(i + 1); s.err != nil {
				return i, escapes
			}
		default:
			return s.fail(i, "not valid JSON: a control character in a string"), escapes
		}
	}
}

// escape passes an escape whose backslash is before i.
func (s *scanner) escape(i int) int {
	if i >= len(s.data) {
		return s.fail(i, "")
	}
	switch s.data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for n := 1; n <= 4; n++ {
			if i+n >= len(s.data) || !isHex(s.data[i+n]) {
				return s.fail(i+n, "not valid JSON: \\u without four hexadecimal digits")
			}
		}
		return i + 5
	}
	return s.fail(i, "not valid JSON: an unknown escape in a string")
}

// scalar passes a number, true, false or null.
func (s *scanner) scalar(i int) int {
	b := s.data
	if i >= len(b) {
		return s.fail(i, "")
	}
	switch b[i] {
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	}
	at := i
	if b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	case i < len(b) && isDigit(b[i]):
		i = s.digits(i)
	default:
		return s.fail(max(at, i), "not valid JSON: no value where one belongs")
	}
	if i < len(b) && b[i] == '.' {
		i = s.digits(i + 1)
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i = s.digits(i)
	}
	return i
}

// digits passes one digit or more.
func (s *scanner) digits(i int) int {
	if i >= len(s.data) || !isDigit(s.data[i]) {
		return s.fail(i, "not valid JSON: a number that is none")
	}
	for i < len(s.data) && isDigit(s.data[i]) {
		i++
	}
	return i
}

func (s *scanner) literal(i int, word string) int {
	if end := i + len(word); end <= len(s.data) && string(s.data[i:end]) == word {
		return end
	}
	for n := 0; n < len(word) && i < len(s.data) && s.data[i] == word[n]; n++ {
		i++
	}
	return s.fail(i, "not valid JSON: no value where one belongs")
}

// colon passes the colon behind a key and the white space around it.
func (s *scanner) colon(i int) int {
	if i < len(s.data) && s.data[i] == ':' && i+1 < len(s.data) && !isSpace(s.data[i+1]) {
		return i + 1
	}
	i = s.space(i)
	if i >= len(s.data) || s.data[i] != ':' {
		return s.fail(i, "not valid JSON: no colon behind a key")
	}
	return s.space(i + 1)
}

// value passes the value that begins at i, inside depth others. Nesting costs
// a bit and no stack.
func (s *scanner) value(i, depth int) int {
	b := s.data
	var (
		outer  = depth
		object bool     // whether the innermost open one is an object
		within uint64   // the same of those around it, innermost lowest
		spill  []uint64 // those that within has no room for, 64 at a time
	)
value:
	if i >= len(b) {
		return s.fail(i, "")
	}
	switch b[i] {
	case '"':
		i, _ = s.str(i + 1)
	case '{', '[':
		if depth == maxDepth {
			return s.fail(i, "nested deeper than 10000")
		}
		if n := depth - outer; n > 0 {
			if n%64 == 0 {
				spill = append(spill, within)
			}
			within <<= 1
			if object {
				within |= 1
			}
		}
		depth++
		object = b[i] == '{'
		if i = s.space(i + 1); i < len(b) && b[i] == closing(object) {
			i++
			goto closed
		}
		if object {
			goto key
		}
		goto value
	default:
		i = s.scalar(i)
	}

behind:
	if s.err != nil {
		return len(b)
	}
	if depth == outer {
		return i
	}
	if i < len(b) && isSpace(b[i]) {
		i = s.space(i)
	}
	if i >= len(b) {
		return s.fail(i, "")
	}
	switch b[i] {
	case ',':
		if i++; i < len(b) && isSpace(b[i]) {
			i = s.space(i)
		}
		if !object {
			goto value
		}
	case closing(object):
		i++
		goto closed
	default:
		return s.fail(i, "not valid JSON: neither comma nor end behind a value")
	}

key:
	if i >= len(b) || b[i] != '"' {
		return s.fail(i, "not valid JSON: no key where one belongs")
	}
	i, _ = s.str(i + 1)
	i = s.colon(i)
	goto value

closed:
	depth--
	if n := depth - outer; n > 0 {
		object = within&1 != 0
		within >>= 1
		if n%64 == 0 {
			within, spill = spill[len(spill)-1], spill[:len(spill)-1]
		}
	}
	goto behind
}

// closing is what closes an object or an array.
func closing(object bool) byte {
	if object {
		return '}'
	}
	return ']'
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// unquote gives the text of a JSON string, which is given with its quotes and
// has been checked. It is for the rare strings with escapes.
func unquote(quoted []byte) []byte {
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil
	}
	return []byte(text)
}

// text gives the text of a checked JSON string, as valid UTF-8, since messages
// that carry it must be. Mostly it is a part of quoted.
func text(quoted []byte, escapes bool) []byte {
	if escapes {
		return unquote(quoted)
	}
	raw := quoted[1 : len(quoted)-1]
	if !utf8.Valid(raw) {
		return bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	return raw
}
