package forwarder_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/services/forwarder"
)

// timing hands a sink over at once when its forwarder stops, and leaves one on a
// busy machine to its forwarder.
var timing = lease.Timing{Heartbeat: 50 * time.Millisecond, Fence: 3 * time.Second, Dead: 5 * time.Second}

// patience bounds a wait for something that has to happen. It is below the 60 s
// after which the server hands out again what nobody answered for.
const patience = 50 * time.Second

// sink takes deliveries into a list that tests wait on.
type sink struct {
	mu        sync.Mutex
	got       []string
	sequences []uint64
	more      chan struct{} // closed and replaced when got grows

	// refuse, if it is set, decides on a delivery before it is taken.
	refuse func(ctx context.Context, id string) error
}

func newSink() *sink { return &sink{more: make(chan struct{})} }

func (s *sink) Deliver(ctx context.Context, d forwarder.Delivery) error {
	if s.refuse != nil {
		if err := s.refuse(ctx, d.Alert.ID); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, d.Alert.ID)
	s.sequences = append(s.sequences, d.Sequence)
	close(s.more)
	s.more = make(chan struct{})
	return nil
}

func (s *sink) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// wait returns when the sink has taken n deliveries.
func (s *sink) wait(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		got, more := len(s.got), s.more
		s.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%d deliveries instead of %d: %v", got, n, s.ids())
		}
	}
}

func (s *sink) want(t *testing.T, ids []string) {
	t.Helper()
	s.wait(t, len(ids))
	if diff := cmp.Diff(ids, s.ids()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

// running is a forwarder at work.
type running struct {
	cancel  context.CancelFunc
	done    chan error
	stopped bool
}

func start(t *testing.T, js jetstream.JetStream, holder string, routes ...forwarder.Route) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{cancel: cancel, done: make(chan error, 1)}
	go func() {
		r.done <- forwarder.Run(ctx, js, routes, holder, timing, prometheus.NewRegistry(), natstest.Quiet)
	}()
	t.Cleanup(cancel)
	return r
}

// stop ends a forwarder as a signal does, and waits for it. It may be called
// again.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if r.stopped {
		return
	}
	r.stopped = true
	r.cancel()
	if err := receive(t, r.done, "the end of the forwarder"); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
		panic("unreachable")
	}
}

// publisher numbers the alerts that it publishes: 0, 1, 2, …
type publisher struct {
	js   jetstream.JetStream
	next int
}

func (p *publisher) publish(t *testing.T, n int, level string) []string {
	t.Helper()
	var ids []string
	for range n {
		a := alert.Alert{
			ID: fmt.Sprint(p.next), Revision: 1, State: alert.Ended, Kind: alert.KindDetection,
			Rule: alert.Rule{ID: "id-" + level, Name: "name_" + level, Title: "A rule", Level: level},
		}
		data, err := a.JSON()
		if err != nil {
			t.Fatal(err)
		}
		p.raw(t, level, data)
		ids = append(ids, a.ID)
		p.next++
	}
	return ids
}

func (p *publisher) raw(t *testing.T, level string, data []byte) {
	t.Helper()
	if _, err := p.js.Publish(t.Context(), streams.AlertsSubject(level, "rule", "", "", "-"), data); err != nil {
		t.Fatal(err)
	}
}

func setUp(t *testing.T) (jetstream.JetStream, *publisher) {
	t.Helper()
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	return js, &publisher{js: js}
}

func TestEachRouteGetsWhatItWantsInOrder(t *testing.T) {
	js, p := setUp(t)
	all, high, byID, byName, both := newSink(), newSink(), newSink(), newSink(), newSink()
	var wantAll, wantHigh, wantLow []string
	for range 20 {
		h, l := p.publish(t, 1, "high"), p.publish(t, 2, "low")
		wantAll = slices.Concat(wantAll, h, l)
		wantHigh, wantLow = append(wantHigh, h...), append(wantLow, l...)
	}
	f := start(t, js, "a",
		forwarder.Route{Name: "all", Sink: all},
		forwarder.Route{Name: "high", Sink: high, Match: forwarder.Match{Levels: []string{"high", "critical"}}},
		forwarder.Route{Name: "by id", Sink: byID, Match: forwarder.Match{Rules: []string{"id-low"}}},
		forwarder.Route{Name: "by name", Sink: byName, Match: forwarder.Match{Rules: []string{"other", "name_high"}}},
		forwarder.Route{Name: "level and rule", Sink: both, Match: forwarder.Match{Levels: []string{"low"}, Rules: []string{"id-high"}}},
	)
	all.want(t, wantAll)
	high.want(t, wantHigh)
	byID.want(t, wantLow)
	byName.want(t, wantHigh)
	settled(t, js, "level and rule")
	both.want(t, nil)
	f.stop(t)
	if !slices.IsSorted(all.sequences) || all.sequences[0] != 1 {
		t.Errorf("sequences %v, want those of the stream", all.sequences)
	}
}

