package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/services/correlator"
)

// Drained reports whether everything that is in KEYS, or was, has come out at
// the far end. It looks at the stages in the order of the records: a stage
// acknowledges its input after its output is stored, so what has left one
// stage is seen at the next.
func Drained(ctx context.Context, js jetstream.JetStream, sinks []string) (bool, error) {
	for _, queue := range []string{streams.Keys, streams.Batches} {
		s, err := js.Stream(ctx, queue)
		if err != nil {
			return false, fmt.Errorf("look at stream %s: %w", queue, err)
		}
		if s.CachedInfo().State.Msgs > 0 {
			return false, nil
		}
	}
	if done, err := consumed(ctx, js, streams.Events, streams.MatcherDurable); !done {
		return false, err
	}
	if done, err := correlator.Written(ctx, js); !done {
		return false, err
	}
	for _, sink := range sinks {
		if done, err := consumed(ctx, js, streams.Alerts, streams.SinkDurable(sink)); !done {
			return false, err
		}
	}
	return true, nil
}

// consumed reports whether a durable consumer has nothing left.
//
// The number of messages that a consumer has before it follows what is stored
// after a moment, and says 0 in between: what tells is how far the stream has
// come, which is asked first, and how far the consumer.
func consumed(ctx context.Context, js jetstream.JetStream, stream, durable string) (bool, error) {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return false, fmt.Errorf("look at stream %s: %w", stream, err)
	}
	c, err := s.Consumer(ctx, durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return false, nil // not started yet
	}
	if err != nil {
		return false, fmt.Errorf("look at consumer %s of stream %s: %w", durable, stream, err)
	}
	stored, read := s.CachedInfo().State, c.CachedInfo()
	return read.NumAckPending == 0 && (stored.Msgs == 0 || read.Delivered.Stream >= stored.LastSeq), nil
}
