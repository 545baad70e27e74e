package window_test

import (
	"fmt"
	"testing"

	"github.com/trailbell/trailbell/sigma/window"
)

var sizes = []int{10, 1_000, 100_000}

// filled returns a group of n events that are step milliseconds apart.
func filled(n int, step int64) *window.Group {
	g := window.New(360*second, moreThan(4))
	for i := range n {
		g.Insert(window.Event{
			Time:   int64(i) * step,
			ID:     fmt.Sprintf("7f3a1c2e-0000-4000-8000-%012d", i),
			Seq:    uint64(i),
			Stored: int64(i),
		})
	}
	return g
}

// insertion measures adding one event to a group of n events that are step
// milliseconds apart, at the given time. The event is forgotten again outside
// of the measured time, so that the group keeps its size.
func insertion(b *testing.B, step int64, at func(n int) int64) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := filled(n, step)
			// All but the event under test are renewed to be young.
			for e := range g.Events() {
				e.Stored = 2
				g.Insert(e)
			}
			e := window.Event{Time: at(n), ID: "the event under test", Stored: 1}
			b.ReportAllocs()
			for b.Loop() {
				if !g.Insert(e) {
					b.Fatal("the event was there")
				}
				b.StopTimer()
				g.Forget(2)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkAppend adds an event behind all others, which is how most arrive.
func BenchmarkAppend(b *testing.B) {
	insertion(b, 100*second, func(n int) int64 { return int64(n)*100*second + 1 })
}

// BenchmarkInsertSparse adds an event in the middle, where a window holds four.
func BenchmarkInsertSparse(b *testing.B) {
	insertion(b, 100*second, func(n int) int64 { return int64(n/2)*100*second + 1 })
}

// BenchmarkInsertBurst adds an event before a burst that one window covers.
func BenchmarkInsertBurst(b *testing.B) {
	insertion(b, 1, func(int) int64 { return 0 })
}

// BenchmarkEpisodes reads the episodes of a group, as a plan does.
func BenchmarkEpisodes(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := filled(n, 80*second)
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
