package forwarder

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/progress"
	"github.com/trailbell/trailbell/internal/streams"
)

// delivered is up to where a sink has been served. Alerts are delivered in the
// order of their stream, so one number is enough. The durable consumer knows it
// too, but a server that is killed forgets the last acknowledgements: without
// this, a crash would repeat hundreds of alerts, and with it at most the one that
// was being delivered.
type delivered struct {
	progress *progress.Progress
	last     uint64 // owned by the one worker of the sink
}

func openDelivered(ctx context.Context, js jetstream.JetStream, sink string) (*delivered, error) {
	alerts, err := js.Stream(ctx, streams.Alerts)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", streams.Alerts, err)
	}
	p, err := progress.Open(ctx, js, sink, alerts.CachedInfo().Created)
	if err != nil {
		return nil, err
	}
	last, err := p.Read(ctx)
	return &delivered{progress: p, last: last}, err
}

// add notes a delivery. When that fails the delivery is done all the same, and
// is not repeated by this process.
func (d *delivered) add(ctx context.Context, sequence uint64) error {
	d.last = sequence
	return d.progress.Raise(ctx, sequence)
}
