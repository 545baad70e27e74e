package screen

import "strings"

// span is a piece of a line that is not broken. Its text is safe.
type span struct {
	text  string
	style string // parameters of SGR; none is plain
	// near sets one space between the span and the one before it; others have
	// two.
	near bool
}

func (s span) gap() string {
	if s.near {
		return " "
	}
	return "  "
}

// words makes a span of each word of s, so that it breaks like a sentence.
func words(s, style string) []span {
	var spans []span
	for i, w := range strings.Fields(s) {
		spans = append(spans, span{text: w, style: style, near: i > 0})
	}
	return spans
}

// maxSpan bounds a span in columns also where there is room for more: the longest
// names that IAM allows fit, a policy does not.
const maxSpan = 72

// flow lays spans out in lines of at most room columns. A span that is wider, or
// wider than maxSpan, is cut in its middle. What does not fit into the given
// number of lines is left out, with an ellipsis in its place.
func (l Look) flow(spans []span, room, lines int) []string {
	var (
		out  []string
		line line
	)
	for i, s := range spans {
		s.text = cutMiddle(s.text, min(maxSpan, room))
		last := len(out) == lines-1
		if line.used > 0 && line.used+len(s.gap())+columns(s.text) > limit(room, last && i < len(spans)-1) {
			if last {
				line.add(span{text: ellipsis, style: dim, near: true})
				break
			}
			out = append(out, line.render(l))
			line.reset()
			last = len(out) == lines-1
		}
		if line.used == 0 {
			s.text = cutMiddle(s.text, limit(room, last && i < len(spans)-1))
		}
		line.add(s)
	}
	if line.used > 0 {
		out = append(out, line.render(l))
	}
	return out
}

// limit is what a line may take of the room, with some kept for an ellipsis.
func limit(room int, keep bool) int {
	if keep {
		return room - columns(" "+ellipsis)
	}
	return room
}

// line is a line in the making: neighbours of one style are one span.
type line struct {
	spans []span
	used  int // columns
}

func (n *line) reset() { *n = line{} }

func (n *line) add(s span) {
	gap := s.gap()
	if n.used == 0 {
		gap = ""
	}
	n.used += len(gap) + columns(s.text)
	if last := len(n.spans) - 1; last >= 0 && n.spans[last].style == s.style {
		n.spans[last].text += gap + s.text
		return
	}
	n.spans = append(n.spans, s)
}

func (n *line) render(l Look) string {
	var b strings.Builder
	for i, s := range n.spans {
		if i > 0 {
			b.WriteString(s.gap())
		}
		b.WriteString(l.style(s.style, s.text))
	}
	return b.String()
}
