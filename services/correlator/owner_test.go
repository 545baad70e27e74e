package correlator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/window"
)

// bound is an owner that replays what has been written long ago: it folds and
// forgets, and has nothing to say.
func bound(t *testing.T, rules *sigma.Set, maxEvents int) *owner {
	t.Helper()
	return &owner{
		Options: Options{MaxEvents: maxEvents}, rules: rules, quiet: math.MaxUint64,
		metrics: newMetrics(prometheus.NewRegistry(), rules), log: natstest.Quiet,
		groups: map[string]*group{}, chains: map[string]*window.Chain{}, unwritten: map[*group]struct{}{}, stored: map[int64]int{},
	}
}

// remembered adds up the sizes anew.
func (o *owner) remembered() (size int) {
	for _, g := range o.groups {
		if !g.key.correlation.Chained() {
			size += g.window.Size()
		}
	}
	for _, c := range o.chains {
		size += c.Size()
	}
	return size
}

// call folds a call that the log stored at a second.
func (o *owner) call(c call, stored int64) {
	b := &trailbellv1.EventBatch{Identities: []string{c.id}, Times: []int64{start.UnixMilli() + int64(c.second)*second}}
	record, name := []byte(c.record()), "Read"
	if c.write {
		name = "Write"
	}
	matched := o.rules.Candidates("test.amazonaws.com", name).AppendMatches(nil, record)
	for _, correlation := range o.rules.Correlations() {
		for _, hit := range correlation.Hits(nil, matched, record) {
			match := matchOf(correlation, hit, b, 0)
			o.insert(match, window.Event{Time: match.GetTime(), ID: c.id, Seq: o.folded, Stored: stored * second})
		}
	}
	o.folded++
}

func TestOwnerKnowsHowMuchItRemembers(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 4))
		o := bound(t, ruleSet(t, peal), 1000)
		calls, evicted := traffic(random), 0
		for i := range int64(600) {
			c := calls[random.IntN(len(calls))] // some again, some after they were forgotten
			o.call(c, i)
			switch {
			case o.size > o.MaxEvents:
				evicted++
				if err := o.evict(t.Context()); err != nil {
					t.Fatal(err)
				}
				if o.size > o.MaxEvents {
					t.Fatalf("the size is %d after the oldest have been forgotten, want at most %d", o.size, o.MaxEvents)
				}
			case random.IntN(50) == 0:
				if err := o.sweep(t.Context(), max(o.swept, (i-60)*second)); err != nil {
					t.Fatal(err)
				}
			}
			if got := o.remembered(); got != o.size {
				t.Fatalf("after call %d the size is %d, and %d was counted", i, got, o.size)
			}
		}
		if evicted == 0 || o.size == 0 || len(o.chains) == 0 {
			t.Fatal("nothing was forgotten, or everything; draw other calls")
		}
		if err := o.sweep(t.Context(), math.MaxInt64); err != nil {
			t.Fatal(err)
		}
		if left := fmt.Sprint(o.size, len(o.groups), len(o.chains), len(o.stored)); left != "0 0 0 0" {
			t.Fatalf("after everything has been forgotten these are left of size, groups, chains and seconds: %s", left)
		}
	}
}
