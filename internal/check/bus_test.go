package check_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
)

// taken is an address that somebody listens at.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// start runs a nats-server as others run it.
func start(t *testing.T, change func(*server.Options)) string {
	t.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(), MaxPayload: streams.MaxPayload,
	}
	change(o)
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}

func TestAnEmbeddedServerHasWhatItNeeds(t *testing.T) {
	isolate(t)
	c := config(t)
	expect(t, run(t, c)["NATS"], "✓ store: "+c.DataDir+": room for ", "✓ address: nats://127.0.0.1:0 is free")
	if _, err := os.Stat(filepath.Dir(c.DataDir)); !os.IsNotExist(err) {
		t.Errorf("a check made the data directory (%v)", err)
	}
}

func TestWhatAnEmbeddedServerLacksIsSaid(t *testing.T) {
	isolate(t)
	address := taken(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*app.Config)
		want   []string
	}{
		{"a free address", func(c *app.Config) { c.NATS.Listen = address },
			[]string{"✓ store: ", "✗ address: " + address + " is in use, perhaps by a NATS server: use that one with --nats"}},
		{"an address", func(c *app.Config) { c.NATS.Listen = "localhost" },
			[]string{"✓ store: ", `✗ address: NATS listen address "localhost": `}},
		{"a directory", func(c *app.Config) { c.DataDir = filepath.Join(file, "trailbell") },
			[]string{"✗ store: is a file, not a directory; choose another with --data-dir", `- address: needs "store"`}},
		{"room", func(c *app.Config) { c.Streams.Events = 1 << 50 },
			[]string{"✗ store: and the streams may take 1.0 PiB; free some", `- address: needs "store"`}},
		{"nothing, as it need not listen", func(c *app.Config) { c.NATS.Listen = "" },
			[]string{"✓ store: ", "✓ address: none: other programs cannot subscribe"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := config(t)
			c.change(&config)
			expect(t, run(t, config)["NATS"], c.want...)
		})
	}
}

func TestATrailbellThatRunsIsNoFailure(t *testing.T) {
	isolate(t)
	c := config(t)
	c.HTTP = taken(t)
	s, err := natsserver.Start(natsserver.Options{Dir: c.DataDir, Listen: c.NATS.Listen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	all := run(t, c)
	expect(t, all["NATS"], "! store: is used by a trailbell that runs already", "- address: is, or will be, that trailbell's")
	expect(t, all["Configuration"], "✓ file: ", "✓ alerts: ", "! metrics: "+c.HTTP+" is in use")
	// Nor does the check keep it from being started again.
	s.Stop()
	again, err := natsserver.Start(natsserver.Options{Dir: c.DataDir, Listen: c.NATS.Listen})
	if err != nil {
		t.Fatal(err)
	}
	again.Stop()
}

func TestAnotherServerIsLookedAtAndLeftAlone(t *testing.T) {
	isolate(t)
	c := config(t)
	c.NATS.URL = start(t, func(*server.Options) {})
	for range 2 { // the second time as the first: nothing was created
		expect(t, run(t, c)["NATS"],
			"✓ server: runs nats-server "+server.VERSION+" and takes messages of 8.0 MiB",
			"✓ jetstream: on, 0 B stored",
			"✓ streams: 6 streams to be created: KEYS, BATCHES, EVENTS and 3 more",
		)
	}
}

func TestStreamsThatAreThereAreCompared(t *testing.T) {
	isolate(t)
	c := config(t)
	s := natstest.Start(t, natstest.Limits())
	c.NATS.URL = s.URL()
	expect(t, run(t, c)["NATS"], "✓ server: ", "✓ jetstream: ", "✓ streams: all there, and compatible")

	c.Streams.Partitions++
	expect(t, run(t, c)["NATS"], "✓ server: ", "✓ jetstream: ", "✗ streams: stream MATCHES exists and is not one that this version can use")
	c.Streams.Partitions--

	_, js := natstest.Connect(t, s)
	if err := js.DeleteStream(t.Context(), streams.Dead); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: streams.Dead, Subjects: []string{"somebody.elses"}}); err != nil {
		t.Fatal(err)
	}
	expect(t, run(t, c)["NATS"], "✓ server: ", "✓ jetstream: ", "✗ streams: stream DEAD exists and is not one that this version can use")
}

func TestWhatAnotherServerLacksIsSaid(t *testing.T) {
	isolate(t)
	for _, c := range []struct {
		name   string
		change func(*server.Options)
		want   []string
	}{
		{"JetStream", func(o *server.Options) { o.JetStream = false },
			[]string{"✓ server: ", "✗ jetstream: JetStream is off on this server; write `jetstream {}`", `- streams: needs "jetstream"`}},
		{"messages that are large enough", func(o *server.Options) { o.MaxPayload = 1 << 20 },
			[]string{"✗ server: accepts messages of 1048576 bytes", `- jetstream: needs "server"`, `- streams: needs "server"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := config(t)
			config.NATS.URL = start(t, c.change)
			expect(t, run(t, config)["NATS"], c.want...)
		})
	}
	c := config(t)
	c.NATS.URL = "nats://me:secret@127.0.0.1:1"
	expect(t, run(t, c)["NATS"],
		"✗ server: NATS at nats://me:xxxxx@127.0.0.1:1: ", `- jetstream: needs "server"`, `- streams: needs "server"`)
}
