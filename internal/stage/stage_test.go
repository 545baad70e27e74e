package stage_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a wait for something that has to happen. It is below the 60 s
// after which the server hands out again what nobody answered for.
const patience = 50 * time.Second

func metrics(t *testing.T) *stage.Metrics {
	t.Helper()
	return stage.NewMetrics(prometheus.NewRegistry(), "fetcher", streams.Batches)
}

// start runs a stage on KEYS until the returned function is called.
func start(t *testing.T, js jetstream.JetStream, f stage.Func, change ...func(*stage.Config)) (stop func()) {
	t.Helper()
	c := stage.Config{
		Name: "fetcher", Stream: streams.Keys, Durable: streams.FetcherDurable, Workers: 2,
		Metrics: metrics(t), Log: natstest.Quiet, Grace: time.Second,
	}
	for _, ch := range change {
		ch(&c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- stage.Run(ctx, js, c, f) }()
	return func() {
		t.Helper()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(patience):
			t.Fatal("Run did not return after its context ended")
		}
	}
}

func feed(t *testing.T, js jetstream.JetStream, bodies ...string) {
	t.Helper()
	src := stage.NewSource(js, "lister", stage.NewMetrics(prometheus.NewRegistry(), "lister", streams.Keys), natstest.Quiet)
	var ps []stage.Publication
	for _, b := range bodies {
		ps = append(ps, stage.Publication{Stream: streams.Keys, Subject: streams.KeysSubject("b"), ID: streams.ObjectID("b", b), Data: []byte(b)})
	}
	if err := src.Publish(t.Context(), ps); err != nil {
		t.Fatal(err)
	}
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

// eventually waits until a stream holds n messages.
func eventually(t *testing.T, js jetstream.JetStream, stream string, n uint64) {
	t.Helper()
	deadline := time.After(patience)
	for natstest.Messages(t, js, stream) != n {
		select {
		case <-deadline:
			t.Fatalf("%s holds %d messages, want %d", stream, natstest.Messages(t, js, stream), n)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAnInputIsGoneOnceWhatItCausedIsStored(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := start(t, js, func(ctx context.Context, m stage.Message, out *stage.Output) error {
		for i := range 20 { // more than the window of publishes
			id := streams.BatchID(m.ID, uint64(i), 1)
			if err := out.Emit(ctx, stage.Publication{Stream: streams.Batches, Subject: streams.BatchesSubject("", ""), ID: id, Data: m.Data}); err != nil {
				return err
			}
		}
		return nil
	})
	feed(t, js, "one", "two", "one")
	eventually(t, js, streams.Batches, 40)
	eventually(t, js, streams.Keys, 0)
	stop()
}

func TestAPermanentErrorBecomesADeadLetterWithItsInput(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := start(t, js, func(context.Context, stage.Message, *stage.Output) error {
		return stage.Permanent(errors.New("no such thing"))
	})
	feed(t, js, "one")
	eventually(t, js, streams.Keys, 0)
	eventually(t, js, streams.Dead, 1)
	stop()
	d := lastDead(t, js)
	if d.GetReason() != "no such thing" || d.GetStage() != "fetcher" || string(d.GetInput()) != "one" || d.GetStream() != streams.Keys || d.GetSequence() != 1 {
		t.Errorf("dead letter is %v", d)
	}
}

// TestWhatIsTooLargeForItsStreamIsDead: the server may take more than the
// stream does, and would refuse the message each time it is tried again.
func TestWhatIsTooLargeForItsStreamIsDead(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	config := must(js.Stream(t.Context(), streams.Batches)).CachedInfo().Config
	config.MaxMsgSize = 1 << 10
	must(js.UpdateStream(t.Context(), config))
	stop := start(t, js, func(ctx context.Context, m stage.Message, out *stage.Output) error {
		for i, size := range []int{1, 2 << 10, 2, 3 << 10, 3} {
			id := streams.BatchID(m.ID, uint64(i), uint32(size))
			if err := out.Emit(ctx, stage.Publication{Stream: streams.Batches, Subject: streams.BatchesSubject("", ""), ID: id, Data: make([]byte, size)}); err != nil {
				return err
			}
		}
		return nil
	})
	feed(t, js, "a")
	eventually(t, js, streams.Keys, 0)
	eventually(t, js, streams.Dead, 1)
	eventually(t, js, streams.Batches, 3)
	stop()
}

func TestAnInputThatMakesTheStagePanicIsDead(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := start(t, js, func(_ context.Context, m stage.Message, _ *stage.Output) error {
		if string(m.Data) == "bad" {
			panic("no such thing")
		}
		return nil
	})
	feed(t, js, "bad", "good")
	eventually(t, js, streams.Keys, 0)
	eventually(t, js, streams.Dead, 1)
	stop()
}

func TestADeadLetterOfAPartLeavesTheRest(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := start(t, js, func(ctx context.Context, m stage.Message, out *stage.Output) error {
		for _, offset := range []uint64{7, 9} {
			if err := out.Dead(ctx, &trailbellv1.DeadLetter{Reason: "bad record", Offset: proto.Uint64(offset)}); err != nil {
				return err
			}
		}
		return out.Emit(ctx, stage.Publication{Stream: streams.Batches, Subject: streams.BatchesSubject("", ""), ID: "x", Data: m.Data})
	})
	feed(t, js, "one")
	eventually(t, js, streams.Dead, 2)
	eventually(t, js, streams.Batches, 1)
	eventually(t, js, streams.Keys, 0)
	stop()
}

// TestEachThingThatIsWrongWithAPartIsALetter: and once, however often it is tried.
func TestEachThingThatIsWrongWithAPartIsALetter(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	var tries atomic.Int32
	stop := start(t, js, func(ctx context.Context, m stage.Message, out *stage.Output) error {
		for _, reason := range []string{"too long", "too wide"} {
			if err := out.Dead(ctx, &trailbellv1.DeadLetter{Reason: reason, Offset: proto.Uint64(7)}); err != nil {
				return err
			}
		}
		// What is wrong with the whole is a letter, however it is put.
		if err := out.Dead(ctx, &trailbellv1.DeadLetter{Reason: fmt.Sprint("denied, request ", tries.Load())}); err != nil {
			return err
		}
		if tries.Add(1) < 3 {
			return stage.RetryAfter(time.Millisecond, errors.New("busy"))
		}
		return nil
	})
	feed(t, js, "one")
	eventually(t, js, streams.Keys, 0) // the letters are stored before
	stop()
	if n := natstest.Messages(t, js, streams.Dead); n != 3 || tries.Load() != 3 {
		t.Errorf("%d letters after %d tries, want 3 after 3", n, tries.Load())
	}
}

func lastDead(t *testing.T, js jetstream.JetStream) *trailbellv1.DeadLetter {
	t.Helper()
	st, err := js.Stream(t.Context(), streams.Dead)
	if err != nil {
		t.Fatal(err)
	}
	m, err := st.GetLastMsgForSubject(t.Context(), streams.AllDead)
	if err != nil {
		t.Fatal(err)
	}
	var d trailbellv1.DeadLetter
	if err := proto.Unmarshal(m.Data, &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestATransientErrorIsTriedAgainWithoutANewDelivery(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	var tries atomic.Int32
	stop := start(t, js, func(context.Context, stage.Message, *stage.Output) error {
		if tries.Add(1) < 4 {
			return stage.RetryAfter(time.Millisecond, errors.New("busy"))
		}
		return nil
	})
	feed(t, js, "one")
	eventually(t, js, streams.Keys, 0)
	stop()
	if n := tries.Load(); n != 4 {
		t.Errorf("tried %d times, want 4", n)
	}
	c, err := js.Consumer(t.Context(), streams.Keys, streams.FetcherDurable)
	if err != nil {
		t.Fatal(err)
	}
	if n := c.CachedInfo().Delivered.Consumer; n != 1 {
		t.Errorf("delivered %d times, want 1", n)
	}
}

func TestAFailingInputDoesNotHoldUpOthers(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	stop := start(t, js, func(_ context.Context, m stage.Message, _ *stage.Output) error {
		if string(m.Data) == "bad" {
			return stage.RetryAfter(time.Hour, errors.New("busy"))
		}
		return nil
	}, func(c *stage.Config) { c.Workers = 1 })
	feed(t, js, "bad", "one", "two", "three")
	eventually(t, js, streams.Keys, 1)
	stop()
}

func TestAFullQueueMakesTheStageWait(t *testing.T) {
	limits := natstest.Limits()
	limits.Batches = 64 << 10
	s := natstest.Start(t, limits)
	_, js := natstest.Connect(t, s)
	body := make([]byte, 10<<10)
	stop := start(t, js, func(ctx context.Context, m stage.Message, out *stage.Output) error {
		for i := range 20 {
			p := stage.Publication{Stream: streams.Batches, Subject: streams.BatchesSubject("", ""), ID: fmt.Sprint(m.ID, i), Data: body}
			if err := out.Emit(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	feed(t, js, "one", "two")
	// Drain BATCHES by hand: everything comes through, in spite of the bound.
	c, err := js.Consumer(t.Context(), streams.Batches, streams.DecoderDurable)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for len(ids) < 40 {
		m, err := c.Next(jetstream.FetchMaxWait(patience))
		if err != nil {
			t.Fatalf("after %d messages: %v", len(ids), err)
		}
		ids[m.Headers().Get(jetstream.MsgIDHeader)] = true
		if err := m.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, js, streams.Keys, 0)
	stop()
}

func TestAProcessThatDiesLosesNothing(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	kv, err := js.Stream(t.Context(), streams.Keys)
	if err != nil {
		t.Fatal(err)
	}
	// The test need not wait for the usual thirty seconds.
	cfg := must(kv.Consumer(t.Context(), streams.FetcherDurable)).CachedInfo().Config
	cfg.AckWait = time.Second
	must(kv.UpdateConsumer(t.Context(), cfg))

	nc, victim := natstest.Connect(t, s)
	working := make(chan struct{}, 1)
	stop := start(t, victim, func(ctx context.Context, _ stage.Message, _ *stage.Output) error {
		working <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}, func(c *stage.Config) { c.Grace = time.Millisecond })
	feed(t, js, "one")
	receive(t, working)
	nc.Close() // no answer leaves this process any more
	stop()

	stop = start(t, js, func(context.Context, stage.Message, *stage.Output) error { return nil })
	eventually(t, js, streams.Keys, 0)
	stop()
}

func TestAStoppingStageGivesBackWhatItHolds(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	working := make(chan struct{}, 4)
	stop := start(t, js, func(ctx context.Context, _ stage.Message, _ *stage.Output) error {
		working <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}, func(c *stage.Config) { c.Grace = time.Millisecond })
	feed(t, js, "one", "two", "three")
	receive(t, working)
	stop()
	// Another takes them at once: long before AckWait.
	stop = start(t, js, func(context.Context, stage.Message, *stage.Output) error { return nil })
	eventually(t, js, streams.Keys, 0)
	stop()
}

func TestAStageWhoseServerIsGoneEndsAsFast(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	nc, js := natstest.Connect(t, s)
	worked := make(chan struct{})
	end := start(t, js, func(context.Context, stage.Message, *stage.Output) error {
		close(worked)
		return nil
	})
	feed(t, js, "a")
	receive(t, worked)
	lost := nc.StatusChanged(nats.RECONNECTING)
	s.Stop()
	receive(t, lost)
	since := time.Now()
	end()
	// With the connection down a drain would take ten.
	if took := time.Since(since); took > 9*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAGateHoldsPublishersWhileItsReaderIsBehind(t *testing.T) {
	limits := natstest.Limits()
	limits.Events = 1 << 20
	s := natstest.Start(t, limits)
	_, js := natstest.Connect(t, s)
	gate := must(stage.ConsumerGate(t.Context(), js, streams.Events, streams.MatcherDurable, func(n uint64) { t.Errorf("%d messages lost", n) }))
	body := make([]byte, 32<<10)
	stop := start(t, js, func(ctx context.Context, m stage.Message, out *stage.Output) error {
		for i := range 128 { // four times the stream
			p := stage.Publication{Stream: streams.Events, Subject: streams.EventsSubject("", ""), ID: fmt.Sprint(m.ID, i), Data: body}
			if err := out.Emit(ctx, p); err != nil {
				return err
			}
		}
		return nil
	}, func(c *stage.Config) {
		c.Gates = map[string]*stage.Gate{streams.Events: gate}
		c.Metrics = stage.NewMetrics(prometheus.NewRegistry(), "decoder", streams.Events)
	})
	feed(t, js, "one")
	c := must(js.Consumer(t.Context(), streams.Events, streams.MatcherDurable))
	for want := uint64(1); want <= 128; want++ {
		m, err := c.Next(jetstream.FetchMaxWait(patience))
		if err != nil {
			t.Fatalf("message %d: %v", want, err)
		}
		if got := must(m.Metadata()).Sequence.Stream; got != want {
			t.Fatalf("the reader saw sequence %d, want %d: the stream dropped what was not read", got, want)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, js, streams.Keys, 0)
	stop()
}

func TestAGateLetsALargeMessageThroughWhenNothingIsBehind(t *testing.T) {
	limits := natstest.Limits()
	limits.Events = 1 << 20
	s := natstest.Start(t, limits)
	_, js := natstest.Connect(t, s)
	gate := must(stage.ConsumerGate(t.Context(), js, streams.Events, streams.MatcherDurable, func(n uint64) { t.Errorf("%d messages lost", n) }))
	must(js.Publish(t.Context(), streams.EventsSubject("", ""), make([]byte, 16<<10)))
	const large = 100 << 10 // more than a publisher's part of a quarter of the stream

	behind, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := gate.Wait(behind, large); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a reader behind it answered %v", err)
	}
	msg := must(must(js.Consumer(t.Context(), streams.Events, streams.MatcherDurable)).Next())
	if err := msg.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	through, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := gate.Wait(through, large); err != nil {
		t.Errorf("with a reader that is through it answered %v", err)
	}
}

func TestAGateTellsWhatWasLost(t *testing.T) {
	limits := natstest.Limits()
	limits.Events = 1 << 20
	s := natstest.Start(t, limits)
	_, js := natstest.Connect(t, s)
	var lost uint64
	gate := must(stage.ConsumerGate(t.Context(), js, streams.Events, streams.MatcherDurable, func(n uint64) { lost += n }))
	// Somebody who does not know the gate fills the stream.
	for range 100 {
		must(js.Publish(t.Context(), streams.EventsSubject("", ""), make([]byte, 32<<10)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := gate.Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the gate of a stream whose reader is far behind answered %v", err)
	}
	first := must(js.Stream(t.Context(), streams.Events)).CachedInfo().State.FirstSeq
	if lost != first-1 {
		t.Errorf("%d messages were told to be lost, want %d", lost, first-1)
	}
}

// A group is one, whatever the level and the name of its rule have become.
func TestCompareAndSetRefusesTheSecond(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	m := stage.NewMetrics(prometheus.NewRegistry(), "correlator", streams.Alerts)
	write := func(level, rule string, last uint64) (uint64, error) {
		p := stage.Publication{Stream: streams.Alerts, Subject: streams.AlertsSubject(level, rule, "", "", "g"), Data: []byte("{}")}
		return stage.CompareAndSet(t.Context(), js, m, p, streams.GroupAlerts("", "", "g"), last)
	}
	first, err := write("high", "r", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range []string{"high", "low"} {
		if _, err := write(level, "r", 0); !errors.Is(err, stage.ErrConflict) {
			t.Errorf("a second write with the same expectation at level %s returned %v, want ErrConflict", level, err)
		}
	}
	second, err := write("low", "renamed", first)
	if err != nil {
		t.Errorf("a write that expects the first: %v", err)
	}
	if _, err := write("high", "r", second); err != nil {
		t.Errorf("a write that expects the second: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
