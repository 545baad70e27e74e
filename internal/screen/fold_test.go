package screen_test

import (
	"testing"

	"github.com/trailbell/trailbell/internal/screen"
)

func TestFold(t *testing.T) {
	for _, c := range []struct {
		s                   string
		width, used, indent int
		want                string
	}{
		{"all of it fits", 24, 0, 2, "all of it fits"},
		{"all of it fits if nothing is before", 35, 0, 2, "all of it fits if nothing is before"},
		{"all of it fits if nothing is before", 35, 1, 2, "all of it fits if nothing is\n  before"},
		{"a long word:aaaaaaaaaaaaaaaaaaaaaaaaaaaa is not cut", 24, 4, 4, "a long\n    word:aaaaaaaaaaaaaaaaaaaaaaaaaaaa\n    is not cut"},
		{"漢字漢字漢字 漢字漢字漢字", 24, 0, 0, "漢字漢字漢字\n漢字漢字漢字"},
		{"a pipe has no width, so that lines stay whole", 0, 70, 2, "a pipe has no width, so that lines stay whole"},
	} {
		if got := (screen.Look{Width: c.width}).Fold(c.s, c.used, c.indent); got != c.want {
			t.Errorf("Fold(%q, %d, %d) to %d:\n%s\nwant:\n%s", c.s, c.used, c.indent, c.width, got, c.want)
		}
	}
}
