package window_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/trailbell/trailbell/sigma/window"
)

// allocated returns how many bytes are allocated by make and still reachable
// from what it returns.
func allocated(make func() any) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	held := make()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(held)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}

// eventID makes identities as those of records are, in no order.
func eventID(i int) string {
	x := uint64(i+1) * 0x9e3779b97f4a7c15
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(x>>32), uint16(x>>16), x&0xfff, (x>>8)&0xfff, x>>16)
}

// grown returns groups of n events, of one time every two, with a window that
// covers all, judged.
func grown(groups, n int, d *window.Definition, event func(i int) window.Event) []*window.Group {
	all := make([]*window.Group, groups)
	for k := range all {
		all[k] = d.NewGroup()
		for i := range n {
			e := event(i)
			e.Time, e.ID, e.Seq = int64(i/2), eventID(i), uint64(i)
			all[k].Insert(e)
			if i%3 == 0 {
				all[k].Dirty()
			}
		}
		all[k].Settle()
	}
	return all
}

// sizesHeld are the numbers of events at which what is held is most in
// proportion: one, and those at which something has just grown.
var sizesHeld = []int{1, 10, 11, 40, 90, 96, 100, 129, 513, 1_000, 1_025, 3_000, 100_000}

// heldBy returns how many bytes an event takes in groups of n, all included.
func heldBy(n int, d *window.Definition, event func(i int) window.Event) float64 {
	groups := max(20_000/n, 1)
	bytes := allocated(func() any { return grown(groups, n, d, event) })
	return float64(bytes) / float64(groups*n)
}

// Everything that there is for an event beside its evidence, with its share of
// what its group has.
func TestAnEventTakesAHundredBytes(t *testing.T) {
	for _, m := range benched {
		d := window.Define(360*second, m.condition)
		for n, most := range map[int]float64{1: 250, 10: 100, 100: 100, 513: 100, 3_000: 100} {
			if bytes := heldBy(n, d, m.event); bytes > most {
				t.Errorf("%s: an event in a group of %d takes %.1f bytes, want at most %.0f", m.name, n, bytes, most)
			}
		}
	}
}

// chainsHeldBy returns how many bytes a unit of size takes in chains of users
// who fail ten times each, and then succeed or not.
func chainsHeldBy(chains, users int) float64 {
	d, size := window.DefineChain(brute), 0
	bytes := allocated(func() any {
		all := make([]*window.Chain, chains)
		for k := range all {
			all[k] = d.NewChain()
			for i := range 11 * users {
				counts := bruteBy(i % users)
				if i >= 10*users && i%2 == 0 {
					counts = counts[1:]
					counts[0].Inputs = 2
				}
				all[k].Insert(window.Event{Time: int64(i) * 10, ID: eventID(i), Seq: uint64(i / 100)}, counts)
			}
			all[k].Touched()
			size += all[k].Size()
		}
		return all
	})
	return float64(bytes) / float64(size)
}

// bruteBy is how a failure of a user counts.
func bruteBy(user int) []window.Count {
	group := []string{fmt.Sprint("user ", user)}
	return []window.Count{{Level: 1, Group: group}, {Level: 0, Group: group, Inputs: 1}}
}

func TestAUnitOfAChainTakesAHundredBytes(t *testing.T) {
	for chains, users := range map[int]int{1: 1_000, 1_000: 1, 100: 10} {
		if bytes := chainsHeldBy(chains, users); bytes > 100 {
			t.Errorf("%d chains of %d users take %.1f bytes a unit, want at most 100", chains, users, bytes)
		}
	}
}

// An identity that is cut out of a message does not keep the message.
func TestAnIdentityKeepsNothingElse(t *testing.T) {
	for _, id := range []string{eventID(1), "short", "trail/AWSLogs/111122223333/CloudTrail/a.json.gz#12"} {
		g := window.New(10, window.Condition{})
		if bytes := allocated(func() any {
			message := strings.Repeat("x", 1<<20) + id
			g.Insert(window.Event{ID: message[1<<20:]})
			return g
		}); bytes > 1<<19 {
			t.Errorf("%q keeps %d bytes", id, bytes)
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	for _, m := range benched {
		for _, n := range sizesHeld {
			b.Run(fmt.Sprintf("%s/%d", m.name, n), func(b *testing.B) {
				d := window.Define(360*second, m.condition)
				for b.Loop() {
					b.ReportMetric(heldBy(n, d, m.event), "B/event")
				}
			})
		}
	}
}
