// Package lease decides which of several processes does a piece of work and
// which stand by, over a JetStream key-value bucket.
//
// A holder renews its lease every two seconds. Whoever sees a lease unchanged
// for ten seconds, by its own clock, takes it with a compare-and-set. A holder
// that could not renew for seven seconds stops by itself, before another may
// take over. No clocks are compared, so they need not agree.
//
// A lease saves work and no more. A process that was paused for a minute wakes
// up in the middle of work that it has lost; nothing that uses a lease may rest
// its correctness on it.
package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Timing of a lease. Heartbeat < Fence < Dead.
type Timing struct {
	Heartbeat time.Duration // between renewals
	Fence     time.Duration // a holder without a renewal for this long stops
	Dead      time.Duration // an observer that saw no renewal for this long takes over
}

// DefaultTiming fails over within about twelve seconds.
func DefaultTiming() Timing {
	return Timing{Heartbeat: 2 * time.Second, Fence: 7 * time.Second, Dead: 10 * time.Second}
}

// Lease is one named piece of work.
type Lease struct {
	kv     jetstream.KeyValue
	key    string
	holder string
	timing Timing
	log    *slog.Logger
	held   func(bool)
}

// New makes a lease. Key is a token, holder names this process among the
// others. Held is told of each change; it may be nil.
func New(kv jetstream.KeyValue, key, holder string, t Timing, log *slog.Logger, held func(bool)) *Lease {
	if held == nil {
		held = func(bool) {}
	}
	return &Lease{kv: kv, key: key, holder: holder, timing: t, log: log.With("lease", key), held: held}
}

// errLost is the cause of a work context's end when the lease was lost.
var errLost = errors.New("lease lost")

// Run does work whenever it holds the lease, until ctx ends or work is done. The
// context of work ends when the lease is lost; work must then return, and Run
// stands by again. Work that fails gives the lease up, for another process may
// do better, and is tried again after a pause.
func (l *Lease) Run(ctx context.Context, work func(context.Context) error) {
	for {
		revision, err := l.acquire(ctx)
		if err != nil {
			return // only the end of ctx ends the wait
		}
		lost, err := l.hold(ctx, revision, work)
		switch {
		case ctx.Err() != nil:
			return
		case lost:
			l.log.Warn("lease lost; standing by")
		case err == nil:
			return
		default:
			l.log.Error("work failed; it is tried again", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(l.timing.Heartbeat):
			}
		}
	}
}

// hold runs work and renews the lease beside it. It reports whether work ended
// because the lease was lost.
func (l *Lease) hold(ctx context.Context, revision uint64, work func(context.Context) error) (bool, error) {
	l.held(true)
	defer l.held(false)
	workCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- work(workCtx) }()

	tick := time.NewTicker(l.timing.Heartbeat)
	defer tick.Stop()
	renewed := time.Now()
	var err error
	for running := true; running; {
		select {
		case err = <-done:
			running = false
		case <-tick.C:
			renewCtx, stop := context.WithDeadline(ctx, renewed.Add(l.timing.Fence))
			next, renewErr := l.kv.Update(renewCtx, l.key, []byte(l.holder), revision)
			stop()
			switch {
			case renewErr == nil:
				revision, renewed = next, time.Now()
			case errors.Is(renewErr, jetstream.ErrKeyExists) && l.stillMine(ctx, &revision):
				// The renewal before was applied and its answer lost.
				renewed = time.Now()
			case errors.Is(renewErr, jetstream.ErrKeyExists), time.Since(renewed) >= l.timing.Fence:
				cancel(errLost)
				err = <-done
				running = false
			}
		}
	}
	if errors.Is(context.Cause(workCtx), errLost) {
		return true, err
	}
	l.release(revision)
	return false, err
}

// stillMine looks who holds the lease after a renewal was refused.
func (l *Lease) stillMine(ctx context.Context, revision *uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, l.timing.Heartbeat)
	defer cancel()
	e, err := l.kv.Get(ctx, l.key)
	if err != nil || string(e.Value()) != l.holder {
		return false
	}
	*revision = e.Revision()
	return true
}

// release gives the lease up, so that another need not wait until it is dead.
func (l *Lease) release(revision uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), l.timing.Heartbeat)
	defer cancel()
	// When it fails the lease dies of age.
	_ = l.kv.Delete(ctx, l.key, jetstream.LastRevision(revision))
}

// acquire waits until the lease is ours. It fails only when ctx ends.
func (l *Lease) acquire(ctx context.Context) (uint64, error) {
	var (
		seen  uint64    // the revision that we watch grow old
		since time.Time // when we first saw it
	)
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-wait.C:
		}
		e, err := l.kv.Get(ctx, l.key)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			if r, err := l.kv.Create(ctx, l.key, []byte(l.holder)); err == nil {
				return r, nil
			}
		case err != nil:
			l.log.Debug("lease not readable", "error", err)
		case e.Revision() != seen:
			if seen == 0 && string(e.Value()) != l.holder {
				l.log.Info("standing by", "holder", string(e.Value()))
			}
			seen, since = e.Revision(), time.Now()
		case time.Since(since) >= l.timing.Dead:
			if r, err := l.kv.Update(ctx, l.key, []byte(l.holder), seen); err == nil {
				l.log.Info("took over", "from", string(e.Value()))
				return r, nil
			}
		}
		wait.Reset(l.timing.Heartbeat / 2)
	}
}

// Open returns the bucket of the leases.
func Open(ctx context.Context, js jetstream.JetStream, bucket string) (jetstream.KeyValue, error) {
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("key-value bucket %s: %w", bucket, err)
	}
	return kv, nil
}
