package app_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/app"
)

func TestADurationIsWrittenInTheShortestWay(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                             "0s",
		50 * time.Millisecond:         "50ms",
		time.Second:                   "1s",
		10 * time.Second:              "10s",
		time.Minute:                   "1m",
		90 * time.Second:              "1m30s",
		10 * time.Minute:              "10m",
		time.Hour:                     "1h",
		20 * time.Hour:                "20h",
		time.Hour + 10*time.Second:    "1h0m10s",
		time.Hour + 30*time.Minute:    "1h30m",
		48 * time.Hour:                "48h",
		20*time.Hour + 20*time.Minute: "20h20m",
	} {
		if got := app.Duration(d).String(); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}

func TestAWrittenDurationIsReadAsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour}).Draw(t, "unit")
		d := app.Duration(unit * time.Duration(rapid.IntRange(0, 5000).Draw(t, "n")))
		var read app.Duration
		if err := read.Set(d.String()); err != nil || read != d {
			t.Fatalf("%d is written %q, which is read as %d: %v", d, d, read, err)
		}
	})
}

func TestAFirstDayIsADateOrATimeSpan(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-01":           time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		"2026-NOV-01":          time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		"2026-11-24T06:00:00Z": now.Add(-6 * time.Hour),
		"10s":                  now.Add(-10 * time.Second),
		"24h":                  now.Add(-24 * time.Hour),
		"7d":                   now.AddDate(0, 0, -7),
	} {
		var s app.Since
		if err := s.Set(text); err != nil || !s.Time(now).Equal(want) {
			t.Errorf("%q is %s (%v), want %s", text, s.Time(now), err, want)
		}
	}
	for _, text := range []string{"0h", "0d", "-1h", "yesterday", "2026-13-01", "2026/11/24", "24"} {
		var s app.Since
		if err := s.Set(text); err == nil || !strings.Contains(err.Error(), "write YYYY-MM-DD") {
			t.Errorf("%q: %v, want what to write", text, err)
		}
	}
}
