package cloudtrail

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestParseTimeIsThatOfTheStandardLibrary over 800 years of days, over the
// borders of all others, and over damaged times.
func TestParseTimeIsThatOfTheStandardLibrary(t *testing.T) {
	same := func(t interface{ Errorf(string, ...any) }, s string) {
		want, err := time.Parse(time.RFC3339, s)
		got, ok := parseTime([]byte(s))
		if ok != (err == nil) || ok && got != want.UnixMilli() {
			t.Errorf("%q: got %d, %v, want %d, %v", s, got, ok, want.UnixMilli(), err)
		}
	}
	for day := time.Date(1600, 1, 1, 23, 59, 59, 0, time.UTC); day.Year() < 2400; day = day.AddDate(0, 0, 1) {
		same(t, day.Format(time.RFC3339))
	}
	for year := range 10_000 {
		for _, rest := range []string{"-01-01T00:00:00Z", "-02-28T12:00:00Z", "-02-29T12:00:00Z", "-03-01T00:00:00Z", "-12-31T23:59:59Z"} {
			same(t, fmt.Sprintf("%04d%s", year, rest))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := []byte(time.Unix(rapid.Int64Range(-62_167_219_200, 253_402_300_799).Draw(t, "time"), 0).UTC().Format(time.RFC3339))
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			s[rapid.IntRange(0, len(s)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0123456789-:TZ/tz .,")).Draw(t, "to")
		}
		same(t, string(s))
	})
}
