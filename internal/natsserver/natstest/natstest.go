// Package natstest starts an embedded server for a test.
package natstest

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/streams"
)

// Quiet is a logger that drops everything.
var Quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// Limits are small enough for a test's directory.
func Limits() streams.Limits {
	l := streams.DefaultLimits()
	l.Keys, l.Batches, l.Events, l.Matches, l.Alerts, l.Dead = 8<<20, 64<<20, 256<<20, 64<<20, 64<<20, 8<<20
	return l
}

// Start runs a server with a store of its own until the test ends, with the
// streams created.
func Start(t testing.TB, limits streams.Limits) *natsserver.Server {
	t.Helper()
	s, err := natsserver.Start(natsserver.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	_, js := Connect(t, s)
	if err := streams.Ensure(t.Context(), js, limits, true); err != nil {
		t.Fatal(err)
	}
	return s
}

// Connect opens a connection that the test's end closes.
func Connect(t testing.TB, s *natsserver.Server) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, js, err := streams.Connect(s.URL(), "test", Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, js
}

// Messages returns how many messages a stream holds.
func Messages(t testing.TB, js jetstream.JetStream, stream string) uint64 {
	t.Helper()
	s, err := js.Stream(context.WithoutCancel(t.Context()), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}
