package correlator

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/progress"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/sigma"
)

// Options of a correlator.
type Options struct {
	// Workers is how many batches are matched at once.
	Workers int
	// Horizon is how far apart two events may be stored and still count
	// together.
	Horizon time.Duration
	// Coalesce is the shortest time between two revisions of a group's alerts.
	Coalesce time.Duration
	// MaxEvents bounds the events that the windows remember, and with them
	// what they hold, about a hundred bytes each: each value of an event, and each
	// group of a chain in which one may count, is as much as an event, and a group
	// is what [window.SizeOfGroup] says.
	MaxEvents int
	// Limits bound what an alert carries.
	Limits alert.Limits
	// Ready is told whether this process can do its part: as the owner of
	// partitions it cannot until their windows have been rebuilt. It may be nil.
	Ready func(bool)
}

// Run matches and correlates until ctx ends. Any number of processes may match,
// and they share the partitions of the windows among them. Holder names this one.
func Run(ctx context.Context, js jetstream.JetStream, rules *sigma.Set, o Options, holder string, timing lease.Timing, r prometheus.Registerer, log *slog.Logger) error {
	leases, err := lease.Open(ctx, js, streams.LeaseBucket)
	if err != nil {
		return err
	}
	s, err := open(ctx, js)
	if err != nil {
		return err
	}
	m := newMetrics(r, rules)
	shell := stage.NewMetrics(r, "correlator", streams.Matches, streams.Alerts)
	matcher := &matcher{rules: rules, partitions: len(s.written), limits: o.Limits, metrics: m}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return stage.Run(ctx, js, stage.Config{
			Name: "correlator", Stream: streams.Events, Durable: streams.MatcherDurable,
			Workers: o.Workers, PullBytes: streams.PullBytes,
			Gates:   map[string]*stage.Gate{streams.Matches: stage.NewGate(s.matches, newSlowest(s.written).read, shell.Lost(log, streams.Matches))},
			Metrics: shell, Log: log,
		}, func(ctx context.Context, msg stage.Message, out *stage.Output) error {
			return matcher.match(ctx, msg, out)
		})
	})
	if len(rules.Correlations()) == 0 {
		return g.Wait()
	}
	own := newOwners(js, rules, o, s, m, shell, log)
	g.Go(func() error { return own.visitors.run(ctx) })
	g.Go(func() error {
		held := func(n int) { m.owned.Set(float64(n)) }
		lease.Spread(leases, "windows", holder, len(s.written), timing, log, held).Run(ctx, own.run)
		return nil
	})
	return g.Wait()
}

// owners owns the partitions that are this process's part.
type owners struct {
	Options
	js       jetstream.JetStream
	rules    *sigma.Set
	stores   *stores
	books    *books
	budget   *budget
	visitors *visitors
	metrics  *metrics
	log      *slog.Logger

	mu         sync.Mutex
	rebuilding int
}

func newOwners(js jetstream.JetStream, rules *sigma.Set, o Options, s *stores, m *metrics, shell *stage.Metrics, log *slog.Logger) *owners {
	if o.Ready == nil {
		o.Ready = func(bool) {}
	}
	return &owners{
		Options: o, js: js, rules: rules, stores: s,
		books: &books{
			shelf:    &stand{js: js, alerts: s.alerts, shell: shell, log: log},
			evidence: newEvidence(s.events, log), metrics: m,
		},
		budget: newBudget(o.MaxEvents, m, log), visitors: newVisitors(s.alerts), metrics: m, log: log,
	}
}

// run owns one partition until ctx ends.
func (o *owners) run(ctx context.Context, number int) error {
	o.rebuild(1)
	rebuilt := sync.OnceFunc(func() { o.rebuild(-1) })
	defer rebuilt()

	p, err := o.partition(ctx, number, rebuilt)
	if err != nil {
		return err
	}
	defer p.close()
	return p.run(ctx)
}

// partition returns a partition that is yet to be rebuilt.
func (o *owners) partition(ctx context.Context, number int, ready func()) (*partition, error) {
	known, err := progress.OpenPairs(ctx, o.js, fmt.Sprintf("windows-%d-readings", number),
		[2]time.Time{o.stores.epoch, o.stores.alerts.CachedInfo().Created})
	if err != nil {
		return nil, err
	}
	log := o.log.With("partition", number)
	wake := make(doorbell, 1)
	return &partition{
		number: number, owner: newOwner(o.Options, o.rules, o.stores.epoch, o.budget.share(wake.ring), o.books, o.metrics, log),
		stores: o.stores, progress: o.stores.written[number], readings: readingsOf(o.rules, o.Horizon), known: known,
		visitors: o.visitors, ready: ready, log: log, wake: wake,
	}, nil
}

// rebuild counts the partitions that are being rebuilt.
func (o *owners) rebuild(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rebuilding += n
	o.metrics.rebuilding.Set(float64(o.rebuilding))
	o.Ready(o.rebuilding == 0)
}
