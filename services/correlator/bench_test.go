package correlator

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// BenchmarkRebuild takes over all partitions of a log of a million matches, on a
// file-backed server in the same process: in messages as large files give them,
// in such as small ones give, and in as many groups as there are matches.
func BenchmarkRebuild(b *testing.B) {
	for _, c := range []struct{ matches, message, groups int }{
		{1_000_000, 100, 50_000},
		{1_000_000, 3, 50_000},
		{1_000_000, 100, 1_000_000},
	} {
		b.Run(fmt.Sprintf("matches=%d/message=%d/groups=%d", c.matches, c.message, c.groups), func(b *testing.B) {
			rules := ruleSet(b, bell)
			correlation := rules.Correlations()[0]
			limits := natstest.Limits()
			limits.Memory, limits.Matches = false, 1<<30
			s := natstest.Start(b, limits)
			_, js := natstest.Connect(b, s)
			var parts [16][]*trailbellv1.Match
			send := func(n int) {
				data, err := proto.Marshal(&trailbellv1.MatchBatch{EventsSequence: 1, Matches: parts[n]})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := js.PublishAsync(streams.MatchesSubject(n), data); err != nil {
					b.Fatal(err)
				}
				parts[n] = nil
			}
			for i := range c.matches {
				at := i * 7919 % c.groups
				m := &trailbellv1.Match{
					Correlation: correlation.Meta().ID, Definition: correlation.Fingerprint(),
					Group:    []string{"111122223333", fmt.Sprintf("10.%d.%d.%d", at>>16, at>>8&255, at&255)},
					Identity: fmt.Sprintf("7f3a1c2e-0000-4000-8000-%012d", i), Time: start.UnixMilli() + int64(i)*1000,
				}
				n := streams.Partition(streams.GroupOf(m.GetCorrelation(), m.GetGroup()), len(parts))
				if parts[n] = append(parts[n], m); len(parts[n]) == c.message {
					send(n)
				}
			}
			for n := range parts {
				send(n)
			}
			<-js.PublishAsyncComplete()
			b.ResetTimer()
			for range b.N {
				rebuild(b, js, c.matches)
			}
		})
	}
}

// rebuild takes over all partitions, and reports what their windows take.
func rebuild(b *testing.B, js jetstream.JetStream, matches int) {
	b.Helper()
	b.StopTimer()
	before := heap()
	b.StartTimer()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	st, err := open(ctx, js)
	if err != nil {
		b.Fatal(err)
	}
	ready := make(chan struct{}, 100)
	o := options()
	o.MaxEvents = 2 * matches
	o.Ready = func(yes bool) {
		if yes {
			ready <- struct{}{}
		}
	}
	r := prometheus.NewRegistry()
	rules := ruleSet(b, bell)
	m := newMetrics(r, rules)
	own := newOwners(js, rules, o, st, m, stage.NewMetrics(r, "correlator", streams.Matches, streams.Alerts), natstest.Quiet)
	done := make(chan error, len(st.written))
	own.rebuild(1) // all begin before any is ready
	for n := range st.written {
		go func() { done <- own.run(ctx, n) }()
	}
	for own.budgetSize() < matches {
		select {
		case err := <-done:
			b.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(heap()-before)/float64(matches), "B/match")
	cancel()
	for range st.written {
		<-done
	}
	b.StartTimer()
}

func (o *owners) budgetSize() int {
	o.budget.mu.Lock()
	defer o.budget.mu.Unlock()
	return o.budget.size
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
