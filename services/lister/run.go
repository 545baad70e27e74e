package lister

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// Watch is a bucket to be polled for ever.
type Watch struct {
	Config   Config
	Source   Source
	Interval time.Duration
	// Polled is told of each poll; it may be nil.
	Polled func(Report, error)
}

// Run polls the buckets until ctx ends. Of several processes one works on a
// bucket and the others stand by; holder names this one. A poll that fails is
// repeated: one bucket's failure does not touch the others.
func Run(ctx context.Context, js jetstream.JetStream, watches []Watch, holder string, timing lease.Timing, r prometheus.Registerer, log *slog.Logger) error {
	leases, err := lease.Open(ctx, js, streams.LeaseBucket)
	if err != nil {
		return err
	}
	store, err := openStore(ctx, js, streams.ListerBucket)
	if err != nil {
		return err
	}
	published := stage.NewMetrics(r, "lister", streams.Keys)
	polls := newMetrics(r)
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range watches {
		log := log.With("bucket", w.Config.Bucket)
		key := "lister-" + streams.Token(w.Config.Bucket)
		l := lease.New(leases, key, holder, timing, log, nil)
		g.Go(func() error {
			l.Run(ctx, func(ctx context.Context) error {
				publish := Publisher(stage.NewSource(js, "lister", published, log))
				p := poller{Watch: w, lister: New(w.Config, w.Source, store, publish), metrics: polls.of(w.Config.Bucket), log: log}
				p.run(ctx)
				return nil
			})
			return nil
		})
	}
	return g.Wait()
}

// Publisher publishes references to KEYS.
func Publisher(source *stage.Source) Publish {
	return func(ctx context.Context, refs []*trailbellv1.ObjectRef) error {
		ps := make([]stage.Publication, len(refs))
		for i, ref := range refs {
			data, err := proto.Marshal(ref)
			if err != nil {
				return fmt.Errorf("encode a reference: %w", err)
			}
			ps[i] = stage.Publication{
				Stream: streams.Keys, Subject: streams.KeysSubject(ref.GetBucket()),
				ID: streams.ObjectID(ref.GetBucket(), ref.GetKey()), Data: data,
			}
		}
		return source.Publish(ctx, ps)
	}
}

// poller polls one bucket.
type poller struct {
	Watch
	lister  *Lister
	metrics bucketMetrics
	log     *slog.Logger
	failing string // the error that was said
}

// firstRetry is the wait after the first poll that failed; it grows up to the
// interval.
const firstRetry = 5 * time.Second

func (p *poller) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	retry := firstRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := time.Now().Add(p.Interval)
		report, err := p.lister.Poll(ctx, time.Now())
		p.tell(ctx, report, err)
		if err == nil {
			err = p.history(ctx, next)
		}
		if err != nil && !isEmpty(err) {
			timer.Reset(min(retry, p.Interval))
			retry = min(2*retry, p.Interval)
			continue
		}
		retry = firstRetry
		timer.Reset(time.Until(next))
	}
}

// historyRequests is how much of the history is listed before the clock is
// looked at.
const historyRequests = 20

// history lists the days before the look-back that were asked for, until the
// next poll is due.
func (p *poller) history(ctx context.Context, until time.Time) error {
	for time.Now().Before(until) {
		report, done, err := p.lister.History(ctx, historyRequests)
		if report.Requests > 0 || err != nil {
			p.tell(ctx, report, err)
		}
		if done || err != nil {
			return err
		}
	}
	return nil
}

func (p *poller) tell(ctx context.Context, report Report, err error) {
	if ctx.Err() != nil {
		return // what ended with us did not fail
	}
	p.metrics.observe(report, err)
	p.say(err)
	if p.Polled != nil {
		p.Polled(report, err)
	}
}

// say logs an error once, and that it is over.
func (p *poller) say(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch {
	case text == p.failing:
	case isEmpty(err):
		p.log.Warn("nothing to watch yet", "reason", text)
	case err != nil:
		p.log.Error("poll failed; it is tried again", "error", text)
	default:
		p.log.Info("polling works again")
	}
	p.failing = text
}

func isEmpty(err error) bool {
	_, ok := errors.AsType[*Empty](err)
	return ok
}
