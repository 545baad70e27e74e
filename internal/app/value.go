package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Duration is a time span as people write it: 90s, 5m, 48h, 7d.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := parseDuration(string(b))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// String is the shortest way to write d.
func (d Duration) String() string {
	s := time.Duration(d).String()
	// Only a zero with a larger unit before it goes: not that of 10s.
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Set and Type make a Duration a flag.
func (d *Duration) Set(s string) error { return d.UnmarshalText([]byte(s)) }

// Type names the value in a flag's help.
func (d *Duration) Type() string { return "duration" }

func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%q is not a duration; write for example 90s, 5m, 48h or 7d", s)
	}
	return v, nil
}

// Size is a number of bytes as people write it: 512KiB, 64MiB, 2GiB.
type Size int64

// UnmarshalText reads a size.
func (z *Size) UnmarshalText(b []byte) error {
	v, err := humanize.ParseBytes(string(b))
	if err != nil || v > 1<<50 {
		return fmt.Errorf("%q is not a size; write for example 512KiB, 64MiB or 2GiB", b)
	}
	*z = Size(v)
	return nil
}

// String writes z with a binary unit.
func (z Size) String() string { return humanize.IBytes(uint64(max(z, 0))) }

// Since is a first day: a date, or a time span before now.
type Since struct {
	day  time.Time
	span time.Duration
}

// UnmarshalText reads 2026-06-01, 2026-JUN-01 or 24h; nothing is the default.
func (s *Since) UnmarshalText(b []byte) error {
	text := string(b)
	if text == "" {
		*s = Since{}
		return nil
	}
	for _, layout := range []string{time.DateOnly, "2006-Jan-02", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			*s = Since{day: t.UTC()}
			return nil
		}
	}
	v, err := parseDuration(text)
	if err != nil || v == 0 { // nothing is newer than now
		return fmt.Errorf("%q is not a date; write YYYY-MM-DD, or a time span such as 24h or 7d", text)
	}
	*s = Since{span: v}
	return nil
}

// IsZero reports whether nothing was said.
func (s Since) IsZero() bool { return s == Since{} }

// Time is the moment meant, seen from now.
func (s Since) Time(now time.Time) time.Time {
	if s.span != 0 {
		return now.Add(-s.span)
	}
	return s.day
}

// String writes s as it may be read.
func (s Since) String() string {
	switch {
	case s.IsZero():
		return ""
	case s.span != 0:
		return Duration(s.span).String()
	}
	return s.day.Format(time.DateOnly)
}

// Set and Type make a Since a flag.
func (s *Since) Set(text string) error { return s.UnmarshalText([]byte(text)) }

// Type names the value in a flag's help.
func (s *Since) Type() string { return "date" }
