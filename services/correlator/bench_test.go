package correlator

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/window"
)

// sizes of logs: messages as large files give them, such as small ones give, and
// as many groups as there are matches.
var logs = []struct{ matches, message, groups int }{
	{1_000_000, 100, 50_000},
	{1_000_000, 3, 50_000},
	{1_000_000, 100, 1_000_000},
}

// matchesOf makes the messages of a log, one partition after the other in turn.
func matchesOf(c *sigma.CompiledCorrelation, matches, message, groups int, each func(partition int, b *trailbellv1.MatchBatch)) {
	var parts [16][]*trailbellv1.Match
	send := func(n int) {
		each(n, &trailbellv1.MatchBatch{EventsSequence: 1, Matches: parts[n]})
		parts[n] = nil
	}
	for i := range matches {
		at := i * 7919 % groups
		m := &trailbellv1.Match{
			Correlation: c.Meta().ID, Definition: c.Fingerprint(),
			Group:    []string{"111122223333", fmt.Sprintf("10.%d.%d.%d", at>>16, at>>8&255, at&255)},
			Identity: fmt.Sprintf("7f3a1c2e-0000-4000-8000-%012d", i), Time: start.UnixMilli() + int64(i)*1000,
		}
		n := streams.Partition(streams.GroupOf(m.GetCorrelation(), m.GetGroup()), len(parts))
		if parts[n] = append(parts[n], m); len(parts[n]) == message {
			send(n)
		}
	}
	for n := range parts {
		send(n)
	}
}

// BenchmarkFold folds a log without a server, and reports what a match takes in
// memory, its group included.
func BenchmarkFold(b *testing.B) {
	for _, c := range logs {
		b.Run(fmt.Sprintf("matches=%d/message=%d/groups=%d", c.matches, c.message, c.groups), func(b *testing.B) {
			rules := ruleSet(b, bell)
			for range b.N {
				b.StopTimer()
				var log []message
				matchesOf(rules.Correlations()[0], c.matches, c.message, c.groups, func(_ int, batch *trailbellv1.MatchBatch) {
					log = append(log, message{sequence: uint64(len(log) + 1), stored: start.UnixMilli(), batch: batch})
				})
				m := newMetrics(prometheus.NewRegistry(), rules)
				o := newOwner(options(), rules, start, newBudget(10*c.matches, m, natstest.Quiet).share(func() {}), nil, m, natstest.Quiet)
				before := heap()
				b.StartTimer()
				for part := range slices.Chunk(log, atOnce) {
					if err := o.fold(b.Context(), part...); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				b.ReportMetric(float64(heap()-before)/float64(c.matches), "B/match")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.matches), "ns/match")
				runtime.KeepAlive(o)
				runtime.KeepAlive(log)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkRebuild takes over all partitions of a log, on a file-backed server in
// the same process.
func BenchmarkRebuild(b *testing.B) {
	for _, c := range logs {
		b.Run(fmt.Sprintf("matches=%d/message=%d/groups=%d", c.matches, c.message, c.groups), func(b *testing.B) {
			rules := ruleSet(b, bell)
			limits := natstest.Limits()
			limits.Memory, limits.Matches = false, 1<<30
			s := natstest.Start(b, limits)
			_, js := natstest.Connect(b, s)
			matchesOf(rules.Correlations()[0], c.matches, c.message, c.groups, func(n int, batch *trailbellv1.MatchBatch) {
				data, err := proto.Marshal(batch)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := js.PublishAsync(streams.MatchesSubject(n), data); err != nil {
					b.Fatal(err)
				}
			})
			<-js.PublishAsyncComplete()
			b.ResetTimer()
			for range b.N {
				rebuild(b, js, c.matches+c.groups*window.SizeOfGroup(nil))
			}
		})
	}
}

// BenchmarkAlerts writes the alerts of a storm: a brute force from each of many
// addresses, with evidence in as many event batches as there are messages.
func BenchmarkAlerts(b *testing.B) {
	const groups, events = 5_000, 5
	rules := ruleSet(b, bell)
	for range b.N {
		b.StopTimer()
		limits := natstest.Limits()
		limits.Memory = false
		s := natstest.Start(b, limits)
		nc, js := natstest.Connect(b, s)
		sequence := uint64(0)
		for first := 0; first < groups; first += 100 {
			var entries []entry
			batch := &trailbellv1.EventBatch{}
			w := &matches{batch: batch, partitions: 16, byPartition: map[int]*part{}}
			sequence++
			w.sequence = sequence
			for i := range 100 * events {
				l := login{fmt.Sprintf("7f3a1c2e-0000-4000-8000-%06d%06d", first, i), (first + i/events), i % events}
				entries = append(entries, entry{l.id, l.time(), "ConsoleLogin", l.record()})
				batch.Identities = append(batch.Identities, l.id)
				batch.Times = append(batch.Times, l.time().UnixMilli())
				record := []byte(l.record())
				w.add(rules.Candidates("signin.amazonaws.com", "ConsoleLogin").AppendMatches(nil, record), i, record)
			}
			publishBatch(b, js, fmt.Sprint(first), "signin.amazonaws.com", entries)
			for n, p := range w.byPartition {
				for _, m := range p.messages {
					data, err := proto.Marshal(m)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := js.Publish(b.Context(), streams.MatchesSubject(n), data); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
		b.StartTimer()
		_, stop := owning(b, js, options(), rules)
		for {
			i, err := js.Stream(b.Context(), streams.Alerts)
			if err != nil {
				b.Fatal(err)
			}
			if i.CachedInfo().State.Msgs >= groups {
				break
			}
			time.Sleep(time.Millisecond)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/groups, "ns/alert")
		stop()
		nc.Close()
	}
}

// rebuild takes over all partitions, until so much is remembered.
func rebuild(b *testing.B, js jetstream.JetStream, size int) {
	b.Helper()
	o := options()
	o.MaxEvents = 2 * size
	own, stop := owning(b, js, o, ruleSet(b, bell))
	for own.budgetSize() < size {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	stop()
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
