package window

import "cmp"

// events is the number of events, which is known without a tally.
type events struct{}

func (events) add(uint64, []int64)  {}
func (events) drop(uint64, []int64) {}
func (events) clear()               {}

func (events) verdict(s *sequence, n int) verdict {
	return test(s.condition.Bounds, true, func(v int64) int { return cmp.Compare(int64(n), v) })
}
