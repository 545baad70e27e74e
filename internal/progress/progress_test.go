package progress_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/progress"
	"github.com/trailbell/trailbell/internal/streams"
)

var created = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func open(t *testing.T, js jetstream.JetStream, created time.Time) *progress.Progress {
	t.Helper()
	p, err := progress.Open(t.Context(), js, "windows", created)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProgressOnlyGrowsWhoeverWritesIt(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	var wg sync.WaitGroup
	for writer := range uint64(4) {
		p := open(t, js, created)
		wg.Go(func() {
			for n := range uint64(25) {
				if err := p.Raise(t.Context(), n*4+writer); err != nil {
					t.Error(err)
				}
			}
		})
	}
	last := uint64(0)
	reader := open(t, js, created)
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		got, err := reader.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got < last {
			t.Fatalf("progress fell from %d to %d", last, got)
		}
		last = got
	}
	if last != 99 {
		t.Errorf("progress is %d, want 99", last)
	}
}

func TestProgressOfAnotherStreamDoesNotCount(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	if err := open(t, js, created).Raise(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	anew := open(t, js, created.Add(time.Second))
	got, err := anew.Read(t.Context())
	if err != nil || got != 0 {
		t.Errorf("the stream made anew is done up to %d, %v; want 0", got, err)
	}
	if err := anew.Raise(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if got, err = anew.Read(t.Context()); err != nil || got != 3 {
		t.Errorf("after 3 it is %d, %v", got, err)
	}
}

func TestProgressBeginsAnew(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	p := open(t, js, created)
	for _, reach := range []uint64{100, 50} {
		if err := p.Raise(t.Context(), reach); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Read(t.Context()); err != nil || got != reach {
			t.Errorf("raised to %d it is %d, %v", reach, got, err)
		}
		if err := open(t, js, created).Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Read(t.Context()); err != nil || got != 0 {
			t.Errorf("begun anew it is %d, %v", got, err)
		}
	}
}

// Whoever may delete a key, with `nats kv del` or purge, has it begun anew.
func TestProgressThatWasDeletedBeginsAnew(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	kv, err := js.KeyValue(t.Context(), streams.ProgressBucket)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, js, created)
	for reach, remove := range map[uint64]func() error{
		100: func() error { return kv.Delete(t.Context(), "windows") },
		200: func() error { return kv.Purge(t.Context(), "windows") },
	} {
		for range 2 { // what is there, and what has been begun anew
			if err := p.Raise(t.Context(), reach); err != nil {
				t.Fatal(err)
			}
			if err := remove(); err != nil {
				t.Fatal(err)
			}
			other := open(t, js, created)
			if got, err := other.Read(t.Context()); err != nil || got != 0 {
				t.Errorf("deleted it is %d, %v; want 0", got, err)
			}
			reach++
			if err := p.Raise(t.Context(), reach); err != nil {
				t.Fatal(err)
			}
			if got, err := other.Read(t.Context()); err != nil || got != reach {
				t.Errorf("begun anew it is %d, %v; want %d", got, err, reach)
			}
		}
		if err := p.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func openPairs(t *testing.T, js jetstream.JetStream, created time.Time) *progress.Pairs {
	t.Helper()
	p, err := progress.OpenPairs(t.Context(), js, "pairs", [2]time.Time{created, created})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPairsAreKeptByPurpose(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	begin := func(p *progress.Pairs, from progress.Pair, first uint64, want map[string]progress.Pair) {
		t.Helper()
		got, err := p.Begin(t.Context(), slices.Collect(maps.Keys(want)), from, first)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("begun (-want +got):\n%s", diff)
		}
	}
	raise := func(p *progress.Pairs, to map[string]progress.Pair) {
		t.Helper()
		if err := p.Raise(t.Context(), to); err != nil {
			t.Fatal(err)
		}
	}
	type pairs = map[string]progress.Pair
	a, b := openPairs(t, js, created), openPairs(t, js, created)
	begin(a, progress.Pair{Other: 5}, 1, pairs{"x": {Other: 5}, "y": {Other: 5}})
	begin(b, progress.Pair{Other: 7}, 1, pairs{"y": {Other: 5}, "z": {Other: 7}})
	raise(a, pairs{"x": {Sequence: 10, Other: 6}, "y": {Sequence: 10, Other: 6}})
	raise(b, pairs{"y": {Sequence: 12, Other: 5}, "z": {Sequence: 12, Other: 8}}) // y would fall
	raise(a, pairs{"x": {Sequence: 9, Other: 9}})                                 // x, too
	begin(openPairs(t, js, created), progress.Pair{}, 1,
		pairs{"x": {Sequence: 10, Other: 6}, "y": {Sequence: 10, Other: 6}, "z": {Sequence: 12, Other: 8}})

	// What is left of the stream begins behind all that x was at work on.
	begin(openPairs(t, js, created), progress.Pair{Other: 9}, 12, pairs{"z": {Sequence: 12, Other: 8}})
	begin(openPairs(t, js, created), progress.Pair{Other: 9}, 12, pairs{"x": {Other: 9}})

	if err := a.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin(openPairs(t, js, created), progress.Pair{Other: 9}, 1, pairs{"x": {}, "z": {}})
	begin(openPairs(t, js, created.Add(time.Second)), progress.Pair{Other: 1}, 1, pairs{"x": {Other: 1}})
}

func TestPairsOfManyWritersAtOnce(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	var wg sync.WaitGroup
	want := map[string]progress.Pair{}
	for writer := range 4 {
		p, purpose := openPairs(t, js, created), fmt.Sprint(writer)
		want[purpose] = progress.Pair{Sequence: 20, Other: 40}
		wg.Go(func() {
			if _, err := p.Begin(t.Context(), []string{purpose}, progress.Pair{}, 1); err != nil {
				t.Error(err)
			}
			for n := range uint64(21) {
				if err := p.Raise(t.Context(), map[string]progress.Pair{purpose: {Sequence: n, Other: 2 * n}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := openPairs(t, js, created).Begin(t.Context(), slices.Collect(maps.Keys(want)), progress.Pair{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
}
