// Package progress keeps how far a stream has been dealt with, as a fact about
// the stream: "everything up to this sequence is done". It only grows, but for [Progress.Reset], so
// anybody who knows it may write it, and it does not matter who is right about
// a lease.
//
// It says what a durable consumer cannot. A server writes what was acknowledged
// to the disk up to a tenth of a second later, and forgets it when it is killed;
// a value here is in the store when the write returns.
package progress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/streams"
)

// Progress is how far one stream is done, for one purpose. It may be used by
// several goroutines.
type Progress struct {
	kv    jetstream.KeyValue
	key   string
	epoch string

	mu       sync.Mutex
	known    position // what the store had when we last looked or wrote
	revision uint64
}

// position is a place in a stream. The epoch tells a stream from one that was
// created anew and counts from 1 again.
type position struct {
	Epoch    string `json:"epoch"`
	Sequence uint64 `json:"sequence"`
	// Other is a place in another stream that goes with this one.
	Other uint64 `json:"other,omitempty"`
}

// Open returns the progress of a stream under a key, which is a token. Created
// is when the stream was made, and the other one if there is one.
func Open(ctx context.Context, js jetstream.JetStream, key string, created ...time.Time) (*Progress, error) {
	kv, err := js.KeyValue(ctx, streams.ProgressBucket)
	if err != nil {
		return nil, fmt.Errorf("key-value bucket %s: %w", streams.ProgressBucket, err)
	}
	var epoch []string
	for _, at := range created {
		epoch = append(epoch, at.UTC().Format(time.RFC3339Nano))
	}
	return &Progress{kv: kv, key: key, epoch: strings.Join(epoch, " ")}, nil
}

// Read returns the sequence up to which all is done, 0 for nothing.
func (p *Progress) Read(ctx context.Context) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.load(ctx)
	return p.known.Sequence, err
}

// ReadPair returns what RaisePair wrote, zeros for nothing.
func (p *Progress) ReadPair(ctx context.Context) (sequence, other uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err = p.load(ctx)
	return p.known.Sequence, p.known.Other, err
}

// RaisePair says that all up to one sequence is done and, by somebody who had
// done that, all up to a sequence of another stream. What is there stays if
// either would fall: then it was said by somebody who knows something else.
func (p *Progress) RaisePair(ctx context.Context, sequence, other uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if err := p.load(ctx); err != nil || p.known.Sequence > sequence || p.known.Other > other {
			return err
		}
		err := p.put(ctx, position{p.epoch, sequence, other})
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func (p *Progress) load(ctx context.Context) error {
	p.known, p.revision = position{}, 0
	e, err := p.kv.Get(ctx, p.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read progress %s: %w", p.key, err)
	}
	p.revision = e.Revision()
	var v position
	if err := json.Unmarshal(e.Value(), &v); err == nil && v.Epoch == p.epoch {
		p.known = v // else it is that of another stream
	}
	return nil
}

// Reset says that nothing is done, as when the stream has lost its end and goes
// on with other messages in place of those that were.
func (p *Progress) Reset(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if err := p.load(ctx); err != nil || p.known.Sequence == 0 && p.known.Other == 0 {
			return err
		}
		err := p.put(ctx, position{Epoch: p.epoch})
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// put writes a position over the one that is known.
func (p *Progress) put(ctx context.Context, next position) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	revision, err := p.kv.Update(ctx, p.key, data, p.revision)
	if err != nil {
		return fmt.Errorf("write progress %s: %w", p.key, err)
	}
	p.known, p.revision = next, revision
	return nil
}

// conflictPause gives a replica time to catch up with what refused us.
const conflictPause = 10 * time.Millisecond

// Raise says that all up to sequence is done. A progress that is there already
// stays.
func (p *Progress) Raise(ctx context.Context, sequence uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.known.Sequence < sequence {
		err := p.put(ctx, position{Epoch: p.epoch, Sequence: sequence})
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return err
		}
		// Another was here, or we have not looked yet.
		if err := p.load(ctx); err != nil {
			return err
		}
		if p.known.Sequence < sequence {
			if err := pause(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(conflictPause):
		return nil
	}
}
