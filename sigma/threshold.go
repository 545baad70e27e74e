package sigma

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Threshold is the condition of a counting correlation: all bounds hold. It is
// never empty in a loaded correlation.
type Threshold []Bound

// Bound compares a count with a number.
type Bound struct {
	// Op is one of gt, gte, lt, lte, eq, neq.
	Op string
	// Value is at least 0.
	Value int
}

var boundOps = []string{"gt", "gte", "lt", "lte", "eq", "neq"}

// Holds reports whether a count satisfies every bound. It is tested at
// matching events only, so a threshold that zero satisfies does not fire on
// silence.
func (t Threshold) Holds(count int) bool {
	for _, b := range t {
		if !b.holds(count) {
			return false
		}
	}
	return true
}

func (b Bound) holds(count int) bool {
	switch b.Op {
	case "gt":
		return count > b.Value
	case "gte":
		return count >= b.Value
	case "lt":
		return count < b.Value
	case "lte":
		return count <= b.Value
	case "eq":
		return count == b.Value
	case "neq":
		return count != b.Value
	}
	return false
}

// String formats as rules spell it: "gt: 4, lte: 10".
func (t Threshold) String() string {
	parts := make([]string, len(t))
	for i, b := range t {
		parts[i] = fmt.Sprintf("%s: %d", b.Op, b.Value)
	}
	return strings.Join(parts, ", ")
}

// possible reports whether any count of at least one satisfies t: the window
// of a matching event is never empty. Counts next to a bound decide.
func (t Threshold) possible() bool {
	tries := []int{1, math.MaxInt}
	for _, b := range t {
		tries = append(tries, b.Value-1, b.Value, min(b.Value, math.MaxInt-1)+1)
	}
	// neq can punch a hole of one; a step further is then the next candidate.
	for _, c := range slices.Clone(tries) {
		for d := 2; d <= len(t)+1; d++ {
			tries = append(tries, c-d, min(c, math.MaxInt-d)+d)
		}
	}
	return slices.ContainsFunc(tries, func(c int) bool { return c >= 1 && t.Holds(c) })
}
