// Package lease spreads pieces of work over any number of processes, over a
// JetStream key-value bucket.
//
// A set of pieces is one key, and its value a table: the members, and who holds
// which piece. Each member reads the table and writes it back with a
// compare-and-set every two seconds. With that write it says that it is alive,
// takes free pieces up to its share, and frees what is above it, once its work on
// it has returned. So a piece goes from one living process to another only through
// the hands of the first, and nothing moves unless somebody joins or leaves.
//
// Whoever sees that a member has not written for ten seconds, by its own clock
// and over reads that succeeded, removes it. A member that could not write for
// seven seconds ends its work by itself, before another may take it. No clocks
// are compared, so they need not agree.
//
// There are never more members than pieces. A process beyond that number could
// hold nothing, so it reads the table and writes nothing until a member leaves
// or dies. With one piece this is a plain lease: one process works and writes,
// the others stand by and read.
//
// A lease saves work and no more. A process that was paused for a minute wakes
// up in the middle of work that it has lost; nothing that uses a lease may rest
// its correctness on it.
package lease

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Timing of a lease. Heartbeat < Fence < Dead.
type Timing struct {
	Heartbeat time.Duration // between the writes of a member
	Fence     time.Duration // a member without a write for this long ends its work
	Dead      time.Duration // a member of which nothing was seen for this long is removed
}

// DefaultTiming fails over within Dead and two heartbeats, fourteen seconds.
func DefaultTiming() Timing {
	return Timing{Heartbeat: 2 * time.Second, Fence: 7 * time.Second, Dead: 10 * time.Second}
}

// Lease is one named piece of work.
type Lease struct{ pieces *Pieces }

// New makes a lease. Key is a token; holder names this process and nothing else
// that wants the lease. Held is told of each change; it may be nil.
func New(kv jetstream.KeyValue, key, holder string, t Timing, log *slog.Logger, held func(bool)) *Lease {
	if held == nil {
		held = func(bool) {}
	}
	return &Lease{Spread(kv, key, holder, 1, t, log, func(pieces int) { held(pieces == 1) })}
}

// Run is Pieces.Run for the one piece.
func (l *Lease) Run(ctx context.Context, work func(context.Context) error) {
	l.pieces.Run(ctx, func(ctx context.Context, _ int) error { return work(ctx) })
}

// Open returns the bucket of the leases.
func Open(ctx context.Context, js jetstream.JetStream, bucket string) (jetstream.KeyValue, error) {
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("key-value bucket %s: %w", bucket, err)
	}
	return kv, nil
}
