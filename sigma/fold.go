package sigma

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Two characters are equal without regard to case when Unicode's simple case
// folding says so, as in strings.EqualFold. Folded text has every character
// replaced by one chosen member of its orbit, so that comparing folds one side
// only: literals of rules are folded once, when compiled.

var asciiLower = func() (t [utf8.RuneSelf]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] = byte(i) + 'a' - 'A'
		}
	}
	return t
}()

// foldRune returns the chosen member of r's orbit: the least one, in lower
// case when that is an ASCII letter. So the Kelvin sign folds to 'k'.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		return rune(asciiLower[r&0x7f])
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least < utf8.RuneSelf {
		return rune(asciiLower[least])
	}
	return least
}

func foldString(s string) string { return strings.Map(foldRune, s) }

// appendFold appends s, folded.
func appendFold(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			dst = append(dst, asciiLower[c])
			i++
			continue
		}
		r, width := utf8.DecodeRuneInString(s[i:])
		dst = utf8.AppendRune(dst, foldRune(r))
		i += width
	}
	return dst
}

// prefixFold reports whether s starts with the folded literal, and how many
// bytes of s that takes: a character and its fold may differ in width.
func prefixFold(s, folded string) (int, bool) {
	i := 0
	for j := 0; j < len(folded); {
		if i >= len(s) {
			return 0, false
		}
		a, b := s[i], folded[j]
		if a < utf8.RuneSelf && b < utf8.RuneSelf {
			if asciiLower[a] != b {
				return 0, false
			}
			i++
			j++
			continue
		}
		ra, wa := utf8.DecodeRuneInString(s[i:])
		rb, wb := utf8.DecodeRuneInString(folded[j:])
		if foldRune(ra) != rb {
			return 0, false
		}
		i += wa
		j += wb
	}
	return i, true
}

func equalFold(s, folded string) bool {
	n, ok := prefixFold(s, folded)
	return ok && n == len(s)
}

// suffixFold needs the literal's length in characters: folding keeps it.
func suffixFold(s, folded string, runes int) bool {
	tail, ok := lastRunes(s, runes)
	return ok && equalFold(tail, folded)
}

func containsFold(s, folded string) bool {
	if folded == "" {
		return true
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < utf8.RuneSelf {
			if asciiLower[c] != folded[0] {
				continue
			}
		} else if !utf8.RuneStart(c) {
			continue
		}
		if _, ok := prefixFold(s[i:], folded); ok {
			return true
		}
	}
	return false
}

// lastRunes returns the last n characters of s.
func lastRunes(s string, n int) (string, bool) {
	i := len(s)
	for ; n > 0; n-- {
		if i == 0 {
			return "", false
		}
		if s[i-1] < utf8.RuneSelf {
			i--
			continue
		}
		_, width := utf8.DecodeLastRuneInString(s[:i])
		i -= width
	}
	return s[i:], true
}
