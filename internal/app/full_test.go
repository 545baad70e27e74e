package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/streams"
)

// failures is a logger that passes the errors on.
type failures struct{ errs chan error }

func (failures) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (f failures) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			f.errs <- err
		}
		return true
	})
	return nil
}

func (f failures) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f failures) WithGroup(string) slog.Handler      { return f }

// fill lets the store run into a full disk, by way of the device that is one, in
// a stream that the services have no use for here. It returns how to make room.
func fill(t *testing.T, c Config, js jetstream.JetStream) (room func()) {
	t.Helper()
	blocks := filepath.Join(c.DataDir, "jetstream", "$G", "streams", streams.Dead, "msgs")
	var ahead []string
	for i := range 10 {
		name := filepath.Join(blocks, fmt.Sprintf("%d.blk", i+1))
		err := os.Symlink("/dev/full", name)
		if errors.Is(err, os.ErrExist) {
			continue // the block in use
		}
		if err != nil {
			t.Fatal(err)
		}
		ahead = append(ahead, name)
	}
	for range 2 * c.Streams.Dead / (1 << 20) {
		if js.Conn().Publish(streams.DeadSubject("test"), make([]byte, 1<<20)) != nil {
			break // it was noticed already
		}
	}
	return func() {
		for _, name := range ahead {
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		}
	}
}

func TestWorkGoesOnWhenAFullDiskHasRoomAgain(t *testing.T) {
	s := newStore(t)
	trail := grow(t, 3, 1000)
	objects := slices.Collect(trail.Objects())
	c := s.config()
	env := testEnv(&memory{})
	said := failures{make(chan error, 100)}
	env.Log = slog.New(said)
	started := make(chan jetstream.JetStream, 100)
	env.Started = func(r Running) { started <- r.JetStream }
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- Up(ctx, c, env) }()
	next := func() jetstream.JetStream {
		t.Helper()
		select {
		case js := <-started:
			return js
		case err := <-done:
			t.Fatalf("Up ended with %v", err)
		case <-time.After(patience):
			t.Fatal("nothing started")
		}
		return nil
	}

	js := next()
	half := len(objects) / 2
	for _, o := range objects[:half] {
		s.put(o.Key, o.Body)
	}
	settled(t, js, published(t, js), half, "memory")
	room := fill(t, c, js)
	for _, o := range objects[half:] {
		s.put(o.Key, o.Body)
	}
	select {
	case err := <-said.errs:
		if _, ok := errors.AsType[*natsserver.StoreError](err); !ok {
			t.Fatalf("the error said is %v, want one about the store", err)
		}
	case err := <-done:
		t.Fatalf("Up ended with %v", err)
	case <-time.After(patience):
		t.Fatal("nobody said that the disk is full")
	}
	room()

	js = next()
	settled(t, js, published(t, js), len(objects), "memory")
	if diff := cmp.Diff(planted(trail), ungrouped(alerts(t, js))); diff != "" {
		t.Errorf("alerts are not what was planted (-planted +alerts):\n%s", diff)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Up ended with %v", err)
	}
}

func TestAnEndIsHeardWhileTheDiskIsFull(t *testing.T) {
	s := newStore(t)
	c := s.config()
	env := testEnv(&memory{})
	said := failures{make(chan error, 100)}
	env.Log = slog.New(said)
	started := make(chan jetstream.JetStream, 100)
	env.Started = func(r Running) { started <- r.JetStream }
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- Up(ctx, c, env) }()
	fill(t, c, <-started)
	select {
	case <-said.errs:
	case <-time.After(patience):
		t.Fatal("nobody said that the disk is full")
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Up ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Up did not end")
	}
}
