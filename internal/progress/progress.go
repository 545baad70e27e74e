// Package progress keeps how far a stream has been dealt with, as a fact about
// the stream: "everything up to this sequence is done". It only grows, but for
// Reset, so anybody who knows it may write it, and it does not matter who is
// right about a lease.
//
// It says what a durable consumer cannot. A server writes what was acknowledged
// to the disk up to a tenth of a second later, and forgets it when it is killed;
// a value here is in the store when the write returns.
package progress

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Progress is how far one stream is done, for one purpose. It may be used by
// several goroutines.
type Progress struct{ is *value[uint64] }

// Open returns the progress of a stream under a key, which is a token. Created
// is when the stream was made: of one that was made anew, nothing is done.
func Open(ctx context.Context, js jetstream.JetStream, key string, created time.Time) (*Progress, error) {
	v, err := open[uint64](ctx, js, key, created)
	return &Progress{v}, err
}

// Read returns the sequence up to which all is done, 0 for nothing.
func (p *Progress) Read(ctx context.Context) (uint64, error) { return p.is.read(ctx) }

// Raise says that all up to sequence is done. A progress that is there already
// stays.
func (p *Progress) Raise(ctx context.Context, sequence uint64) error {
	return p.is.change(ctx, func(is uint64) (uint64, bool) { return sequence, is < sequence })
}

// Reset says that nothing is done, as when the stream has lost its end and goes
// on with other messages in place of those that were.
func (p *Progress) Reset(ctx context.Context) error {
	if _, err := p.is.read(ctx); err != nil {
		return err
	}
	return p.is.change(ctx, func(is uint64) (uint64, bool) { return 0, is != 0 })
}
