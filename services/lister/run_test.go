package lister_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailbell/trailbell/internal/lease"
	"github.com/trailbell/trailbell/internal/listing"
	"github.com/trailbell/trailbell/internal/natsserver/natstest"
	"github.com/trailbell/trailbell/services/lister"
)

// refusing is a bucket that refuses for a while.
type refusing struct {
	*bucket
	refuse atomic.Bool
}

var errRefused = errors.New("access denied")

func (r *refusing) Folders(ctx context.Context, prefix string) ([]string, error) {
	if r.refuse.Load() {
		return nil, errRefused
	}
	return r.bucket.Folders(ctx, prefix)
}

func (r *refusing) Objects(ctx context.Context, prefix, after string) iter.Seq2[[]listing.Object, error] {
	return r.bucket.Objects(ctx, prefix, after)
}

func TestABucketThatRefusesIsSaidOnceAndTriedAgain(t *testing.T) {
	s := natstest.Start(t, natstest.Limits())
	_, js := natstest.Connect(t, s)
	source := &refusing{bucket: newBucket(log("111122223333", "eu-west-1", time.Now().UTC(), "a"))}
	source.refuse.Store(true)
	polls := make(chan error, 100)
	w := lister.Watch{
		Config: lister.Config{Bucket: "trail"}, Source: source, Interval: 10 * time.Millisecond,
		Polled: func(_ lister.Report, err error) { polls <- err },
	}
	var said bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- lister.Run(ctx, js, []lister.Watch{w}, "a", lease.DefaultTiming(), prometheus.NewRegistry(), slog.New(slog.NewTextHandler(&said, nil)))
	}()
	poll := func() error {
		t.Helper()
		select {
		case err := <-polls:
			return err
		case <-time.After(2 * time.Minute):
			t.Fatal("no poll")
			return nil
		}
	}
	for range 4 {
		if err := poll(); !errors.Is(err, errRefused) {
			t.Fatalf("a poll of a bucket that refuses gave %v", err)
		}
	}
	source.refuse.Store(false)
	for poll() != nil { // one may have been under way
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(said.String(), "poll failed"); n != 1 {
		t.Errorf("the refusal was said %d times, want once:\n%s", n, &said)
	}
	if n := strings.Count(said.String(), "polling works again"); n != 1 {
		t.Errorf("its end was said %d times, want once:\n%s", n, &said)
	}
}
