package decoder

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
)

// Run decodes batches until ctx ends. Any number of processes may do so; they
// share the work.
func Run(ctx context.Context, js jetstream.JetStream, workers int, r prometheus.Registerer, log *slog.Logger) error {
	metrics := stage.NewMetrics(r, "decoder", streams.Events)
	gate, err := stage.ConsumerGate(ctx, js, streams.Events, streams.MatcherDurable, metrics.Lost(log, streams.Events))
	if err != nil {
		return err
	}
	return stage.Run(ctx, js, stage.Config{
		Name: "decoder", Stream: streams.Batches, Durable: streams.DecoderDurable,
		Workers: workers, PullBytes: streams.PullBytes,
		Gates:   map[string]*stage.Gate{streams.Events: gate},
		Metrics: metrics,
		Log:     log,
	}, decode)
}
