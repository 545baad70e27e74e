package window_test

import (
	"fmt"

	"github.com/trailbell/trailbell/sigma/window"
)

// More than four within 360 s: the fifth event fires, also when the third of
// them arrives last.
func Example() {
	g := window.New(360_000, window.Condition{
		Measure: window.Events,
		Bounds:  []window.Bound{{Op: window.GT, Value: 4}},
	})
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

// At least three different buckets within 60 s. The values are hashes of their
// names.
func Example_values() {
	g := window.New(60_000, window.Condition{
		Measure: window.Values,
		Bounds:  []window.Bound{{Op: window.GTE, Value: 3}},
	})
	const logs, backups, photos = 0x61, 0x62, 0x63
	for i, bucket := range []int64{logs, backups, logs, logs, photos} {
		g.Insert(window.Event{Time: int64(i) * 10_000, ID: fmt.Sprint("read ", i), Values: []int64{bucket}})
	}
	for e := range g.Episodes() {
		fmt.Println("fires at", e.FirstHeld().ID)
	}
	// Output:
	// fires at read 4
}

// "create and use, without a login": two rules match within 60 s, in any
// order, and a third one does not.
func Example_rules() {
	const create, use, login = 0, 1, 2
	g := window.New(60_000, window.Condition{
		Measure: window.Rules,
		Terms:   []window.Term{{Need: []int{create, use}, Absent: 1 << login}},
	})
	for i, rule := range []int{use, create, login, use} {
		g.Insert(window.Event{Time: int64(i) * 10_000, ID: fmt.Sprint("event ", i), Inputs: 1 << rule})
	}
	for e := range g.Episodes() {
		fmt.Println("from", e.First().ID, "to", e.Last().ID)
	}
	// Output:
	// from event 0 to event 1
}

// A key is made, and used, and deleted again, in this order.
func Example_orderedRules() {
	const made, used, deleted = 0, 1, 2
	g := window.New(3600_000, window.Condition{
		Measure: window.OrderedRules,
		Terms:   []window.Term{{Need: []int{made, used, deleted}}},
	})
	for i, rule := range []int{used, made, deleted, used, deleted} {
		g.Insert(window.Event{Time: int64(i) * 60_000, ID: fmt.Sprint("event ", i), Inputs: 1 << rule})
	}
	for e := range g.Episodes() {
		fmt.Println("fires at", e.FirstHeld().ID)
	}
	// Output:
	// fires at event 4
}

// More than 1000.5 within 60 s: numbers are millionths.
func Example_sum() {
	g := window.New(60_000, window.Condition{
		Measure: window.Sum,
		Bounds:  []window.Bound{{Op: window.GT, Value: 1_000_500_000}},
	})
	for i, n := range []int64{500_250_000, 500_250_000, 1} {
		g.Insert(window.Event{Time: int64(i) * 10_000, ID: fmt.Sprint("event ", i), Values: []int64{n}})
	}
	for e := range g.Episodes() {
		fmt.Println("fires at", e.FirstHeld().ID)
	}
	// Output:
	// fires at event 2
}

// Half of the numbers are above 10, or between the two in the middle.
func Example_percentile() {
	g := window.New(60_000, window.Condition{
		Measure: window.Percentile, Percentile: 50,
		Bounds: []window.Bound{{Op: window.GT, Value: 10_000_000}},
	})
	for i, n := range []int64{1, 8, 13, 900} {
		g.Insert(window.Event{Time: int64(i) * 10_000, ID: fmt.Sprint("event ", i), Values: []int64{n * 1_000_000}})
	}
	for e := range g.Episodes() {
		fmt.Println("fires at", e.FirstHeld().ID)
	}
	// Output:
	// fires at event 3
}

// More than two failures by one user, and then a success. The third failure is
// the last to arrive.
func ExampleChain() {
	c := window.NewChain([]window.Level{
		{
			Timespan: 60_000,
			Condition: window.Condition{
				Measure: window.OrderedRules,
				Terms:   []window.Term{{Need: []int{0, 1}}},
			},
		},
		{
			Timespan:  10_000,
			Condition: window.Condition{Bounds: []window.Bound{{Op: window.GT, Value: 2}}},
			Outer:     []window.Input{{Level: 0, Bit: 0}}, // many failures are input 0
		},
	})
	user := []string{"ann"}
	failure := []window.Count{
		{Level: 1, Group: user},
		{Level: 0, Group: user, Inputs: 1 << 0}, // if it is one of many
	}
	success := []window.Count{{Level: 0, Group: user, Inputs: 1 << 1}}

	c.Insert(window.Event{Time: 0, ID: "failure 1"}, failure)
	c.Insert(window.Event{Time: 5_000, ID: "failure 3"}, failure)
	c.Insert(window.Event{Time: 20_000, ID: "success"}, success)
	c.Insert(window.Event{Time: 2_000, ID: "failure 2"}, failure)
	for _, root := range c.Touched() {
		for e := range root.Episodes() {
			fmt.Println(root.Values, "from", e.First().ID, "to", e.Last().ID)
		}
	}
	// Output:
	// [ann] from failure 3 to success
}
