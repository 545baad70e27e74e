package correlator

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/window"
)

// bound is an owner with a budget of its own.
func bound(t *testing.T, rules *sigma.Set, maxEvents int) *owner {
	t.Helper()
	m := newMetrics(prometheus.NewRegistry(), rules)
	return quiet(rules, newBudget(maxEvents, m, natstest.Quiet).share(func() {}), m)
}

// quiet is an owner that replays what has been written long ago: it folds and
// forgets, and has nothing to say.
func quiet(rules *sigma.Set, s *share, m *metrics) *owner {
	o := newOwner(Options{Horizon: 24 * time.Hour}, rules, time.Time{}, s, nil, m, natstest.Quiet)
	all := map[*sigma.CompiledCorrelation]uint64{}
	for _, c := range rules.Correlations() {
		all[c] = math.MaxUint64
	}
	o.hush(all)
	return o
}

// remembered adds up the sizes anew.
func (w *windows) remembered() (size int) {
	for _, g := range w.groups {
		size += window.SizeOfGroup(g.values)
		if !g.correlation.Chained() {
			size += g.window.Size()
		}
	}
	for _, c := range w.chains {
		size += c.Size()
	}
	return size
}

// Whatever the budget counts is about a hundred bytes in memory: also where every
// event has a group of its own, and where groups are named by long texts.
func TestWhatIsRememberedIsWhatItTakes(t *testing.T) {
	for _, c := range []struct {
		name          string
		groups, named int // bytes of a name
	}{{"few groups", 10, 10}, {"a group an event", 20_000, 10}, {"long names", 20_000, 500}} {
		for _, correlation := range []string{"many", "keys", "busy_then_write"} {
			rules := pealOf(t, []string{correlation})
			o := bound(t, rules, math.MaxInt)
			name := strings.Repeat("x", c.named)
			before := heap()
			for i := range 20_000 {
				user := fmt.Sprint(i%c.groups, name)
				m := messageOf(rules, call{id: fmt.Sprintf("7f3a1c2e-0000-4000-8000-%012d", i), second: i, user: user, host: user}, uint64(i+1), 1_000_000)
				if err := o.fold(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			took := float64(heap()-before) / float64(o.windows.size)
			if took > 110 {
				t.Errorf("%s, %s: what counts as one takes %.0f bytes", c.name, correlation, took)
			}
			runtime.KeepAlive(o)
		}
	}
}

// messageOf is what a matcher makes of a call that the log stored at a second.
func messageOf(rules *sigma.Set, c call, sequence uint64, stored int64) message {
	b := &trailbellv1.EventBatch{Identities: []string{c.id}, Times: []int64{start.UnixMilli() + int64(c.second)*second}}
	record := []byte(c.record())
	matched := rules.Candidates("test.amazonaws.com", c.name()).AppendMatches(nil, record)
	m := message{sequence: sequence, stored: stored * second, batch: &trailbellv1.MatchBatch{}}
	for _, correlation := range rules.Correlations() {
		for _, hit := range correlation.Hits(nil, matched, record) {
			m.batch.Matches = append(m.batch.Matches, matchOf(correlation, hit, b, 0))
		}
	}
	return m
}

func TestOwnerKnowsHowMuchItRemembers(t *testing.T) {
	const limit = 1000
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 4))
		o := bound(t, ruleSet(t, peal), limit)
		w, budget := o.windows, o.windows.share.budget
		calls, evicted := traffic(random), 0
		w.share.wake = func() { evicted++ }
		for i := int64(0); i < 3000; {
			var batch []message
			for range 1 + random.IntN(1000) {
				c := calls[random.IntN(len(calls))] // some again, some after they were forgotten
				batch = append(batch, messageOf(w.rules, c, uint64(i+1), 1_000_000+i))
				i++
			}
			before := evicted
			if err := o.fold(t.Context(), batch...); err != nil {
				t.Fatal(err)
			}
			if evicted == before && random.IntN(3) == 0 {
				if err := o.forget(t.Context(), max(w.swept, (1_000_000+i-60)*second), false); err != nil {
					t.Fatal(err)
				}
			}
			if w.size > limit {
				t.Fatalf("the size is %d, want at most %d", w.size, limit)
			}
			if got := w.remembered(); got != w.size || got != budget.size {
				t.Fatalf("after call %d the size is %d, that of the budget %d, and %d was counted", i, w.size, budget.size, got)
			}
		}
		if evicted == 0 || w.size == 0 || len(w.chains) == 0 {
			t.Fatal("nothing was forgotten, or everything; draw other calls")
		}
		if err := o.forget(t.Context(), math.MaxInt64, false); err != nil {
			t.Fatal(err)
		}
		if left := fmt.Sprint(w.size, budget.size, len(w.groups), len(w.chains), len(w.touched), len(w.share.stored)); left != "0 0 0 0 0 0" {
			t.Fatalf("after everything has been forgotten these are left of sizes, groups, chains, touched groups and seconds: %s", left)
		}
	}
}

