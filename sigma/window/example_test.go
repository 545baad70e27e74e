package window_test

import (
	"fmt"

	"github.com/trailbell/trailbell/sigma/window"
)

// More than four within 360 s: the fifth event fires, also when the third of
// them arrives last.
func Example() {
	g := window.New(360_000, window.Condition{Bounds: []window.Bound{{Op: window.GT, Value: 4}}})
	for i, at := range []int64{0, 100_000, 300_000, 360_000, 200_000} {
		g.Insert(window.Event{Time: at, ID: fmt.Sprintf("event at %d s", at/1000), Seq: uint64(i + 1)})
	}
	for e := range g.Episodes() {
		fmt.Println(e.Len(), "events, open:", e.Open)
		fmt.Println("from the", e.First().ID)
		fmt.Println("to the", e.Last().ID)
	}
	// Output:
	// 5 events, open: true
	// from the event at 0 s
	// to the event at 360 s
}
