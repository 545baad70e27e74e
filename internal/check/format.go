package check

import (
	"strings"
	"unicode/utf8"

	"github.com/trailbell/trailbell/internal/screen"
)

const (
	// Longer lines are hard to read, however wide the terminal is.
	widest = 100
	// "  ✓ " and the column of the names.
	indent = 4 + nameWidth + 1
	// nameWidth is that of the longest name.
	nameWidth = len("credentials")
	// leastRoom is what the text gets on a terminal too narrow for a column.
	leastRoom = 20
)

// Format is the section as a person reads it: the title and an item a line,
// the text of which is folded into its column. A word that is wider than the
// column, such as a key, stays whole, so that it can be copied.
func (s Section) Format(look screen.Look) string {
	width := look.Width
	if width == 0 {
		width = 80
	}
	room := max(min(width, widest)-indent, leastRoom)
	var b strings.Builder
	b.WriteString(look.Bold(screen.Safe(s.Title)) + "\n")
	for _, i := range s.Items {
		b.WriteString("  " + i.Status.mark(look) + " " + i.Name)
		b.WriteString(strings.Repeat(" ", max(nameWidth-utf8.RuneCountInString(i.Name), 0)))
		for n, line := range fold(screen.Safe(i.Text), room) {
			if n > 0 {
				b.WriteString("\n" + strings.Repeat(" ", indent-1))
			}
			if i.Status == Skipped {
				line = look.Dim(line)
			}
			b.WriteString(" " + line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s Status) mark(look screen.Look) string {
	switch s {
	case OK:
		return look.Check(true)
	case Failed:
		return look.Check(false)
	case Odd:
		return look.Bold("!")
	}
	return look.Dim("-")
}

// fold breaks a text at spaces into lines of at most room characters, but for
// words that are longer.
func fold(text string, room int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= room:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
