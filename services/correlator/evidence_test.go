package correlator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/sigma/window"
)

// shop stands for EVENTS: it makes a batch when it is asked for one.
type shop func(ctx context.Context, sequence uint64) (data []byte, err error)

func (s shop) GetMsg(ctx context.Context, sequence uint64, _ ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	data, err := s(ctx, sequence)
	return &jetstream.RawStreamMsg{Sequence: sequence, Data: data}, err
}

// Identities count: that of a record without an eventID is as long as the key of
// its object.
func TestKeptBatchesStayWithinTheirBound(t *testing.T) {
	const batches, records = 6, keptBytes / 4 / 1024
	nameOf := func(sequence uint64, i int) string {
		return fmt.Sprint(strings.Repeat("k", 1023), "#", sequence, "-", i)
	}
	e := newEvidence(shop(func(_ context.Context, sequence uint64) ([]byte, error) {
		var entries []entry
		for i := range records {
			entries = append(entries, entry{id: nameOf(sequence, i), time: start, record: "{}"})
		}
		return eventBatch(t, "object", "test.amazonaws.com", entries), nil
	}), natstest.Quiet)
	for sequence := uint64(1); sequence <= batches; sequence++ {
		record, from, err := e.read(t.Context(), window.Event{ID: nameOf(sequence, 7), Evidence: window.Ref{Sequence: sequence, Record: 7}})
		if err != nil || string(record) != "{}" || from.Key != "object" {
			t.Fatalf("read %q of %v, %v", record, from, err)
		}
	}
	kept := 0
	for _, at := range e.kept {
		for _, id := range at.Value.(*batch).identities {
			kept += len(id)
		}
	}
	if kept == 0 || kept > keptBytes {
		t.Errorf("the identities of the kept batches take %d bytes, want some and at most %d", kept, keptBytes)
	}
}

func TestABatchThatNobodyReadsIsNotKept(t *testing.T) {
	data := eventBatch(t, "object", "test.amazonaws.com", []entry{{id: "id", time: start, record: "{}"}})
	synctest.Test(t, func(t *testing.T) {
		var loaded []uint64
		e := newEvidence(shop(func(_ context.Context, sequence uint64) ([]byte, error) {
			loaded = append(loaded, sequence)
			return data, nil
		}), natstest.Quiet)
		for _, sequence := range []uint64{1, 2, 1, 1, 2} {
			if _, _, err := e.read(t.Context(), window.Event{ID: "id", Evidence: window.Ref{Sequence: sequence}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(keptFor * 2 / 5) // in between the reads of 1 less than a minute goes by, and of 2 more
		}
		if want := []uint64{1, 2, 2}; !slices.Equal(loaded, want) {
			t.Errorf("loaded %d, want %d", loaded, want)
		}
		if n := len(e.kept); n != 2 || e.used.Len() != n || e.size != 2*e.kept[1].Value.(*batch).size {
			t.Errorf("%d batches are kept, %d in order, of %d bytes", n, e.used.Len(), e.size)
		}
	})
}

// readAll reads a record of so many batches, all at once.
func readAll(t *testing.T, e *evidence, batches int) *errgroup.Group {
	var g errgroup.Group
	for i := range batches {
		g.Go(func() error {
			record, _, err := e.read(t.Context(), window.Event{ID: "id", Evidence: window.Ref{Sequence: uint64(i + 1)}})
			if err == nil && string(record) != "{}" {
				err = fmt.Errorf("read %q of batch %d", record, i+1)
			}
			return err
		})
	}
	return &g
}

func TestFewBatchesAreLoadedAtOnce(t *testing.T) {
	data := eventBatch(t, "object", "test.amazonaws.com", []entry{{id: "id", time: start, record: "{}"}})
	synctest.Test(t, func(t *testing.T) {
		var loading, loaded atomic.Int64
		next := make(chan struct{})
		e := newEvidence(shop(func(context.Context, uint64) ([]byte, error) {
			loading.Add(1)
			defer loading.Add(-1)
			<-next
			loaded.Add(1)
			return data, nil
		}), natstest.Quiet)
		const batches = 3 * loadAtOnce
		g := readAll(t, e, batches)
		for n := range int64(batches) {
			synctest.Wait()
			if want := min(loadAtOnce, batches-n); loading.Load() != want {
				t.Errorf("after %d batches %d are being loaded, want %d", n, loading.Load(), want)
			}
			next <- struct{}{}
		}
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		if loaded.Load() != batches {
			t.Errorf("%d batches were loaded, want %d", loaded.Load(), batches)
		}
	})
}

// A server that does not answer keeps nobody longer for having had to wait for
// others.
func TestWaitingForABatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvidence(shop(func(ctx context.Context, _ uint64) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}), natstest.Quiet)
		began := time.Now()
		err := readAll(t, e, 3*loadAtOnce).Wait()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != loadWithin {
			t.Errorf("%v after %v, want it to give up after %v", err, time.Since(began), loadWithin)
		}
		if len(e.kept) != 0 {
			t.Errorf("%d batches are kept that were not loaded", len(e.kept))
		}
	})
}
