package progress_test

import (
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/internal/progress"
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
