package window_test

import (
	"fmt"
	"testing"

	"github.com/trailbell/trailbell/sigma/window"
)

var sizes = []int{10, 1_000, 100_000}

// benched has a condition for each measure, and what an event counts for.
var benched = []struct {
	name      string
	condition window.Condition
	event     func(i int) window.Event
}{
	{"Events", moreThan(4), func(int) window.Event { return window.Event{} }},
	{"Values", bound(window.Values), func(i int) window.Event { return window.Event{Values: []int64{int64(i*7919) % 1000}} }},
	{"Rules", bound(window.Rules), func(i int) window.Event { return window.Event{Inputs: 1 << (i % 5)} }},
	{
		"OrderedRules",
		window.Condition{Measure: window.OrderedRules, Terms: []window.Term{{Need: []int{0, 1, 2}}}},
		func(i int) window.Event { return window.Event{Inputs: 1 << (i * 7919 % 3)} },
	},
	{"OrderedRules/length", bound(window.OrderedRules), func(i int) window.Event { return window.Event{Inputs: 1 << (i * 7919 % 5)} }},
	{"Sum", bound(window.Sum), func(i int) window.Event { return window.Event{Values: []int64{int64(i)}} }},
	{"Percentile", bound(window.Percentile), func(i int) window.Event { return window.Event{Values: []int64{int64(i*7919) % 1000}} }},
}

func bound(m window.Measure) window.Condition {
	return window.Condition{Measure: m, Percentile: 95, Bounds: []window.Bound{{Op: window.GT, Value: 4}}}
}

// insertion measures adding one event to a group of n events that are step
// milliseconds apart, at the given time, and judging it. It is taken out again
// as well, which is in the measured time: to stop the clock takes longer.
func insertion(b *testing.B, step int64, at func(n int) int64) {
	for _, m := range benched {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", m.name, n), func(b *testing.B) {
				g := window.New(360*second, m.condition)
				for i := range n {
					e := m.event(i)
					e.Time, e.ID = int64(i)*step, fmt.Sprintf("7f3a1c2e-0000-4000-8000-%012d", i)
					g.Insert(e)
				}
				e := m.event(n)
				e.Time, e.ID = at(n), "the event under test"
				g.Settle()
				b.ReportAllocs()
				for b.Loop() {
					if !g.Insert(e) {
						b.Fatal("the event was there")
					}
					g.Settle()
					g.Remove(e)
					g.Settle()
				}
			})
		}
	}
}

// BenchmarkAppend adds an event behind all others, which is how most arrive.
func BenchmarkAppend(b *testing.B) {
	insertion(b, 100*second, func(n int) int64 { return int64(n)*100*second + 1 })
}

// BenchmarkAppendBurst adds an event behind a burst that one window covers.
func BenchmarkAppendBurst(b *testing.B) {
	insertion(b, 1, func(n int) int64 { return int64(n) })
}

// BenchmarkInsertSparse adds an event in the middle, where a window holds four.
func BenchmarkInsertSparse(b *testing.B) {
	insertion(b, 100*second, func(n int) int64 { return int64(n/2)*100*second + 1 })
}

// BenchmarkInsertBurst adds an event before a burst that one window covers.
func BenchmarkInsertBurst(b *testing.B) {
	insertion(b, 1, func(int) int64 { return 0 })
}

// arrivals measures filling a group, that is judged after every so many events,
// and reports the time that one event takes.
func arrivals(b *testing.B, n, batch int, at func(i int) int64) {
	for _, m := range benched {
		b.Run(m.name, func(b *testing.B) {
			events := make([]window.Event, n)
			for i := range events {
				events[i] = m.event(i)
				events[i].Time, events[i].ID = at(i), eventID(i)
			}
			d := window.Define(360*second, m.condition)
			for b.Loop() {
				g := d.NewGroup()
				for i, e := range events {
					g.Insert(e)
					if i%batch == batch-1 {
						g.Settle()
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
		})
	}
}

// BenchmarkOneSecond is 20,000 events of one second in any order, in batches.
func BenchmarkOneSecond(b *testing.B) {
	arrivals(b, 20_000, 500, func(int) int64 { return 0 })
}

// BenchmarkShuffled is 20,000 events of one window in any order, in batches.
func BenchmarkShuffled(b *testing.B) {
	arrivals(b, 20_000, 500, func(i int) int64 { return int64(i) * 7919 % 20_000 })
}

// BenchmarkSlightlyShuffled is 10,000 events of one window, one by one, each of
// them up to 64 late.
func BenchmarkSlightlyShuffled(b *testing.B) {
	arrivals(b, 10_000, 1, func(i int) int64 { return int64(i - i*7919%64) })
}

// BenchmarkEpisodes reads the episodes of a group, as a plan does.
func BenchmarkEpisodes(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := window.New(360*second, moreThan(4))
			for i := range n {
				g.Insert(window.Event{Time: int64(i) * 80 * second, ID: fmt.Sprintf("7f3a1c2e-0000-4000-8000-%012d", i)})
			}
			b.ReportAllocs()
			for b.Loop() {
				for e := range g.Episodes() {
					if e.Len() == 0 {
						b.Fatal("an episode without events")
					}
				}
			}
		})
	}
}

// BenchmarkChain adds a failure that is one of many, by one of a thousand
// users, to "many failures, then a success", in messages of so many.
func BenchmarkChain(b *testing.B) {
	for _, message := range []int{1, 500} {
		b.Run(fmt.Sprint(message), func(b *testing.B) {
			d := window.DefineChain(brute)
			users := make([][]window.Count, 1000)
			for i := range users {
				users[i] = bruteBy(i)
			}
			c, n := d.NewChain(), 0
			b.ReportAllocs()
			for b.Loop() {
				c.Insert(window.Event{Time: int64(n), ID: eventID(n), Seq: uint64(n / message)}, users[n%len(users)])
				if n++; n%message == 0 {
					c.Touched()
				}
				if n%100_000 == 0 {
					c = d.NewChain()
				}
			}
		})
	}
}

// BenchmarkChainBurst is 20,000 failures of one user and one second, in messages
// of 500.
func BenchmarkChainBurst(b *testing.B) {
	const n = 20_000
	for b.Loop() {
		c := window.NewChain(brute)
		for i := range n {
			c.Insert(window.Event{ID: eventID(i), Seq: uint64(i / 500)}, bruteBy(0))
		}
		c.Touched()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
}
