package natsserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o natsserver.Options) *natsserver.Server {
	t.Helper()
	s, err := natsserver.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func TestTheStoreOutlivesTheServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "store")
	for run := range uint64(2) {
		s := start(t, natsserver.Options{Dir: dir})
		if s.URL() != "" {
			t.Errorf("a server that listens nowhere has the URL %s", s.URL())
		}
		nc, js, err := streams.Connect("nats://embedded", "test", natstest.Quiet, s.InProcess())
		if err != nil {
			t.Fatal(err)
		}
		if err := streams.Ensure(t.Context(), js, natstest.Limits(), true); err != nil {
			t.Fatal(err)
		}
		ack, err := js.Publish(t.Context(), streams.DeadSubject("test"), []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if ack.Sequence != run+1 {
			t.Errorf("run %d stored sequence %d: the store did not outlive the server", run, ack.Sequence)
		}
		nc.Close()
		s.Stop()
		s.Stop() // again does nothing
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the store has mode %v, %v: it holds records and is nobody else's", info.Mode(), err)
	}
}

func TestWhatCannotStartSaysWhatToDo(t *testing.T) {
	taken := start(t, natsserver.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	address := strings.TrimPrefix(taken.URL(), "nats://")
	used := t.TempDir()
	start(t, natsserver.Options{Dir: used})
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options natsserver.Options
		says    string
	}{
		"an address that is taken":      {natsserver.Options{Dir: t.TempDir(), Listen: address}, "--nats " + taken.URL()},
		"a directory that is in use":    {natsserver.Options{Dir: used}, "--data-dir"},
		"a directory that is a file":    {natsserver.Options{Dir: plain}, "--data-dir"},
		"an address without a port":     {natsserver.Options{Dir: t.TempDir(), Listen: "localhost"}, "host:port"},
		"a port that is none":           {natsserver.Options{Dir: t.TempDir(), Listen: "localhost:high"}, "not a number"},
		"an address of another machine": {natsserver.Options{Dir: t.TempDir(), Listen: "192.0.2.1:4222"}, "--nats-listen"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := natsserver.Start(c.options)
			if err == nil {
				s.Stop()
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Start returned %v, want an error with %q", err, c.says)
			}
		})
	}
}
