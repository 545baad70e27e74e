package lease_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// calm leaves room between fence and dead for a machine with much else to do.
var calm = lease.Timing{Heartbeat: 50 * time.Millisecond, Fence: 2 * time.Second, Dead: 4 * time.Second}

// patience bounds a wait for something that has to happen, on a machine that has
// other things to do.
const patience = 2 * time.Minute

func bucket(t *testing.T, js jetstream.JetStream) jetstream.KeyValue {
	t.Helper()
	kv, err := lease.Open(t.Context(), js, streams.LeaseBucket)
	if err != nil {
		t.Fatal(err)
	}
	return kv
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

// work reports its start and its end.
type work struct {
	started chan string
	ended   chan string
}

func (w work) as(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		w.started <- name
		<-ctx.Done()
		w.ended <- name
		return ctx.Err()
	}
}

func newWork() work { return work{make(chan string, 8), make(chan string, 8)} }

func TestOneWorksAndTheOtherTakesOverWhenItStops(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	kv := bucket(t, js)
	w := newWork()
	ctxA, stopA := context.WithCancel(t.Context())
	ctxB, stopB := context.WithCancel(t.Context())
	doneA, doneB := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(doneA)
		lease.New(kv, "x", "a", calm, natstest.Quiet, nil).Run(ctxA, w.as("a"))
	}()
	if got := receive(t, w.started, "the start of a"); got != "a" {
		t.Fatalf("%s started", got)
	}
	go func() {
		defer close(doneB)
		lease.New(kv, "x", "b", calm, natstest.Quiet, nil).Run(ctxB, w.as("b"))
	}()
	select {
	case got := <-w.started:
		t.Fatalf("%s started while a held the lease", got)
	case <-time.After(calm.Dead + 10*calm.Heartbeat):
	}
	stopA()
	receive(t, doneA, "the end of a")
	if got := receive(t, w.started, "the start of b"); got != "b" {
		t.Fatalf("%s started", got)
	}
	stopB()
	receive(t, doneB, "the end of b")
}

func TestAHolderThatIsCutOffStopsBeforeAnotherStarts(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	ncA, jsA := natstest.Connect(t, s)
	_, jsB := natstest.Connect(t, s)
	w := newWork()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	go func() {
		lease.New(bucket(t, jsA), "x", "a", calm, natstest.Quiet, nil).Run(ctx, w.as("a"))
		done <- struct{}{}
	}()
	receive(t, w.started, "the start of a")
	go func() {
		lease.New(bucket(t, jsB), "x", "b", calm, natstest.Quiet, nil).Run(ctx, w.as("b"))
		done <- struct{}{}
	}()
	ncA.Close()
	if got := receive(t, w.ended, "the end of a"); got != "a" {
		t.Fatalf("%s ended", got)
	}
	select {
	case got := <-w.started:
		t.Fatalf("%s started before a had been stopped for long enough", got)
	default:
	}
	if got := receive(t, w.started, "the start of b"); got != "b" {
		t.Fatalf("%s started", got)
	}
	stop()
	receive(t, done, "an end")
	receive(t, done, "an end")
}

func TestWorkThatFailsIsTriedAgain(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	tries := 0
	lease.New(bucket(t, js), "x", "a", calm, natstest.Quiet, nil).Run(t.Context(), func(context.Context) error {
		if tries++; tries < 3 {
			return errors.New("broken")
		}
		return nil
	})
	if tries != 3 {
		t.Errorf("work was tried %d times, want 3", tries)
	}
}
