package screen_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/screen"
)

func TestColumn(t *testing.T) {
	for _, c := range []struct {
		s     string
		width int
		want  string
	}{
		{"abc", 5, "abc  "},
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"", 2, "  "},
		{"a\x1b[31m", 9, `a\x1b[31m`},
		{"漢字漢字", 5, "漢字…"},
		{"漢字漢字", 4, "漢… "},
	} {
		if got := screen.Column(c.s, c.width); got != c.want {
			t.Errorf("Column(%q, %d) = %q, want %q", c.s, c.width, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s, width := rapid.String().Draw(t, "s"), rapid.IntRange(1, 40).Draw(t, "width")
		if got := screen.Column(s, width); screen.Width(got) != width {
			t.Fatalf("Column(%q, %d) = %q, which is %d wide", s, width, got, screen.Width(got))
		}
	})
}
