package screen

import (
	"strings"
	"unicode/utf8"
)

// Width is how many columns s takes in a terminal once it is safe, at most.
func Width(s string) int { return columns(Safe(s)) }

// Column returns s, made safe, exactly as wide as a column of a table: what is
// longer ends in an ellipsis.
func Column(s string, width int) string {
	s = Safe(s)
	if columns(s) > width {
		end, used := 0, columns(ellipsis)
		for end < len(s) {
			r, size := utf8.DecodeRuneInString(s[end:])
			if used += runeColumns(r); used > width {
				break
			}
			end += size
		}
		s = s[:end] + ellipsis
	}
	return s + strings.Repeat(" ", max(width-columns(s), 0))
}
