package screen

import "strings"

// Fold breaks s, which has to be safe, between words, so that no line is wider
// than the look. The first line begins in column used; those after it are
// indented. A word that is wider stays whole: it may be a path, to be copied.
// A look without a width, of a file or a pipe, breaks nothing.
func (l Look) Fold(s string, used, indent int) string {
	if l.Width == 0 {
		return s
	}
	var b strings.Builder
	for i, word := range strings.Split(s, " ") {
		n := columns(word)
		switch {
		case i == 0:
		case used+1+n > l.width():
			b.WriteString("\n" + strings.Repeat(" ", indent))
			used = indent
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}
