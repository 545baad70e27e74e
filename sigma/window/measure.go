package window

import (
	"fmt"
	"slices"
)

// measure judges windows. What it keeps of them can be found anew at any time,
// and is kept to judge the next window with few steps. Positions are those of
// the sequence.
type measure interface {
	// inserted says that there is another event at position i.
	inserted(s *sequence, i int)
	// removing says that the event at position i is about to go.
	removing(s *sequence, i int)
	// judge gives the verdicts on the windows that end within a stretch of
	// time, in order. Since the last time that they were judged, no event has
	// come or gone in a window that is not judged now or was not since then.
	judge(s *sequence, t stretch, give func(i int, v verdict))
}

func newMeasure(d *definition) measure {
	for _, b := range d.condition.Bounds {
		b.test(0, true)
	}
	if d.condition.Measure == OrderedRules {
		return newOrderedRules(d)
	}
	return &slider{tally: newTally(&d.condition)}
}

// verdict is the result of a test on what is left of a window.
type verdict struct {
	holds bool
	// final says that the result is the same whatever else the window
	// contained that has been forgotten.
	final bool
}

// and of no verdicts is verdict{true, true}.
func (v verdict) and(w verdict) verdict {
	return verdict{
		holds: v.holds && w.holds,
		final: v.final && w.final || v.final && !v.holds || w.final && !w.holds,
	}
}

// or of no verdicts is verdict{false, true}.
func (v verdict) or(w verdict) verdict {
	return verdict{
		holds: v.holds || w.holds,
		final: v.final && w.final || v.final && v.holds || w.final && w.holds,
	}
}

// test tests all bounds. Compare returns how the measure compares with a
// number, as cmp.Compare does. Grows says that no event makes the measure
// less. If it may, a result is final only that an event which is there
// suffices for.
func test(bounds []Bound, grows bool, compare func(value int64) int) verdict {
	v := verdict{true, true}
	for _, b := range bounds {
		v = v.and(b.test(compare(b.Value), grows))
	}
	return v
}

func (b Bound) test(compared int, grows bool) verdict {
	switch b.Op {
	case GT:
		return verdict{compared > 0, compared > 0}
	case GTE:
		return verdict{compared >= 0, compared >= 0}
	case LT:
		return verdict{compared < 0, compared >= 0 && grows}
	case LTE:
		return verdict{compared <= 0, compared > 0 && grows}
	case EQ:
		return verdict{compared == 0, compared > 0 && grows}
	case NEQ:
		return verdict{compared != 0, compared > 0 && grows}
	}
	panic(fmt.Sprintf("window: there is no comparison %d", b.Op))
}

// trim returns what the measure looks at of an event, in its normal form.
func (m Measure) trim(inputs uint64, values []int64) (uint64, []int64) {
	switch m {
	case Events:
		return 0, nil
	case Rules, OrderedRules:
		return max(inputs, 1), nil
	}
	if !slices.IsSorted(values) {
		values = slices.Clone(values)
		slices.Sort(values)
	}
	if m == Values {
		for i := 1; i < len(values); i++ {
			if values[i] == values[i-1] {
				values = slices.Compact(slices.Clone(values))
				break
			}
		}
	}
	return 0, values
}

// unite returns what two arrivals of one event count for, whichever came
// first: all inputs, and all values if they are counted. Of numbers the
// greater list is taken, number by number: a record does not have its numbers
// twice because it was delivered twice.
func (m Measure) unite(inputs uint64, values []int64, moreInputs uint64, moreValues []int64) (uint64, []int64) {
	switch {
	case slices.Equal(values, moreValues):
	case m == Values:
		values = slices.Concat(values, moreValues)
		slices.Sort(values)
		values = slices.Compact(values)
	case slices.Compare(values, moreValues) < 0:
		values = moreValues
	}
	return inputs | moreInputs, values
}
