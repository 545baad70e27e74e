package correlator

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/alert"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma/window"
)

// evidence reads records back from EVENTS. The events of an alert often stand
// in few batches, so the last ones are kept.
type evidence struct {
	stream jetstream.Stream

	mu    sync.Mutex
	kept  map[uint64]*batch
	order []uint64 // oldest first
}

// gone is the sequence of a batch that EVENTS cannot have.
const gone = 0

// keptBatches bounds the batches held decompressed: about half a megabyte each.
const keptBatches = 16

type batch struct {
	columns *trailbellv1.EventBatch
	data    []byte
}

func newEvidence(stream jetstream.Stream) *evidence {
	return &evidence{stream: stream, kept: map[uint64]*batch{}}
}

// read returns a record and the object that it came from. A record that EVENTS
// does not hold any more is nil, which is no error.
func (e *evidence) read(ctx context.Context, ref window.Ref) ([]byte, alert.Object, error) {
	if ref.Sequence == gone {
		return nil, alert.Object{}, nil
	}
	b, err := e.batch(ctx, ref.Sequence)
	if err != nil || b == nil {
		return nil, alert.Object{}, err
	}
	i := int(ref.Record)
	if i >= len(b.columns.GetStarts()) {
		return nil, alert.Object{}, fmt.Errorf("event batch %d has no record %d", ref.Sequence, i)
	}
	start := b.columns.GetStarts()[i]
	object := alert.Object{Bucket: b.columns.GetObject().GetBucket(), Key: b.columns.GetObject().GetKey()}
	return b.data[start : start+b.columns.GetLengths()[i]], object, nil
}

func (e *evidence) batch(ctx context.Context, sequence uint64) (*batch, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b, ok := e.kept[sequence]; ok {
		return b, nil
	}
	m, err := e.stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read event batch %d back: %w", sequence, err)
	}
	b := &batch{columns: &trailbellv1.EventBatch{}}
	if err := proto.Unmarshal(m.Data, b.columns); err != nil {
		return nil, fmt.Errorf("event batch %d: %w", sequence, err)
	}
	if b.data, err = s2.Decode(nil, b.columns.GetRecords()); err != nil {
		return nil, fmt.Errorf("event batch %d: %w", sequence, err)
	}
	b.columns.Records = nil
	if len(e.order) == keptBatches {
		delete(e.kept, e.order[0])
		e.order = append(e.order[:0], e.order[1:]...)
	}
	e.kept[sequence] = b
	e.order = append(e.order, sequence)
	return b, nil
}
