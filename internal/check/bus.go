package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/streams"
)

func bus(ctx context.Context, in Input) Section {
	if in.Config.NATS.URL == "" {
		return embedded(ctx, in)
	}
	return external(ctx, in)
}

// embedded looks at what a server of our own needs from this machine.
func embedded(ctx context.Context, in Input) Section {
	s, c := steps{timeout: in.Timeout}, in.Config
	running := false
	s.run(ctx, "store", func(context.Context) Item {
		var err error
		if running, err = natsserver.InUse(c.DataDir); err != nil {
			return failed(err)
		}
		room, err := app.CheckDisk(c.DataDir, c.Limits().Total())
		switch {
		case err != nil:
			return failed(err)
		case running:
			return odd("%s is used by a trailbell that runs already; a second one needs another --data-dir", c.DataDir)
		}
		return ok("%s: room for %s, the streams take at most %s", c.DataDir, app.Size(room), app.Size(c.Limits().Total()))
	})
	s.run(ctx, "address", func(context.Context) Item {
		switch {
		case c.NATS.Listen == "":
			return ok("none: other programs cannot subscribe")
		case running:
			return skipped("%s is, or will be, that trailbell's", c.NATS.Listen)
		}
		if err := natsserver.CheckListen(c.NATS.Listen); err != nil {
			return failed(err)
		}
		return ok("nats://%s is free", c.NATS.Listen)
	})
	return Section{Title: "NATS, embedded", Items: s.items}
}

// external looks at a server that others run.
func external(ctx context.Context, in Input) Section {
	s, c := steps{timeout: in.Timeout}, in.Config
	var (
		nc *nats.Conn
		js jetstream.JetStream
	)
	s.run(ctx, "server", func(context.Context) Item {
		var err error
		// It reports what we report.
		if nc, js, err = streams.Connect(c.NATS.URL, "check", slog.New(slog.DiscardHandler)); err != nil {
			return failed(err)
		}
		return ok("%s runs nats-server %s and takes messages of %s", nc.ConnectedUrlRedacted(), nc.ConnectedServerVersion(), app.Size(nc.MaxPayload()))
	})
	if nc != nil {
		defer nc.Close()
	}
	var missing []string
	s.run(ctx, "jetstream", func(ctx context.Context) Item {
		info, err := js.AccountInfo(ctx)
		switch {
		case errors.Is(err, jetstream.ErrJetStreamNotEnabled):
			return failed(errors.New("JetStream is off on this server; write `jetstream {}` into its configuration, or start it with -js"))
		case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
			return failed(errors.New("JetStream is off for this account; enable it in the account of the server's configuration"))
		case err != nil:
			return failed(fmt.Errorf("JetStream does not answer: %w; look at the server's log", err))
		}
		return room(info.Limits.MaxStore, int64(info.Store), c)
	})
	s.run(ctx, "streams", func(ctx context.Context) Item {
		var err error
		if missing, err = streams.Inspect(ctx, js, c.Limits()); err != nil {
			return failed(err)
		}
		if len(missing) > 0 {
			return ok("%s to be created: %s", count(len(missing), "stream"), some(missing))
		}
		return ok("all there, and compatible")
	})
	return Section{Title: "NATS", Items: s.items}
}

// room compares what an account may store with what the streams may take. A
// maximum of -1 is none.
func room(most, used int64, c app.Config) Item {
	total := c.Limits().Total() * int64(c.Streams.Replicas)
	if most >= 0 && most < total {
		return odd("this account may store %s and the streams may take %s; raise max_file, or lower the sizes under streams: in the configuration",
			app.Size(most), app.Size(total))
	}
	return ok("on, %s stored", app.Size(used))
}
