package check_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/check"
	"github.com/trailbell/trailbell/internal/screen"
)

func TestASectionReadsAsAChecklist(t *testing.T) {
	s := check.Section{Title: "Bucket trail", Items: []check.Item{
		{Status: check.OK, Name: "list", Text: "1 folder at the top"},
		{Status: check.Odd, Name: "newest", Text: "delivered 2026-11-24 10:59 UTC, 1 h ago; CloudTrail delivers within about 15 minutes when something happens"},
		{Status: check.Failed, Name: "get", Text: "access denied"},
		{Status: check.Skipped, Name: "credentials", Text: "not looked at"},
	}}
	want := `Bucket trail
  ✓ list        1 folder at the top
  ! newest      delivered 2026-11-24 10:59 UTC, 1 h ago; CloudTrail delivers
                within about 15 minutes when something happens
  ✗ get         access denied
  - credentials not looked at
`
	if got := s.Format(screen.Look{}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	colored := s.Format(screen.Look{Color: true})
	if !strings.Contains(colored, "\x1b[") || strings.Contains(want, "\x1b[") {
		t.Error("colour is where it should not be, or not where it should")
	}
}

func TestWhatOthersWroteDoesNotReachTheTerminalRaw(t *testing.T) {
	s := check.Section{Title: "Bucket \x1b[2J", Items: []check.Item{{Status: check.Failed, Name: "layout", Text: "folders \x1b[2J/, \u202egpj.exe/"}}}
	got := s.Format(screen.Look{})
	if strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("a terminal would obey %q", got)
	}
}

func TestLinesFitAndNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.SampledFrom([]int{0, 24, 60, 80, 120, 300}).Draw(t, "width")
		words := rapid.SliceOfN(rapid.StringMatching(`[a-zé✓]{1,30}`), 1, 40).Draw(t, "words")
		s := check.Section{Title: "T", Items: []check.Item{{Name: "name", Text: strings.Join(words, " ")}}}
		got := s.Format(screen.Look{Width: width})
		room := width
		if width == 0 {
			room = 80
		}
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		for _, line := range lines[1:] {
			// A word that is wider than its column stands alone.
			if n := utf8.RuneCountInString(line); n > max(room, 36) && len(strings.Fields(strings.TrimPrefix(line, "  ✓ name"))) > 1 {
				t.Errorf("a line of %d columns at a width of %d: %q", n, width, line)
			}
		}
		if fields := strings.Fields(got)[3:]; strings.Join(fields, " ") != strings.Join(words, " ") {
			t.Errorf("got the words %q, want %q", fields, words)
		}
	})
}
