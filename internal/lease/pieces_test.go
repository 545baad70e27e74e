package lease_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/natsserver"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/streams"
)

// faithful never takes anybody for dead, so that what happens did not need it.
var faithful = lease.Timing{Heartbeat: 50 * time.Millisecond, Fence: time.Hour / 2, Dead: time.Hour}

const key = "pieces"

// A board shows who is at work on which piece.
type board struct {
	mu      sync.Mutex
	at      []map[string]bool // of each piece
	changed chan struct{}     // closed with the next change
	overlap string            // the first time that two were at work on one piece
}

func newBoard(n int) *board {
	b := &board{at: make([]map[string]bool, n), changed: make(chan struct{})}
	for i := range b.at {
		b.at[i] = map[string]bool{}
	}
	return b
}

func (b *board) set(piece int, name string, working bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if working {
		b.at[piece][name] = true
	} else {
		delete(b.at[piece], name)
	}
	if len(b.at[piece]) > 1 && b.overlap == "" {
		b.overlap = fmt.Sprintf("%v are at work on piece %d", slices.Sorted(maps.Keys(b.at[piece])), piece)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// loads returns how many pieces each works on, and whether each piece has one
// process at work on it.
func (b *board) loads() (loads map[string]int, whole bool, changed chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	loads, whole = map[string]int{}, true
	for _, names := range b.at {
		whole = whole && len(names) == 1
		for name := range names {
			loads[name]++
		}
	}
	return loads, whole, b.changed
}

// await waits until each piece is worked on once, and by the processes as want
// says: the number of pieces of each, in no order of the processes.
func (b *board) await(t *testing.T, want ...int) {
	t.Helper()
	b.awaitThat(t, fmt.Sprint("each piece once, loads of ", want), func(loads map[string]int, whole bool) bool {
		return whole && slices.Equal(slices.Sorted(maps.Values(loads)), want)
	})
}

func (b *board) awaitThat(t *testing.T, what string, is func(loads map[string]int, whole bool) bool) {
	t.Helper()
	for late := time.After(patience); ; {
		loads, whole, changed := b.loads()
		if is(loads, whole) {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("loads are %v, want %s", loads, what)
		}
	}
}

// nobody is true when no work runs.
func nobody(loads map[string]int, _ bool) bool { return len(loads) == 0 }

func (b *board) check(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.overlap != "" {
		t.Error(b.overlap)
	}
}

// A worker is one process that wants pieces.
type worker struct {
	nc   *nats.Conn
	held atomic.Int64
	stop context.CancelFunc
	done chan struct{}
}

// employ starts a worker that shows on the board what it works on. Between puts
// something between it and the bucket; it may be nil.
func (b *board) employ(t *testing.T, s *natsserver.Server, name string, timing lease.Timing, between func(jetstream.KeyValue) jetstream.KeyValue) *worker {
	t.Helper()
	nc, js := natstest.Connect(t, s)
	kv := bucket(t, js)
	if between != nil {
		kv = between(kv)
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &worker{nc: nc, stop: stop, done: make(chan struct{})}
	pieces := lease.Spread(kv, key, name, len(b.at), timing, natstest.Quiet, func(n int) { w.held.Store(int64(n)) })
	go func() {
		defer close(w.done)
		pieces.Run(ctx, func(ctx context.Context, piece int) error {
			b.set(piece, name, true)
			defer b.set(piece, name, false)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	t.Cleanup(func() {
		stop()
		receive(t, w.done, "the end of "+name)
		if n := w.held.Load(); n != 0 {
			t.Errorf("%s has ended and says that it holds %d pieces", name, n)
		}
	})
	return w
}

func TestProcessesThatComeAndGoShareAllPieces(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	b := newBoard(16)
	a := b.employ(t, s, "a", calm, nil)
	b.await(t, 16)
	second := b.employ(t, s, "b", calm, nil)
	b.await(t, 8, 8)
	third := b.employ(t, s, "c", calm, nil)
	b.await(t, 5, 5, 6)

	second.stop()
	b.await(t, 8, 8)
	third.nc.Close() // as when it is killed: it gives nothing up
	b.await(t, 16)
	b.check(t)
	if got := a.held.Load(); got != 16 {
		t.Errorf("the last process says that it holds %d pieces, want 16", got)
	}
}

func TestProcessesBeyondThePiecesStandByAndWriteNothing(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	b := newBoard(1)
	a := b.employ(t, s, "a", faithful, nil)
	b.await(t, 1)
	standby := &flaky{}
	b.employ(t, s, "b", faithful, standby.of)
	for range 5 {
		receive(t, standby.onGet(), "a look at the table")
	}
	if n := standby.writes.Load(); n != 0 {
		t.Errorf("it wrote %d times while it stood by", n)
	}
	a.stop()
	receive(t, a.done, "the end of a")
	b.await(t, 1)
	b.check(t)
}

func TestAProcessThatWasPausedGivesWay(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	b := newBoard(16)
	paused := &flaky{}
	b.employ(t, s, "a", calm, paused.of)
	b.await(t, 16)
	resume := paused.pause()
	b.employ(t, s, "b", calm, nil)
	// All that a holds, b takes over. Nothing tells a, whose work goes on.
	b.awaitThat(t, "b to have all", func(loads map[string]int, _ bool) bool { return loads["b"] == 16 })
	resume()
	b.await(t, 8, 8)
}

func TestAllWorkGoesOnWhenTheServerWasAway(t *testing.T) {
	o := natsserver.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"}
	s, err := natsserver.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	o.Listen = strings.TrimPrefix(s.URL(), "nats://")
	t.Cleanup(func() { s.Stop() })
	_, js := natstest.Connect(t, s)
	if err := streams.Ensure(t.Context(), js, natstest.Limits(), true); err != nil {
		t.Fatal(err)
	}
	b := newBoard(4)
	for _, name := range []string{"a", "b"} {
		b.employ(t, s, name, calm, nil)
	}
	b.await(t, 2, 2)
	s.Stop()
	b.awaitThat(t, "no work without a server", nobody)
	if s, err = natsserver.Start(o); err != nil {
		t.Fatal(err)
	}
	b.await(t, 2, 2)
	b.check(t)
}

func TestWorkThatIsSlowToReturnKeepsItsPiece(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	told, release := make(chan int, 2), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	began := make(chan int, 2)
	go func() {
		defer close(done)
		lease.Spread(bucket(t, js), key, "slow", 2, faithful, natstest.Quiet, nil).Run(ctx, func(ctx context.Context, piece int) error {
			began <- piece
			<-ctx.Done()
			told <- piece
			<-release
			return nil
		})
	}()
	receive(t, began, "work on one piece")
	receive(t, began, "work on the other")
	b := newBoard(2)
	look := &flaky{}
	b.employ(t, s, "b", faithful, look.of)
	receive(t, told, "the end of the context of a piece that b shall have")
	for range 5 {
		receive(t, look.onGet(), "a look at the table")
	}
	if loads, _, _ := b.loads(); loads["b"] != 0 {
		t.Error("it works on what another has not returned from")
	}
	stop() // also on the way out
	for range 5 {
		receive(t, look.onGet(), "a look at the table")
	}
	if loads, _, _ := b.loads(); loads["b"] != 0 {
		t.Error("it works on what another has not returned from, while that one stops")
	}
	close(release)
	receive(t, done, "the end of the slow process")
	b.await(t, 2)
}

func TestALostAnswerDoesNotCostTheLease(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	b := newBoard(3)
	wire := &flaky{}
	w := b.employ(t, s, "a", lease.Timing{Heartbeat: 20 * time.Millisecond, Fence: 10 * time.Second, Dead: 15 * time.Second}, wire.of)
	b.await(t, 3)
	wire.lose.Store(true) // all answers but each third
	_, _, changed := b.loads()
	for n := wire.writes.Load(); wire.writes.Load() < n+30; {
		receive(t, wire.onGet(), "a look at the table")
	}
	select {
	case <-changed:
		t.Error("work was disturbed")
	default:
	}
	wire.lose.Store(false)
	w.stop()
	receive(t, changed, "the end of work")
}

func TestWorkThatFailsGoesToAnotherProcess(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		lease.Spread(bucket(t, js), key, "broken", 4, faithful, natstest.Quiet, nil).Run(ctx, func(context.Context, int) error {
			return errors.New("broken")
		})
	}()
	b := newBoard(4)
	b.employ(t, s, "b", faithful, nil)
	b.await(t, 4)
	stop()
	receive(t, done, "the end of the broken process")
}

func TestRunEndsWhenEachPieceIsDone(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	var mu sync.Mutex
	times := map[int]int{}
	lease.Spread(bucket(t, js), key, "a", 3, faithful, natstest.Quiet, nil).Run(t.Context(), func(_ context.Context, piece int) error {
		mu.Lock()
		defer mu.Unlock()
		times[piece]++
		return nil
	})
	if want := map[int]int{0: 1, 1: 1, 2: 1}; !maps.Equal(times, want) {
		t.Errorf("pieces were worked on %v times, want %v", times, want)
	}
	// Nothing is held any more.
	b := newBoard(3)
	b.employ(t, s, "b", faithful, nil)
	b.await(t, 3)
}

// What an earlier version wrote, or somebody by hand, does not stop the work; nor
// does an empty bucket.
func TestATableThatIsNoneIsReplaced(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	kv := bucket(t, js)
	b := newBoard(4)
	if _, err := kv.PutString(t.Context(), key, "host-1-0000"); err != nil {
		t.Fatal(err)
	}
	b.employ(t, s, "a", faithful, nil)
	b.await(t, 4)
	for _, odd := range []string{"", "null", `{"members":{"x":{"beat":1,"wants":4}},"pieces":["x","x","x","y"]}`, `{"pieces":["","","","",""]}`} {
		revision, err := kv.PutString(t.Context(), key, odd)
		if err != nil {
			t.Fatal(err)
		}
		awaitWrite(t, kv, revision)
		b.await(t, 4)
	}
	if err := streams.Reclaim(t.Context(), js); err != nil {
		t.Fatal(err)
	}
	awaitWrite(t, kv, 0)
	b.await(t, 4)
	b.check(t)
}

// awaitWrite waits for a write of the table behind a revision.
func awaitWrite(t *testing.T, kv jetstream.KeyValue, revision uint64) {
	t.Helper()
	w, err := kv.Watch(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	}()
	for {
		if e := receive(t, w.Updates(), "a write of the table"); e != nil && e.Revision() > revision {
			return
		}
	}
}

func TestAnEmbeddedServerStartsWithoutTheLeasesOfTheDead(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	b := newBoard(2)
	dead := b.employ(t, s, "dead", calm, nil)
	b.await(t, 2)
	dead.nc.Close()
	b.awaitThat(t, "no work without a connection", nobody)
	if err := streams.Reclaim(t.Context(), js); err != nil {
		t.Fatal(err)
	}
	b.employ(t, s, "b", faithful, nil)
	b.await(t, 2)
}

// flaky is a bucket with a bad wire before it.
type flaky struct {
	jetstream.KeyValue
	mu     sync.Mutex // held while the wire is paused
	lose   atomic.Bool
	writes atomic.Int64
	gets   atomic.Pointer[chan struct{}]
}

func (f *flaky) of(kv jetstream.KeyValue) jetstream.KeyValue {
	f.KeyValue = kv
	return f
}

// pause blocks who comes until resume is called, as a process that is stopped
// does nothing, not even run into its deadlines.
func (f *flaky) pause() (resume func()) {
	f.mu.Lock()
	return f.mu.Unlock
}

// onGet returns what is closed when the table has been read once more.
func (f *flaky) onGet() <-chan struct{} {
	c := make(chan struct{})
	f.gets.Store(&c)
	return c
}

func (f *flaky) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.gets.Swap(nil); c != nil {
		defer close(*c)
	}
	return f.KeyValue.Get(ctx, key)
}

func (f *flaky) Create(ctx context.Context, key string, value []byte, opts ...jetstream.KVCreateOpt) (uint64, error) {
	f.writes.Add(1)
	return f.KeyValue.Create(ctx, key, value, opts...)
}

func (f *flaky) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	n := f.writes.Add(1)
	revision, err := f.KeyValue.Update(ctx, key, value, revision)
	if f.lose.Load() && n%3 != 0 {
		return 0, context.DeadlineExceeded
	}
	return revision, err
}