// settled waits until nothing is left for a sink.
func settled(t *testing.T, js jetstream.JetStream, name string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		c, err := js.Consumer(t.Context(), streams.Alerts, streams.SinkDurable(name))
		if err == nil {
			if i := c.CachedInfo(); i.NumPending == 0 && i.NumAckPending == 0 {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("sink %s is not done: %v", name, err)
		}
	}
}

func TestASinkThatIsDownHoldsUpNobodyAndMissesNothing(t *testing.T) {
	js, p := setUp(t)
	down, up := newSink(), newSink()
	repaired, tries := make(chan struct{}), make(chan string, 1000)
	down.refuse = func(_ context.Context, id string) error {
		select {
		case <-repaired:
			return nil
		default:
			tries <- id
			return stage.RetryAfter(time.Millisecond, errors.New("down"))
		}
	}
	want := p.publish(t, 50, "high")
	f := start(t, js, "a", forwarder.Route{Name: "down", Sink: down}, forwarder.Route{Name: "up", Sink: up})
	for range 3 {
		if id := receive(t, tries, "a try"); id != want[0] {
			t.Errorf("alert %s was tried before %s was delivered", id, want[0])
		}
	}
	up.want(t, want)
	if got := down.ids(); len(got) > 0 {
		t.Errorf("%v went to a sink that is down", got)
	}
	close(repaired)
	want = append(want, p.publish(t, 5, "high")...)
	down.want(t, want)
	up.want(t, want)
	f.stop(t)
}

func TestAnotherForwarderStandsByAndTakesOver(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, jsA := natstest.Connect(t, s)
	_, jsB := natstest.Connect(t, s)
	p := &publisher{js: jsB}
	a, b := newSink(), newSink()
	first := start(t, jsA, "a", forwarder.Route{Name: "x", Sink: a})
	want := p.publish(t, 10, "high")
	a.want(t, want)
	second := start(t, jsB, "b", forwarder.Route{Name: "x", Sink: b})
	more := p.publish(t, 10, "high")
	a.want(t, slices.Concat(want, more))
	first.stop(t)
	last := p.publish(t, 10, "high")
	b.want(t, last)
	second.stop(t)
	a.want(t, slices.Concat(want, more))
}

// What the first one was holding must not arrive behind what is new.
func TestTheOrderSurvivesTheTakeOver(t *testing.T) {
	ends := map[string]func(*testing.T, *running, func()){
		"from one that stops": func(t *testing.T, r *running, _ func()) { r.stop(t) },
		"from one that is cut off": func(t *testing.T, r *running, cut func()) {
			cut()
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			s := natstest.Start(t, natstest.Limits())
			ncA, jsA := natstest.Connect(t, s)
			_, jsB := natstest.Connect(t, s)
			p := &publisher{js: jsB}
			a, b := newSink(), newSink()
			held := make(chan string, 1)
			a.refuse = func(ctx context.Context, id string) error {
				if id != "3" {
					return nil
				}
				select {
				case held <- id:
				default:
				}
				return stage.RetryAfter(time.Hour, errors.New("down"))
			}
			want := p.publish(t, 200, "high")
			first := start(t, jsA, "a", forwarder.Route{Name: "x", Sink: a})
			receive(t, held, "the try of the fourth alert")
			second := start(t, jsB, "b", forwarder.Route{Name: "x", Sink: b})
			end(t, first, ncA.Close)
			b.want(t, want[3:])
			a.want(t, want[:3])
			first.stop(t)
			second.stop(t)
		})
	}
}

func TestARestartGoesOnWhereItWas(t *testing.T) {
	js, p := setUp(t)
	s := newSink()
	route := forwarder.Route{Name: "x", Sink: s}
	var want []string
	for range 5 {
		f := start(t, js, "a", route)
		want = append(want, p.publish(t, 7, "low")...)
		s.wait(t, len(want)-3) // it is stopped with some of them under way
		f.stop(t)
		want = append(want, p.publish(t, 2, "high")...) // while nobody listens
	}
	f := start(t, js, "a", route)
	s.want(t, want)
	settled(t, js, "x")
	f.stop(t)
	s.want(t, want)
}

