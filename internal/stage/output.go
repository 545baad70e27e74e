package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// Publication is a message on its way into a stream.
type Publication struct {
	Stream  string
	Subject string
	ID      string // message id; a repeat within the stream's window is dropped
	Header  nats.Header
	Data    []byte // not to be touched after it was emitted
}

// Output takes what a stage causes. It belongs to one input and one goroutine.
type Output struct {
	js      jetstream.JetStream
	gates   map[string]*Gate
	metrics *Metrics
	log     *slog.Logger
	stage   string
	input   Input
	pending []sent
	dead    int
}

type sent struct {
	publication Publication
	future      jetstream.PubAckFuture
}

// Input says where a stage's work comes from; dead letters carry it.
type Input struct {
	Stream   string
	Subject  string
	Sequence uint64
	Data     []byte
}

const (
	// window is how many publishes of one input may wait for their
	// acknowledgement.
	window = 8
	// stall bounds the wait for room among the publishes of the connection.
	stall = 30 * time.Second
	// deadInput bounds the input that a dead letter carries, in bytes.
	deadInput = 64 << 10
	// fullWait is the first pause when a work queue is full.
	fullWait = 10 * time.Millisecond
	maxWait  = time.Second
)

// codes that a full stream answers with: nats-server's errors.json
const (
	codeInsufficientResources jetstream.ErrorCode = 10023
	codeStoreFailed           jetstream.ErrorCode = 10077
)

// Emit publishes p. It returns when p is on its way, and blocks while the
// stream cannot take more. An error says that p, or something emitted before,
// is not durable; the stage returns it.
func (o *Output) Emit(ctx context.Context, p Publication) error {
	if g := o.gates[p.Stream]; g != nil {
		if err := g.Wait(ctx, len(p.Data)); err != nil {
			return err
		}
	}
	if len(o.pending) == window {
		first := o.pending[0]
		o.pending = append(o.pending[:0], o.pending[1:]...)
		if err := o.settle(ctx, first); err != nil {
			return err
		}
	}
	f, err := o.js.PublishMsgAsync(message(p), jetstream.WithMsgID(p.ID), jetstream.WithExpectStream(p.Stream),
		jetstream.WithStallWait(stall))
	if errors.Is(err, nats.ErrMaxPayload) {
		return Permanent(fmt.Errorf("a message of %d bytes is larger than the server accepts", len(p.Data)))
	}
	if err != nil {
		return fmt.Errorf("publish to %s: %w", p.Stream, err)
	}
	o.pending = append(o.pending, sent{p, f})
	return nil
}

// DeadLetterLog is the message that a dead letter is logged with, for those who
// read DEAD themselves and need not be told twice.
const DeadLetterLog = "dead letter"

// Dead publishes a dead letter about a part of the input: the rest goes on. There
// may be several about one place, with different reasons. A reason has to be the
// same when the input is tried again, or the letter comes twice; one without an
// offset need not.
func (o *Output) Dead(ctx context.Context, d *trailbellv1.DeadLetter) error {
	detail := ""
	if d.Offset != nil {
		detail = streams.DeadDetail(d.GetOffset(), d.GetReason())
	}
	return o.deadLetter(ctx, d, detail)
}

func (o *Output) deadLetter(ctx context.Context, d *trailbellv1.DeadLetter, detail string) error {
	d.Stage = o.stage
	d.Time = timestamppb.Now()
	d.Stream, d.Subject, d.Sequence = o.input.Stream, o.input.Subject, o.input.Sequence
	if len(o.input.Data) <= deadInput {
		d.Input = o.input.Data
	}
	data, err := proto.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode dead letter: %w", err)
	}
	o.dead++
	o.log.Warn(DeadLetterLog, "reason", d.GetReason(), "bucket", d.GetObject().GetBucket(), "key", d.GetObject().GetKey(), "offset", d.GetOffset())
	return o.Emit(ctx, Publication{
		Stream:  streams.Dead,
		Subject: streams.DeadSubject(o.stage),
		ID:      streams.DeadID(o.stage, o.input.Stream, o.input.Sequence, detail),
		Data:    data,
	})
}

// flush waits until everything emitted is durable. After an error it may be
// called again, for what was emitted behind.
func (o *Output) flush(ctx context.Context) error {
	for len(o.pending) > 0 {
		first := o.pending[0]
		o.pending = o.pending[1:] // its answer can be had once
		if err := o.settle(ctx, first); err != nil {
			return err
		}
	}
	return nil
}

// settle waits for one acknowledgement. A stream that is full is asked again
// until it takes the message: this wait is how back-pressure travels.
func (o *Output) settle(ctx context.Context, s sent) error {
	var err error
	select {
	case ack := <-s.future.Ok():
		o.count(s.publication, ack)
		return nil
	case err = <-s.future.Err():
	case <-ctx.Done():
		return ctx.Err()
	}
	for wait := fullWait; isFull(err); wait = min(2*wait, maxWait) {
		o.metrics.blocked.WithLabelValues(s.publication.Stream).Inc()
		if err := pause(ctx, wait); err != nil {
			return err
		}
		var ack *jetstream.PubAck
		ack, err = o.js.PublishMsg(ctx, message(s.publication), jetstream.WithMsgID(s.publication.ID), jetstream.WithExpectStream(s.publication.Stream))
		if err == nil {
			o.count(s.publication, ack)
			return nil
		}
	}
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamMessageExceedsMaximum {
		return Permanent(fmt.Errorf("a message of %d bytes is larger than stream %s takes", len(s.publication.Data), s.publication.Stream))
	}
	return fmt.Errorf("publish to %s: %w", s.publication.Stream, err)
}

func (o *Output) count(p Publication, ack *jetstream.PubAck) {
	if ack.Duplicate {
		o.metrics.duplicates.WithLabelValues(p.Stream).Inc()
		return
	}
	o.metrics.published.WithLabelValues(p.Stream).Inc()
	o.metrics.bytes.WithLabelValues(p.Stream).Add(float64(len(p.Data)))
	if p.Stream == streams.Dead {
		o.metrics.dead.Inc()
	}
}

func isFull(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == codeStoreFailed || api.ErrorCode == codeInsufficientResources)
}

func message(p Publication) *nats.Msg {
	return &nats.Msg{Subject: p.Subject, Header: p.Header, Data: p.Data}
}

// pause waits for d, or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
