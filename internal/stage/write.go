package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"
)

// Source publishes what has no input: what a lister found.
type Source struct{ out Output }

// NewSource makes a source. It belongs to one goroutine.
func NewSource(js jetstream.JetStream, name string, m *Metrics, log *slog.Logger) *Source {
	return &Source{Output{js: js, stage: name, metrics: m, log: log}}
}

// Publish returns when all of ps are durable. It blocks while the stream is
// full.
func (s *Source) Publish(ctx context.Context, ps []Publication) error {
	s.out.pending = s.out.pending[:0]
	for _, p := range ps {
		if err := s.out.Emit(ctx, p); err != nil {
			return err
		}
	}
	return s.out.flush(ctx)
}

// ErrConflict says that somebody else wrote the subject first.
var ErrConflict = errors.New("the subject has been written by another")

// CompareAndSet publishes p if the last message whose subject passes the filter
// has the given sequence, 0 for none. The subject of p passes it. It returns the
// sequence of p, or ErrConflict.
func CompareAndSet(ctx context.Context, js jetstream.JetStream, m *Metrics, p Publication, filter string, last uint64) (uint64, error) {
	ack, err := js.PublishMsg(ctx, message(p),
		jetstream.WithExpectStream(p.Stream),
		jetstream.WithExpectLastSequenceForSubject(last, filter))
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return 0, ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("publish to %s: %w", p.Stream, err)
	}
	m.published.WithLabelValues(p.Stream).Inc()
	m.bytes.WithLabelValues(p.Stream).Add(float64(len(p.Data)))
	return ack.Sequence, nil
}
