package window_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/sigma/window"
)

func TestMeasures(t *testing.T) {
	bounds := func(m window.Measure, op window.Op, value int64) window.Condition {
		return window.Condition{Measure: m, Bounds: []window.Bound{{Op: op, Value: value}}}
	}
	terms := func(m window.Measure, terms ...window.Term) window.Condition {
		return window.Condition{Measure: m, Terms: terms}
	}
	inputs := func(time int64, bits ...int) window.Event {
		e := window.Event{Time: time}
		for _, b := range bits {
			e.Inputs |= 1 << b
		}
		return e
	}
	values := func(time int64, v ...int64) window.Event { return window.Event{Time: time, Values: v} }
	const million = 1_000_000
	tests := []struct {
		name      string
		condition window.Condition
		events    []window.Event // named by their positions
		want      []string       // where the condition holds; windows are 10 long
	}{
		{"three values", bounds(window.Values, window.GTE, 3), []window.Event{values(0, 1), values(5, 2, 2), values(10, 1), values(10, 3)}, []string{"3"}},
		{"a value counts again when it was out of the window", bounds(window.Values, window.EQ, 2), []window.Event{values(0, 1), values(5, 2), values(11, 2), values(12, 1)}, []string{"1", "3"}},
		{"one event may have all the values", bounds(window.Values, window.GTE, 3), []window.Event{values(0, 3, 1, 2)}, []string{"0"}},
		{"a window that differs less from the next one than from the last", bounds(window.Values, window.EQ, 2), []window.Event{values(11, 7), values(11, 9), values(5, 5), values(5, 5), values(5, 5), values(0, 1), values(0, 2), values(0, 3), values(0, 4)}, []string{"6", "0"}},
		{"hashes at both ends", bounds(window.Values, window.GTE, 2), []window.Event{values(0, math.MinInt64, math.MaxInt64)}, []string{"0"}},

		{"two rules in any order", bounds(window.Rules, window.GTE, 2), []window.Event{inputs(0, 1), inputs(10, 0), inputs(21, 1)}, []string{"1"}},
		{"one event may stand for two rules", bounds(window.Rules, window.GTE, 2), []window.Event{inputs(0, 0, 63)}, []string{"0"}},
		{"no input is the first", bounds(window.Rules, window.GTE, 2), []window.Event{{}, inputs(1, 0), inputs(2, 1)}, []string{"2"}},
		{"rules without another one", terms(window.Rules, window.Term{Need: []int{0, 1}, Absent: 1 << 2}), []window.Event{inputs(0, 2), inputs(5, 0), inputs(10, 1), inputs(11, 1)}, []string{"3"}},
		{"either of two terms", terms(window.Rules, window.Term{Need: []int{0}}, window.Term{Need: []int{1}}), []window.Event{inputs(0, 2), inputs(20, 0), inputs(40, 1)}, []string{"1", "2"}},

		{"a sequence", terms(window.OrderedRules, window.Term{Need: []int{0, 1}}), []window.Event{inputs(0, 0), inputs(10, 1)}, []string{"1"}},
		{"a sequence longer than the window", terms(window.OrderedRules, window.Term{Need: []int{0, 1}}), []window.Event{inputs(0, 0), inputs(11, 1)}, nil},
		{"a sequence backwards", terms(window.OrderedRules, window.Term{Need: []int{0, 1}}), []window.Event{inputs(0, 1), inputs(1, 0)}, nil},
		{"equal times are read in any order", terms(window.OrderedRules, window.Term{Need: []int{0, 1, 2}}), []window.Event{inputs(5, 2), inputs(5, 1), inputs(5, 0)}, []string{"2"}},
		{"each step is an event of its own", terms(window.OrderedRules, window.Term{Need: []int{0, 1}}), []window.Event{inputs(0, 0, 1), inputs(30, 0, 1), inputs(40, 0, 1)}, []string{"2"}},
		{"each step is an event of its own at one time, too", terms(window.OrderedRules, window.Term{Need: []int{0, 1, 2}}), []window.Event{inputs(0, 0, 1, 2), inputs(0, 0), inputs(0, 1), inputs(20, 0), inputs(20, 0, 1), inputs(20, 0, 2), inputs(40, 0, 1), inputs(40, 0)}, []string{"2", "5"}},
		{"there and back", terms(window.OrderedRules, window.Term{Need: []int{0, 1, 2}}), []window.Event{inputs(0, 0, 2), inputs(1, 1), inputs(2, 0, 2), inputs(30, 1), inputs(31, 0, 2)}, []string{"2"}},
		{"the later start counts", terms(window.OrderedRules, window.Term{Need: []int{0, 1}}), []window.Event{inputs(0, 0), inputs(8, 0), inputs(18, 1)}, []string{"2"}},
		{"a sequence without another one", terms(window.OrderedRules, window.Term{Need: []int{0, 1}, Absent: 1 << 2}), []window.Event{inputs(0, 0), inputs(1, 1), inputs(2, 2), inputs(3, 1)}, []string{"1"}},
		{"an input several times", terms(window.OrderedRules, window.Term{Need: []int{0, 0, 0}}), []window.Event{inputs(0, 0), inputs(0, 0), inputs(3, 0)}, []string{"2"}},
		{"two of three in order", bounds(window.OrderedRules, window.GTE, 2), []window.Event{inputs(0, 2), inputs(1, 1), inputs(2, 0), inputs(3, 2)}, []string{"3"}},
		{"not all of three", bounds(window.OrderedRules, window.LT, 3), []window.Event{inputs(0, 0), inputs(1, 1), inputs(2, 2)}, []string{"0", "1"}},
		{"the last input there is", bounds(window.OrderedRules, window.GTE, 2), []window.Event{inputs(0, 0), inputs(1, 63)}, []string{"1"}},

		{"a sum", bounds(window.Sum, window.GT, 10), []window.Event{values(0, 4, 6), values(10, 1), values(11, 3)}, []string{"1"}},
		{"a sum falls by a number below zero", bounds(window.Sum, window.GT, 10), []window.Event{values(0, 11), values(1, -1), values(2, 1)}, []string{"0", "2"}},
		{"a sum beyond 64 bits", bounds(window.Sum, window.GT, math.MaxInt64), []window.Event{values(0, math.MaxInt64), values(1, math.MaxInt64, math.MaxInt64), values(2, math.MinInt64, math.MinInt64), values(3, math.MinInt64)}, []string{"1"}},
		{"an average", bounds(window.Average, window.GTE, 2*million), []window.Event{values(0, million), values(1, 3*million-1), values(2, 2*million+1)}, []string{"2"}},
		{"an average of numbers below zero", bounds(window.Average, window.LT, -1), []window.Event{values(0, -1), values(1, -2), values(12, -1)}, []string{"1"}},
		{"nothing has no average", bounds(window.Average, window.NEQ, 5), []window.Event{values(0), values(1, 4), values(20)}, []string{"1"}},
		{"a median between two numbers", window.Condition{Measure: window.Percentile, Percentile: 50, Bounds: []window.Bound{{Op: window.EQ, Value: 3}}}, []window.Event{values(0, 3), values(1, 4), values(2, 1), values(3, 2, 9, 3)}, []string{"0", "2", "3"}},
		{"a percentile is not rounded", window.Condition{Measure: window.Percentile, Percentile: 33, Bounds: []window.Bound{{Op: window.GT, Value: 0}}}, []window.Event{values(0, 0), values(1, 1), values(20, 0), values(21, 0, 0, 1)}, []string{"1"}},
		{"the smallest and the greatest", window.Condition{Measure: window.Percentile, Percentile: 100, Bounds: []window.Bound{{Op: window.GTE, Value: 9}}}, []window.Event{values(0, 8), values(1, 9), values(2, 1), values(12, 8)}, []string{"1", "2"}},
		{"nothing has no percentile", window.Condition{Measure: window.Percentile, Percentile: 0, Bounds: []window.Bound{{Op: window.LT, Value: 5}}}, []window.Event{values(0), values(1, 4)}, []string{"1"}},

		{"a range", window.Condition{Bounds: []window.Bound{{Op: window.GTE, Value: 2}, {Op: window.LT, Value: 4}}}, []window.Event{{Time: 0}, {Time: 1}, {Time: 2}, {Time: 3}}, []string{"1", "2"}},
		{"no bounds hold everywhere", window.Condition{}, []window.Event{{Time: 0}}, []string{"0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := window.New(10, tt.condition)
			for i := range tt.events {
				tt.events[i].ID = fmt.Sprint(i)
			}
			for i := range tt.events {
				g.Insert(tt.events[len(tt.events)-1-i]) // the last ones first
			}
			var got, expected []string
			for e := range g.Episodes() {
				got = append(got, ids(e.Holding())...)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("holds at (-want +got):\n%s", diff)
			}
			// Few enough inputs for every subset to be tried.
			for _, e := range oracle(10, tt.condition, tt.events) {
				expected = append(expected, e.Holding...)
			}
			if diff := cmp.Diff(tt.want, expected); diff != "" {
				t.Errorf("the oracle disagrees (-want +oracle):\n%s", diff)
			}
		})
	}
}

func TestAConditionThatDoesNotExistIsRefused(t *testing.T) {
	for _, c := range []window.Condition{
		{Measure: window.Percentile + 1},
		{Bounds: []window.Bound{{Op: window.NEQ + 1}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic: %+v", c)
				}
			}()
			window.New(10, c)
		}()
	}
}
