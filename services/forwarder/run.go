package forwarder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
)

const (
	// backlog is how old an alert may be that a new sink is told of.
	backlog = 24 * time.Hour
	ackWait = 60 * time.Second
)

// Run serves every route until ctx ends. Of several processes one serves a
// route and the others stand by; holder names this one.
func Run(ctx context.Context, js jetstream.JetStream, routes []Route, holder string, timing lease.Timing, r prometheus.Registerer, log *slog.Logger) error {
	leases, err := lease.Open(ctx, js, streams.LeaseBucket)
	if err != nil {
		return err
	}
	if _, err := js.Stream(ctx, streams.Alerts); err != nil {
		return fmt.Errorf("stream %s: %w", streams.Alerts, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, route := range routes {
		m := stage.NewMetrics(r, "forwarder/"+route.Name)
		log := log.With("sink", route.Name)
		l := lease.New(leases, streams.SinkDurable(route.Name), holder, timing, log, nil)
		g.Go(func() error {
			l.Run(ctx, func(ctx context.Context) error { return serve(ctx, js, route, m, log) })
			return nil
		})
	}
	return g.Wait()
}

func serve(ctx context.Context, js jetstream.JetStream, route Route, m *stage.Metrics, log *slog.Logger) error {
	durable := streams.SinkDurable(route.Name)
	if err := ensure(ctx, js, durable, log); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("sink %s: %w", route.Name, err)
	}
	delivered, err := openDelivered(ctx, js, durable)
	if err != nil {
		return fmt.Errorf("sink %s: %w", route.Name, err)
	}
	return stage.Run(ctx, js, stage.Config{
		Name: "forwarder", Stream: streams.Alerts, Durable: durable,
		Workers: 1, InOrder: true, PullBytes: streams.PullBytes,
		Metrics: m, Log: log,
	}, deliver(route, delivered))
}

// ensure creates the durable consumer of a sink. A new sink begins with the
// alerts of the last day, and not with those of three months.
//
// The server hands out one alert at a time. With more, those that a process held
// when it ended would come again behind newer ones.
func ensure(ctx context.Context, js jetstream.JetStream, durable string, log *slog.Logger) error {
	_, err := js.Consumer(ctx, streams.Alerts, durable)
	if err == nil {
		reclaim(ctx, js, durable, log)
		return nil
	}
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return err
	}
	start := time.Now().Add(-backlog)
	_, err = js.CreateConsumer(ctx, streams.Alerts, jetstream.ConsumerConfig{
		Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: 1,
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &start,
	})
	if errors.Is(err, jetstream.ErrConsumerExists) {
		return nil // another forwarder was faster
	}
	return err
}

// reclaim makes the alert that a process held when it was killed come again at
// once. Whoever holds the lease may: nobody else is at work.
func reclaim(ctx context.Context, js jetstream.JetStream, durable string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := js.ResetConsumer(ctx, streams.Alerts, durable); err != nil && ctx.Err() == nil {
		// An old server does not know how; the alert comes when ackWait is over.
		log.Debug("could not reclaim what an earlier process held", "error", err)
	}
}

// deliver is the stage: a revision of an alert in, nothing out.
func deliver(route Route, log *delivered) stage.Func {
	return func(ctx context.Context, m stage.Message, _ *stage.Output) error {
		if m.Sequence <= log.last {
			return nil // it was, and only the server does not know
		}
		a, err := alert.Parse(m.Data)
		if err != nil {
			return stage.Permanent(fmt.Errorf("not an alert: %w", err))
		}
		if !route.Match.passes(&a) {
			return nil
		}
		if err := route.Sink.Deliver(ctx, Delivery{Alert: a, JSON: m.Data, Sequence: m.Sequence}); err != nil {
			return err
		}
		return log.add(ctx, m.Sequence)
	}
}
