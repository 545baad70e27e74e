package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/services/forwarder"
)

var crashRuns = flag.Int("crash-runs", 5, "how many runs with crashes, each with a seed of its own")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Idle connections of the S3 client's pool live as long as the process.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

const (
	patience = 2 * time.Minute
	bucket   = "trail"
)

// store is an S3 server in this process.
type store struct {
	t        testing.TB
	backend  gofakes3.Backend
	endpoint string
}

func newStore(t testing.TB) *store {
	t.Helper()
	isolate(t)
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	quiet := gofakes3.WithLogger(gofakes3.StdLog(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(gofakes3.New(backend, quiet).Server())
	t.Cleanup(server.Close)
	return &store{t, backend, server.URL}
}

// isolate keeps the credentials of whoever runs the tests out of them.
func isolate(t testing.TB) {
	t.Helper()
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
}

func (s *store) put(key string, body []byte) {
	s.t.Helper()
	_, err := s.backend.PutObject(bucket, key, nil, bytes.NewReader(body), int64(len(body)), nil)
	if err != nil {
		s.t.Fatal(err)
	}
}

// grow lays out a trail of the last two hours with everything planted.
func grow(t testing.TB, seed uint64, records int) *generator.Trail {
	t.Helper()
	end := time.Now().UTC().Truncate(time.Minute)
	trail, err := generator.New(generator.Options{
		Seed: seed, Records: records, Start: end.Add(-2 * time.Hour), End: end,
		Accounts: []string{"111122223333", "444455556666"}, Regions: []string{"eu-west-1", "us-east-1"},
		Attacks: generator.Attacks(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return trail
}

// config of a test: small batches, so that there are many messages.
func (s *store) config() Config {
	c := DefaultConfig()
	l := natstest.Limits()
	c.DataDir = filepath.Join(s.t.TempDir(), "store")
	c.NATS.Listen, c.HTTP = "127.0.0.1:0", ""
	c.Streams = Streams{
		Keys: Size(l.Keys), Batches: Size(l.Batches), Events: Size(l.Events), Matches: Size(l.Matches),
		Alerts: Size(l.Alerts), Dead: Size(l.Dead), Partitions: l.Partitions, Replicas: 1,
	}
	c.Lister.Interval = Duration(50 * time.Millisecond)
	c.Lister.Buckets = []Bucket{{Bucket: s3.Bucket{Name: bucket, Endpoint: s.endpoint}}}
	c.Fetcher.Batch = 16 << 10
	c.Correlator.Coalesce = Duration(20 * time.Millisecond)
	c.Forwarder.Sinks = nil
	return c
}

// fast leases, so that a crash does not hold a test up for long. They leave work
// on a busy machine to whoever holds it.
var fast = lease.Timing{Heartbeat: 50 * time.Millisecond, Fence: 3 * time.Second, Dead: 5 * time.Second}

// memory is a sink that keeps what it was given.
type memory struct {
	mu  sync.Mutex
	got []alert.Alert
}

func (m *memory) Deliver(_ context.Context, d forwarder.Delivery) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got = append(m.got, d.Alert)
	return nil
}

func testEnv(sink forwarder.Sink) Env {
	return Env{
		Log: slog.New(slog.DiscardHandler), Out: io.Discard, Err: io.Discard, Timing: fast,
		Sinks: []forwarder.Route{{Name: "memory", Sink: sink}},
	}
}

// found is what two runs have to agree on.
type found struct {
	Rule, Group string
	First, Last time.Time
	Events      string
}

// alerts reads ALERTS and checks what holds for every alert in any run. It
// returns what the living ones say.
func alerts(t *testing.T, js jetstream.JetStream) []found {
	t.Helper()
	s, err := js.Stream(t.Context(), streams.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]alert.Alert{}
	for next := uint64(1); ; {
		m, err := s.GetMsg(t.Context(), next, jetstream.WithGetMsgSubject(streams.AllAlerts))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		a, err := alert.Parse(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := last[a.ID]; ok && a.AsOf.Compare(before.AsOf) < 0 {
			t.Errorf("as_of of alert %s fell from %v to %v", a.ID, before.AsOf, a.AsOf)
		}
		if a.Revision != last[a.ID].Revision+1 {
			t.Errorf("revision %d of alert %s follows revision %d", a.Revision, a.ID, last[a.ID].Revision)
		}
		last[a.ID] = a
		next = m.Sequence + 1
	}
	return living(maps.Values(last))
}

func living(all func(func(alert.Alert) bool)) []found {
	var fs []found
	for a := range all {
		if !a.State.Living() {
			continue
		}
		group, err := json.Marshal(a.Group)
		if err != nil {
			panic(err)
		}
		fs = append(fs, found{a.Rule.Name, string(group), a.FirstSeen, a.LastSeen, strings.Join(a.EventIDs, " ")})
	}
	return sorted(fs)
}

func sorted(fs []found) []found {
	slices.SortFunc(fs, func(a, b found) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return fs
}

// planted is what a trail has to ring, without the groups.
func planted(trail *generator.Trail) []found {
	var fs []found
	for _, p := range trail.Planted() {
		fs = append(fs, found{Rule: p.Rule, First: p.First, Last: p.Last, Events: strings.Join(p.EventIDs, " ")})
	}
	return sorted(fs)
}

func ungrouped(fs []found) []found {
	all := slices.Clone(fs)
	for i := range all {
		all[i].Group = ""
	}
	return sorted(all)
}

// settled waits until n objects have gone all the way, to the sinks named.
func settled(t *testing.T, js jetstream.JetStream, fetched func() int, n int, sinks ...string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		all := fetched() >= n // before: what is listed later is not drained yet
		done, err := Drained(t.Context(), js, sinks)
		if err == nil && done && all {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not settled: %d of %d objects listed, drained %v, %v", fetched(), n, done, err)
		}
	}
}

func TestABucketInAlertsOut(t *testing.T) {
	s := newStore(t)
	trail := grow(t, 1, 3000)
	objects := slices.Collect(trail.Objects())
	// One file arrives late, and its name sorts before some that are known.
	late := objects[len(objects)/2]
	for _, o := range objects {
		if o.Key != late.Key {
			s.put(o.Key, o.Body)
		}
	}
	sink := &memory{}
	env := testEnv(sink)
	js := make(chan jetstream.JetStream, 1)
	env.Started = func(r Running) { js <- r.JetStream }
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Up(ctx, s.config(), env) }()
	var stream jetstream.JetStream
	select {
	case stream = <-js:
	case err := <-done:
		t.Fatalf("Up ended with %v", err)
	}
	settled(t, stream, published(t, stream), len(objects)-1, "memory")
	s.put(late.Key, late.Body)
	settled(t, stream, published(t, stream), len(objects), "memory")

	got := alerts(t, stream)
	if diff := cmp.Diff(planted(trail), ungrouped(got)); diff != "" {
		t.Errorf("alerts are not what was planted (-planted +alerts):\n%s", diff)
	}
	last := map[string]alert.Alert{}
	for _, a := range sink.got {
		last[a.ID] = a
	}
	if diff := cmp.Diff(got, living(maps.Values(last))); diff != "" {
		t.Errorf("the sink was told something else (-stream +sink):\n%s", diff)
	}
	if n := natstest.Messages(t, stream, streams.Dead); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Up ended with %v", err)
	}
}

func TestUpWithThePrefixOfNothingNamesTheOneThereIs(t *testing.T) {
	s := newStore(t)
	for o := range grow(t, 1, 3000).Objects() {
		s.put("company/"+o.Key, o.Body)
		break
	}
	err := Up(t.Context(), s.config(), testEnv(&memory{}))
	if err == nil || !strings.Contains(err.Error(), `--prefix "company"`) {
		t.Errorf("Up ended with %v, want it to name the prefix", err)
	}
}

func TestARestartGoesOnWhereItWas(t *testing.T) {
	s := newStore(t)
	trail := grow(t, 2, 2000)
	objects := slices.Collect(trail.Objects())
	c := s.config()
	for i, part := range [][]generator.Object{objects[:len(objects)/2], objects[len(objects)/2:]} {
		for _, o := range part {
			s.put(o.Key, o.Body)
		}
		env := testEnv(&memory{})
		js := make(chan jetstream.JetStream, 1)
		env.Started = func(r Running) { js <- r.JetStream }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Up(ctx, c, env) }()
		stream := <-js
		want := len(objects) / 2
		if i == 1 {
			want = len(objects)
		}
		settled(t, stream, published(t, stream), want, "memory")
		if i == 1 {
			if n := published(t, stream)(); n != len(objects) {
				t.Errorf("%d objects were published, want %d: each once", n, len(objects))
			}
			if diff := cmp.Diff(planted(trail), ungrouped(alerts(t, stream))); diff != "" {
				t.Errorf("alerts are not what was planted (-planted +alerts):\n%s", diff)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("Up ended with %v", err)
		}
	}
}

// fleet is a number of services with connections of their own, on a server that
// outlives them.
type fleet struct {
	t      *testing.T
	config Config
	sink   *memory
	bus    *bus
}

// process is one running service.
type process struct {
	name   string
	nc     *nats.Conn
	cancel context.CancelFunc
	done   chan struct{}
}

// kill ends a process as kill -9 does: nothing more gets out, no answer, no
// publish, no lease given up.
func (p *process) kill() {
	p.nc.Close()
	p.cancel()
	<-p.done
}

// stop ends a process as SIGTERM does.
func (p *process) stop() {
	p.cancel()
	<-p.done
	p.nc.Close()
}

func (f *fleet) start(name string) *process {
	f.t.Helper()
	a := newAssembly(f.config, testEnv(f.sink))
	if name == "correlator" {
		if err := a.loadRules(a.logRuleError); err != nil {
			f.t.Fatal(err)
		}
	}
	nc, js, err := f.bus.connect(name)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{name: name, nc: nc, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if err := a.service(ctx, name, js); err != nil && ctx.Err() == nil && !nc.IsClosed() {
			f.t.Errorf("%s ended with %v", name, err)
		}
	}()
	return p
}

func newFleet(t *testing.T, s *store) (*fleet, jetstream.JetStream) {
	t.Helper()
	server := natstest.Start(t, natstest.Limits())
	c := s.config()
	c.NATS.URL = server.URL()
	b, err := openBus(t.Context(), c, natstest.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, js := natstest.Connect(t, server)
	// What a dead process held comes again after a second, not after thirty.
	for stream, durable := range map[string]string{
		streams.Keys: streams.FetcherDurable, streams.Batches: streams.DecoderDurable, streams.Events: streams.MatcherDurable,
	} {
		consumer, err := js.Consumer(t.Context(), stream, durable)
		if err != nil {
			t.Fatal(err)
		}
		cc := consumer.CachedInfo().Config
		cc.AckWait = time.Second
		if _, err := js.UpdateConsumer(t.Context(), stream, cc); err != nil {
			t.Fatal(err)
		}
	}
	return &fleet{t: t, config: c, sink: &memory{}, bus: b}, js
}

// published counts the references that KEYS has ever held: one an object.
func published(t *testing.T, js jetstream.JetStream) func() int {
	return func() int {
		s, err := js.Stream(t.Context(), streams.Keys)
		if err != nil {
			t.Fatal(err)
		}
		return int(s.CachedInfo().State.LastSeq)
	}
}

func TestServicesAsProcesses(t *testing.T) {
	s := newStore(t)
	trail := grow(t, 3, 3000)
	n := 0
	for o := range trail.Objects() {
		s.put(o.Key, o.Body)
		n++
	}
	f, js := newFleet(t, s)
	var all []*process
	for _, name := range append(slices.Clone(Services), "fetcher", "decoder", "correlator", "lister", "forwarder") {
		all = append(all, f.start(name))
	}
	settled(t, js, published(t, js), n, "memory")
	for _, p := range all {
		p.stop()
	}
	if diff := cmp.Diff(planted(trail), ungrouped(alerts(t, js))); diff != "" {
		t.Errorf("alerts are not what was planted (-planted +alerts):\n%s", diff)
	}
}

// TestCrashesChangeNothing kills services at random moments, at any step of
// theirs, and compares with what a run in peace has to find.
func TestCrashesChangeNothing(t *testing.T) {
	for seed := range uint64(*crashRuns) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			s := newStore(t)
			trail := grow(t, 100+seed, 2500)
			n := 0
			for o := range trail.Objects() {
				s.put(o.Key, o.Body)
				n++
			}
			f, js := newFleet(t, s)
			running := map[string]*process{}
			for _, name := range Services {
				running[name] = f.start(name)
			}
			for range 25 {
				victim := Services[random.IntN(len(Services))]
				pause(t, time.Duration(random.IntN(60))*time.Millisecond)
				running[victim].kill()
				running[victim] = f.start(victim)
			}
			// What a dead forwarder held comes again after a minute: the stream
			// is what is compared.
			settled(t, js, published(t, js), n)
			for _, p := range running {
				p.stop()
			}
			if diff := cmp.Diff(planted(trail), ungrouped(alerts(t, js))); diff != "" {
				t.Errorf("alerts are not what was planted (-planted +alerts):\n%s", diff)
			}
			if n := natstest.Messages(t, js, streams.Dead); n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// pause lets the services run for a while: the moment of a crash is what is
// random here.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