func TestANewSinkBeginsWithTheLastDay(t *testing.T) {
	js, p := setUp(t)
	s := newSink()
	want := p.publish(t, 1, "low")
	before := time.Now()
	f := start(t, js, "a", forwarder.Route{Name: "x", Sink: s})
	s.want(t, want)
	after := time.Now()
	config := func() jetstream.ConsumerConfig {
		c, err := js.Consumer(t.Context(), streams.Alerts, streams.SinkDurable("x"))
		if err != nil {
			t.Fatal(err)
		}
		return c.CachedInfo().Config
	}
	c := config()
	if c.DeliverPolicy != jetstream.DeliverByStartTimePolicy || c.OptStartTime == nil {
		t.Fatalf("it begins at %v %v, want a time", c.DeliverPolicy, c.OptStartTime)
	}
	if from := *c.OptStartTime; from.Before(before.AddDate(0, 0, -1)) || from.After(after.AddDate(0, 0, -1)) {
		t.Errorf("it begins at %v, want 24 h before now", from)
	}
	if c.MaxDeliver != -1 || c.AckPolicy != jetstream.AckExplicitPolicy || c.InactiveThreshold != 0 {
		t.Errorf("an alert could get lost: %+v", c)
	}
	f.stop(t)
	f = start(t, js, "a", forwarder.Route{Name: "x", Sink: s})
	want = append(want, p.publish(t, 1, "low")...)
	s.want(t, want)
	f.stop(t)
	if again := config(); !again.OptStartTime.Equal(*c.OptStartTime) {
		t.Errorf("a restart moved the beginning from %v to %v", c.OptStartTime, again.OptStartTime)
	}
}

func TestWhatIsNoAlertBecomesADeadLetter(t *testing.T) {
	js, p := setUp(t)
	s := newSink()
	want := p.publish(t, 1, "low")
	p.raw(t, "low", []byte(`{"id":`))
	want = append(want, p.publish(t, 1, "low")...)
	f := start(t, js, "a", forwarder.Route{Name: "x", Sink: s})
	s.want(t, want)
	f.stop(t)
	if n := natstest.Messages(t, js, streams.Dead); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

// A reader that asked for less than a message has would wait for it for ever,
// and for everything behind it.
func TestAnAlertAsLargeAsTheServerTakesHoldsUpNothing(t *testing.T) {
	js, p := setUp(t)
	want := p.publish(t, 1, "low")
	a := alert.Alert{ID: "large", Revision: 1, State: alert.Ended, Kind: alert.KindDetection, Rule: alert.Rule{ID: "id", Name: "name", Level: "low"}}
	data, err := a.JSON()
	if err != nil {
		t.Fatal(err)
	}
	a.Actor = strings.Repeat("x", streams.MaxPayload-len(data)-1024)
	if data, err = a.JSON(); err != nil {
		t.Fatal(err)
	}
	p.raw(t, "low", data)
	want = append(want, "large")
	want = append(want, p.publish(t, 1, "low")...)
	s := newSink()
	f := start(t, js, "a", forwarder.Route{Name: "x", Sink: s})
	s.want(t, want)
	f.stop(t)
}

// A server that is killed has forgotten the last acknowledgements.
func TestForgottenAcknowledgementsRepeatNothing(t *testing.T) {
	js, p := setUp(t)
	s := newSink()
	want := p.publish(t, 20, "low")
	f := start(t, js, "a", forwarder.Route{Name: "x", Sink: s})
	s.want(t, want)
	f.stop(t)
	durable := streams.SinkDurable("x")
	c, err := js.Consumer(t.Context(), streams.Alerts, durable)
	if err != nil {
		t.Fatal(err)
	}
	config := c.CachedInfo().Config
	if err := js.DeleteConsumer(t.Context(), streams.Alerts, durable); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(t.Context(), streams.Alerts, config); err != nil {
		t.Fatal(err)
	}
	want = append(want, p.publish(t, 3, "low")...)
	f = start(t, js, "b", forwarder.Route{Name: "x", Sink: s})
	s.want(t, want)
	f.stop(t)
}

func TestRunWithoutStreamsFails(t *testing.T) {
	js, _ := setUp(t)
	if err := js.DeleteStream(t.Context(), streams.Alerts); err != nil {
		t.Fatal(err)
	}
	f := start(t, js, "a", forwarder.Route{Name: "x", Sink: newSink()})
	if err := receive(t, f.done, "the end of the forwarder"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("Run returned %v, want %v", err, jetstream.ErrStreamNotFound)
	}
}

// BenchmarkForwarder measures alerts that pass through a sink which costs
// nothing.
func BenchmarkForwarder(b *testing.B) {
	s := natstest.Start(b, natstest.Limits())
	_, js := natstest.Connect(b, s)
	data, err := (alert.Alert{ID: "x", Revision: 1}).JSON()
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		if _, err := js.PublishAsync(streams.AlertsSubject("low", "rule", "", "", "-"), data); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	ctx, cancel := context.WithCancel(b.Context())
	n, done := 0, make(chan error, 1)
	b.ResetTimer()
	go func() {
		done <- forwarder.Run(ctx, js, []forwarder.Route{{Name: "x", Sink: deliverFunc(func() {
			if n++; n == b.N {
				cancel()
			}
		})}}, "a", timing, prometheus.NewRegistry(), natstest.Quiet)
	}()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

type deliverFunc func()

func (f deliverFunc) Deliver(context.Context, forwarder.Delivery) error {
	f()
	return nil
}
