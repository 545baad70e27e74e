package stage

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Gate holds publishers back while a required reader of a stream is far
// behind. A stream that drops its oldest messages cannot refuse new ones, and
// would drop what the reader has not seen.
type Gate struct {
	stream jetstream.Stream
	// read reports up to which sequence the required readers are done.
	read func(context.Context) (uint64, error)
	lost func(n uint64)

	mu      sync.Mutex
	checked time.Time
	// left is how many bytes may pass before the gate looks again.
	left int64
	// told is up to where losses have been told.
	told uint64
	// whole is a quarter of the stream's size.
	whole int64
}

// gateEvery is how old an answer of the gate may be, and how long it pauses
// when it is shut.
const gateEvery = 20 * time.Millisecond

// publishers may share a stream: each takes only this part of the room there is.
const publishers = 4

// NewGate guards a stream. Read reports the sequence up to which every required
// reader is done with it. Lost is told of messages that the stream dropped
// before that: it must not happen, and an operator has to know.
func NewGate(stream jetstream.Stream, read func(context.Context) (uint64, error), lost func(n uint64)) *Gate {
	return &Gate{stream: stream, read: read, lost: lost}
}

// ConsumerGate guards a stream for one durable consumer.
func ConsumerGate(ctx context.Context, js jetstream.JetStream, stream, durable string, lost func(n uint64)) (*Gate, error) {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	c, err := s.Consumer(ctx, durable)
	if err != nil {
		return nil, fmt.Errorf("consumer %s of stream %s: %w", durable, stream, err)
	}
	return NewGate(s, func(ctx context.Context) (uint64, error) {
		i, err := c.Info(ctx)
		if err != nil {
			return 0, err
		}
		return i.AckFloor.Stream, nil
	}, lost), nil
}

// Wait returns when n more bytes leave the readers less than a quarter of the
// stream's size behind.
func (g *Gate) Wait(ctx context.Context, n int) error {
	for {
		open, err := g.pass(ctx, int64(n))
		if err != nil || open {
			return err
		}
		if err := pause(ctx, gateEvery); err != nil {
			return err
		}
	}
}

func (g *Gate) pass(ctx context.Context, n int64) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left < n || time.Since(g.checked) >= gateEvery {
		room, err := g.room(ctx, n)
		if err != nil {
			g.left = 0
			return false, err
		}
		g.left, g.checked = room/publishers, time.Now()
		if g.left < n {
			// A message larger than our part passes when nothing is behind.
			return room == g.whole, nil
		}
	}
	g.left -= n
	return true, nil
}

// room is how many bytes the readers may still fall behind, seen by who wants
// to publish n.
func (g *Gate) room(ctx context.Context, n int64) (int64, error) {
	i, err := g.stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("look at stream: %w", err)
	}
	if i.Config.MaxBytes <= 0 {
		g.whole = math.MaxInt64
		return g.whole, nil
	}
	g.whole = i.Config.MaxBytes / 4
	// A stream that holds less than its readers may be behind needs no look at
	// them, unless they have to be through with all of it.
	if used := int64(i.State.Bytes); used < g.whole/2 && n <= (g.whole-used)/publishers {
		return g.whole - used, nil
	}
	read, err := g.read(ctx)
	if err != nil {
		return 0, fmt.Errorf("look at the reader of stream %s: %w", i.Config.Name, err)
	}
	if first := i.State.FirstSeq; first > max(read, g.told)+1 {
		g.lost(first - max(read, g.told) - 1)
		g.told = first - 1
	}
	// Bytes behind, taking the messages for equally large.
	behind := int64(i.State.LastSeq-min(read, i.State.LastSeq)) * int64(i.State.Bytes/max(i.State.Msgs, 1))
	return max(g.whole-behind, 0), nil
}
