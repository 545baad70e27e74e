package window

import (
	"cmp"
	"math"
	"slices"
)

// stretch is a closed interval of time.
type stretch struct{ from, to int64 }

// touched is of which times the windows are to be judged: of each event that
// came or went, the time from there on as long as windows are. It is a few
// stretches; one that meets the one before it becomes one with it, as most do.
type touched []stretch

// touchedMost bounds how many stretches there are before they are judged.
const touchedMost = 1024

func (t *touched) add(n stretch) {
	if last := len(*t) - 1; last >= 0 && (*t)[last].meets(n) {
		(*t)[last] = (*t)[last].with(n)
		return
	}
	*t = append(*t, n)
}

// merge orders the stretches and makes those that meet one.
func (t touched) merge() touched {
	slices.SortFunc(t, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	merged := t[:0]
	for _, s := range t {
		merged.add(s)
	}
	return merged
}

func (s stretch) meets(o stretch) bool   { return s.from <= o.to && o.from <= s.to }
func (s stretch) with(o stretch) stretch { return stretch{min(s.from, o.from), max(s.to, o.to)} }

// onwards returns the times at which a window may contain an event of the
// given time.
func (d *definition) onwards(time int64) stretch {
	to := time + d.timespan
	if to < time {
		to = math.MaxInt64
	}
	return stretch{time, to}
}
