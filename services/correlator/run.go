package correlator

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

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
	// Partitions of MATCHES.
	Partitions int
	// Horizon is how far apart two events may be stored and still count
	// together.
	Horizon time.Duration
	// Coalesce is the shortest time between two revisions of a group's alerts.
	Coalesce time.Duration
	// MaxEvents bounds the events that the windows remember, and with them
	// what they hold: each value of an event, and each group of a chain in which
	// one may count, is as much as an event.
	MaxEvents int
	// Ready is told whether this process can do its part: as the owner of the
	// windows it cannot until they have been rebuilt. It may be nil.
	Ready func(bool)
}

// Run matches and correlates until ctx ends. Any number of processes may match;
// one of them owns the windows and the others stand by. Holder names this one.
func Run(ctx context.Context, js jetstream.JetStream, rules *sigma.Set, o Options, holder string, timing lease.Timing, r prometheus.Registerer, log *slog.Logger) error {
	leases, err := lease.Open(ctx, js, streams.LeaseBucket)
	if err != nil {
		return err
	}
	s, err := open(ctx, js)
	if err != nil {
		return err
	}
	if o.Ready == nil {
		o.Ready = func(bool) {}
	}
	m := newMetrics(r, rules)
	shell := stage.NewMetrics(r, "correlator", streams.Matches, streams.Alerts)
	matcher := &matcher{rules: rules, partitions: o.Partitions, metrics: m}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return stage.Run(ctx, js, stage.Config{
			Name: "correlator", Stream: streams.Events, Durable: streams.MatcherDurable,
			Workers: o.Workers, PullBytes: streams.PullBytes,
			Gates:   map[string]*stage.Gate{streams.Matches: stage.NewGate(s.matches, s.progress.Read, shell.Lost(log, streams.Matches))},
			Metrics: shell, Log: log,
		}, matcher.match)
	})
	if len(rules.Correlations()) == 0 {
		return g.Wait()
	}
	held := func(yes bool) {
		o.Ready(!yes) // until the windows have been rebuilt
		m.owner.Set(0)
		if yes {
			m.owner.Set(1)
		}
	}
	l := lease.New(leases, "windows", holder, timing, log, held)
	g.Go(func() error {
		l.Run(ctx, func(ctx context.Context) error {
			b := &books{js: js, alerts: s.alerts, evidence: newEvidence(s.events), shell: shell, metrics: m, log: log}
			return newOwner(o, rules, s, b, m, log).run(ctx)
		})
		return nil
	})
	return g.Wait()
}

// stores is where the correlator's state is.
type stores struct {
	events, matches, alerts jetstream.Stream
	progress                *progress.Progress
	epoch                   time.Time
}

func open(ctx context.Context, js jetstream.JetStream) (stores, error) {
	var (
		s   stores
		err error
	)
	for name, to := range map[string]*jetstream.Stream{streams.Events: &s.events, streams.Matches: &s.matches, streams.Alerts: &s.alerts} {
		if *to, err = js.Stream(ctx, name); err != nil {
			return s, fmt.Errorf("stream %s: %w", name, err)
		}
	}
	s.epoch = s.matches.CachedInfo().Created.UTC()
	s.progress, err = progress.Open(ctx, js, "windows", s.epoch)
	return s, err
}

// Written reports up to which sequence of MATCHES all alerts have been written,
// and the last sequence there is.
func Written(ctx context.Context, js jetstream.JetStream) (written, last uint64, err error) {
	s, err := open(ctx, js)
	if err != nil {
		return 0, 0, err
	}
	written, err = s.progress.Read(ctx)
	return written, s.matches.CachedInfo().State.LastSeq, err
}
