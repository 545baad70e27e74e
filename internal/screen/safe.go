package screen

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Safe returns s with everything escaped, as \x1b or \u202e, that is not plainly
// visible: controls, escape sequences, line breaks, characters that turn the
// direction of writing or have no width, bytes that are not UTF-8. A terminal
// obeys some of them, and people are deceived by the others. A backslash stays
// as it is.
func Safe(s string) string {
	i := strings.IndexFunc(s, hiddenRune)
	if i < 0 {
		return s // IndexFunc reads a byte that is not UTF-8 as U+FFFD, which is hidden
	}
	var b strings.Builder
	b.WriteString(s[:i])
	for s = s[i:]; s != ""; {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x`)
			if s[0] < 0x10 {
				b.WriteByte('0')
			}
			b.WriteString(strconv.FormatUint(uint64(s[0]), 16))
		case r == utf8.RuneError:
			b.WriteRune(r)
		case hiddenRune(r):
			// Those that strconv takes for visible are quoted in ASCII.
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
		s = s[size:]
	}
	return b.String()
}

// hiddenRune reports whether r must be escaped: all that is not a letter, mark,
// number, punctuation, symbol or the space of ASCII, and of those the ones that
// are there without being seen.
func hiddenRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return r == utf8.RuneError || !unicode.IsPrint(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || r == brailleBlank
}

// brailleBlank is a symbol to Unicode, and nothing to the eye.
const brailleBlank = '\u2800'

// columns is how many columns s takes in a terminal, at most. Marks that
// combine count as one, although most terminals give them none.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// wide are the blocks of East Asian Width W and F (Unicode Standard Annex 11),
// rounded up, and the pictographs.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, // Hangul Jamo
		{Lo: 0x231a, Hi: 0x231b, Stride: 1},
		{Lo: 0x2329, Hi: 0x232a, Stride: 1},
		{Lo: 0x23e9, Hi: 0x23f3, Stride: 1},
		{Lo: 0x25fd, Hi: 0x27bf, Stride: 1}, // symbols and dingbats
		{Lo: 0x2b1b, Hi: 0x2b55, Stride: 1},
		{Lo: 0x2e80, Hi: 0xa4cf, Stride: 1}, // from CJK radicals to Yi
		{Lo: 0xa960, Hi: 0xa97f, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, // Hangul syllables
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe10, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, // full width forms
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16fe0, Hi: 0x18dff, Stride: 1}, // Tangut, Khitan
		{Lo: 0x1aff0, Hi: 0x1b2ff, Stride: 1}, // Kana supplements
		{Lo: 0x1d300, Hi: 0x1d37f, Stride: 1},
		{Lo: 0x1f000, Hi: 0x1faff, Stride: 1}, // pictographs
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1}, // CJK extensions
	},
}

func runeColumns(r rune) int {
	if r >= 0x1100 && unicode.Is(wide, r) {
		return 2
	}
	return 1
}

const ellipsis = "…"

// cutMiddle shortens s to n columns. Both ends stay: that of a name says what it
// is, and so does its beginning.
func cutMiddle(s string, n int) string {
	if columns(s) <= n {
		return s
	}
	end := len(s)
	for tail := 0; end > 0; {
		r, size := utf8.DecodeLastRuneInString(s[:end])
		if tail += runeColumns(r); tail > (n-1)/2 {
			break
		}
		end -= size
	}
	start := 0
	for used := columns(ellipsis + s[end:]); start < end; {
		r, size := utf8.DecodeRuneInString(s[start:end])
		if used += runeColumns(r); used > n {
			break
		}
		start += size
	}
	return s[:start] + ellipsis + s[end:]
}