// What is forgotten for the budget is counted and said, and what the horizon
// forgets is neither.
func TestWhatTheLimitForgetsIsSaid(t *testing.T) {
	const events = 10
	limit := events + window.SizeOfGroup(nil)
	rules := ruleSet(t, bell)
	r := prometheus.NewRegistry()
	m := newMetrics(r, rules)
	var said strings.Builder
	o := quiet(rules, newBudget(limit, m, slog.New(slog.NewTextHandler(&said, nil))).share(func() {}), m)
	c := rules.Correlations()[0]
	fold := func(stored int64) {
		o.folded++
		err := o.fold(t.Context(), message{sequence: o.folded, stored: stored, batch: &trailbellv1.MatchBatch{Matches: []*trailbellv1.Match{{
			Correlation: c.Meta().ID, Definition: c.Fingerprint(), Group: []string{"111122223333", "192.0.2.7"},
			Identity: fmt.Sprint(o.folded), Time: stored,
		}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	expect := func(evicted, warnings int) {
		t.Helper()
		if got := int(metric(t, r, "evicted_total")); got != evicted {
			t.Errorf("%d events were evicted, want %d", got, evicted)
		}
		if got := strings.Count(said.String(), `msg="too many events to remember: `); got != warnings {
			t.Errorf("%d warnings, want %d:\n%s", got, warnings, &said)
		}
	}

	now := start.UnixMilli()
	for i := range int64(events) {
		fold(now + i*second)
	}
	expect(0, 0)
	fold(now + events*second) // one too many; the first second has the group as well
	expect(1, 1)
	fold(now + (events+1)*second) // one too many, and a tenth more
	expect(3, 2)
	fold(now + (events+2)*second)
	expect(3, 2)
	if !strings.Contains(said.String(), fmt.Sprint("max_events=", limit)) {
		t.Errorf("the warning does not say the limit:\n%s", &said)
	}
	fold(now + 2*o.Horizon.Milliseconds())
	if expect(3, 2); o.windows.size != 1+window.SizeOfGroup(nil) {
		t.Errorf("%d are remembered behind the horizon, want the last and its group", o.windows.size)
	}
}

// A partition that is rebuilt reads what the others have forgotten long ago.
func TestARebuildStaysWithinTheBudget(t *testing.T) {
	const limit, messages = 1000, 3000
	random := rand.New(rand.NewPCG(1, 4))
	rules := ruleSet(t, peal)
	all := traffic(random)
	m := newMetrics(prometheus.NewRegistry(), rules)
	b := newBudget(limit, m, natstest.Quiet)
	var owners []*owner
	for range 3 {
		o := quiet(rules, b.share(func() {}), m)
		owners = append(owners, o)
		for i := range int64(messages) {
			c := all[random.IntN(len(all))]
			c.id = fmt.Sprint(len(owners), "-", i)
			if err := o.fold(t.Context(), messageOf(rules, c, uint64(i+1), 1_000_000+i)); err != nil {
				t.Fatal(err)
			}
			for _, other := range owners {
				if err := other.economize(t.Context(), other.folded+1); err != nil {
					t.Fatal(err)
				}
			}
			if b.size > limit {
				t.Fatalf("at message %d of partition %d %d are remembered, want at most %d", i, len(owners), b.size, limit)
			}
		}
	}
	for _, o := range owners {
		for second := range o.windows.share.stored {
			if second < 1_000_000+messages*9/10 {
				t.Errorf("what was stored in second %d is remembered, and younger is not", second-1_000_000)
			}
		}
	}
}

// An event that a chain took back may be in an alert that is yet to be heard of.
func TestAGroupIsThereAsLongAsSomethingIsGoneOutOfIt(t *testing.T) {
	rules := pealOf(t, []string{"pairs"})
	o := bound(t, rules, 1000)
	all := rules.Correlations()
	pairs := all[slices.IndexFunc(all, (*sigma.CompiledCorrelation).Chained)]
	alice := streams.GroupOf(pairs.Meta().ID, []string{"alice"})
	// The third call, which is before the others, breaks the pair that ends at the second.
	for i, c := range []call{{id: "0", second: 10, user: "bob", host: "x"}, {id: "1", second: 20, user: "alice", host: "x"}, {id: "2", user: "carol", host: "x"}} {
		if err := o.fold(t.Context(), messageOf(rules, c, uint64(i+1), 1_000_000)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		cutoff int64
		there  bool
	}{{1_000_000, true}, {1_000_001, false}} {
		if err := o.forget(t.Context(), c.cutoff*second, false); err != nil {
			t.Fatal(err)
		}
		g := o.windows.groups[alice]
		if g != nil && g.window.Len() > 0 {
			t.Fatal("the pair is not broken; choose other calls")
		}
		if (g != nil) != c.there {
			t.Errorf("forgotten what was stored before %d, the group is there: %t, want %t", c.cutoff, g != nil, c.there)
		}
	}
}

// What is late is said by the log, and no event time makes another event late:
// neither in the count nor in what is remembered.
func TestAnAbsurdTimeMakesNothingElseLate(t *testing.T) {
	rules := ruleSet(t, bell)
	o := bound(t, rules, 1000)
	now := start.UnixMilli()
	horizon := o.Horizon.Milliseconds()
	c := rules.Correlations()[0]
	fold := func(stored int64, times ...int64) {
		o.folded++
		m := message{sequence: o.folded, stored: stored, batch: &trailbellv1.MatchBatch{}}
		for i, at := range times {
			m.batch.Matches = append(m.batch.Matches, &trailbellv1.Match{
				Correlation: c.Meta().ID, Definition: c.Fingerprint(), Group: []string{"111122223333", "192.0.2.7"},
				Identity: fmt.Sprint(o.folded, "-", i), Time: at,
			})
		}
		if err := o.fold(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	late := func() float64 {
		all := prometheus.NewPedanticRegistry()
		all.MustRegister(o.windows.metrics.late)
		families, err := all.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return families[0].GetMetric()[0].GetCounter().GetValue()
	}
	year := func(y int) int64 { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() }

	fold(now, year(9999), year(2262), now)
	fold(now, now-horizon, now-1)
	if late() != 0 {
		t.Errorf("%v matches are late, want none", late())
	}
	fold(now+minute, now+minute-horizon-1, year(1))
	if late() != 2 {
		t.Errorf("%v matches are late, want two", late())
	}
	remembered := func() int { return o.windows.size - window.SizeOfGroup(nil) }
	if remembered() != 7 {
		t.Errorf("%d events are remembered, want all 7", remembered())
	}
	fold(now+horizon-minute, now)
	if remembered() != 8 {
		t.Errorf("%d events are remembered shortly before the horizon, want all 8", remembered())
	}
	fold(now+2*horizon, year(9999))
	if remembered() != 1 {
		t.Errorf("%d events are remembered behind the horizon, want the last", remembered())
	}
}
