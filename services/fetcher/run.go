package fetcher

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
)

// Run fetches objects until ctx ends. Any number of processes may do so; they
// share the work.
func Run(ctx context.Context, js jetstream.JetStream, objects Objects, o Options, workers int, r prometheus.Registerer, log *slog.Logger) error {
	return stage.Run(ctx, js, stage.Config{
		Name: "fetcher", Stream: streams.Keys, Durable: streams.FetcherDurable,
		Workers: workers,
		Metrics: stage.NewMetrics(r, "fetcher", streams.Batches),
		Log:     log,
	}, newFetcher(objects, o).fetch)
}
