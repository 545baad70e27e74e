package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/streams"
)

// bus is the NATS server that the services talk through: an embedded one or
// another.
type bus struct {
	server *natsserver.Server // nil when it is another
	url    string
	log    *slog.Logger
}

// openBus starts or finds the server and creates what is missing on it.
func openBus(ctx context.Context, c Config, log *slog.Logger) (*bus, error) {
	b := &bus{url: c.NATS.URL, log: log}
	if c.NATS.URL == "" {
		if _, err := CheckDisk(c.DataDir, c.Limits().Total()); err != nil {
			return nil, err
		}
		s, err := natsserver.Start(natsserver.Options{Dir: c.DataDir, Listen: c.NATS.Listen, SyncAlways: c.NATS.SyncAlways})
		if err != nil {
			return nil, err
		}
		b.server, b.url = s, s.URL()
	}
	nc, js, err := b.connect("setup")
	if err == nil {
		err = streams.Ensure(ctx, js, c.Limits(), b.server != nil)
		if err == nil && b.server != nil {
			err = streams.Reclaim(ctx, js)
		}
		nc.Close()
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// connect opens a connection of its own for a service.
func (b *bus) connect(name string) (*nats.Conn, jetstream.JetStream, error) {
	if b.server == nil {
		return streams.Connect(b.url, name, b.log)
	}
	nc, js, err := streams.Connect("nats://embedded", name, b.log, b.server.InProcess(),
		// Nothing is far away: what takes long is a machine that was asleep.
		nats.Timeout(30*time.Second))
	if err != nil {
		return nil, nil, fmt.Errorf("embedded server: %w", err)
	}
	return nc, js, nil
}

// watch waits until ctx ends, or returns why an embedded server takes nothing
// more.
func (b *bus) watch(ctx context.Context) error {
	var failed <-chan error // of another server we hear nothing
	if b.server != nil {
		failed = b.server.Failed()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// close stops an embedded server. It may be called again.
func (b *bus) close() {
	if b.server != nil {
		b.server.Stop()
	}
}
