package correlator

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unsafe"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
	"github.com/trailbell/trailbell/sigma/window"
)

// evidence reads records back from EVENTS. The events of an alert often stand in
// few batches, and those of the next in the same ones, so the batches that were
// read last are kept. It may be used by several goroutines.
type evidence struct {
	stream batches
	// loading holds one for every batch that is being loaded: the owners of many
	// partitions may ask for many at once.
	loading *semaphore.Weighted
	log     *slog.Logger

	mu   sync.Mutex
	kept map[uint64]*list.Element // of *batch
	used list.List                // the last used in front
	size int                      // in bytes
}

// batches is the stream EVENTS, as far as it is read here.
type batches interface {
	GetMsg(ctx context.Context, sequence uint64, opts ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error)
}

// gone is the sequence of a batch that EVENTS cannot have.
const gone = 0

// keptBytes bounds the batches held decompressed: about half a megabyte each.
const keptBytes = 24 << 20

// keptFor is how long a batch is held that nobody reads. The revisions of an alert
// follow each other within seconds, and a storm of alerts is soon over.
const keptFor = time.Minute

// loadAtOnce bounds the batches that are being loaded, which come on top of those
// that are held.
const loadAtOnce = 8

// loadWithin bounds the wait for a batch, and for its turn.
const loadWithin = 10 * time.Second

// batch is an event batch as far as its records are concerned.
type batch struct {
	sequence uint64
	// load reads the rest, once.
	load func() error

	object          alert.Object
	starts, lengths []uint32
	identities      []string
	data            []byte // nil if EVENTS does not hold the batch any more

	read time.Time // last
	size int       // in bytes, as long as it is kept
}

// bytes returns how much memory a batch takes, about. Identities may be as long as
// the keys of objects.
func (b *batch) bytes() int {
	size := len(b.data) + 4*(len(b.starts)+len(b.lengths))
	for _, id := range b.identities {
		size += int(unsafe.Sizeof(id)) + len(id)
	}
	return size
}

func newEvidence(stream batches, log *slog.Logger) *evidence {
	return &evidence{stream: stream, loading: semaphore.NewWeighted(loadAtOnce), log: log, kept: map[uint64]*list.Element{}}
}

// read returns the record of an event and the object that it came from. A record
// that EVENTS does not hold any more is nil, which is no error. Neither is one that
// is not where it should be: EVENTS may have lost its end, as when the power fails,
// and have something else there now, and an alert without a record is better than
// none, or than one with a record of another event.
func (e *evidence) read(ctx context.Context, of window.Event) ([]byte, alert.Object, error) {
	ref := of.Evidence
	if ref.Sequence == gone {
		return nil, alert.Object{}, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, alert.Object{}, err
	}
	b := e.batch(ctx, ref.Sequence)
	if err := b.load(); err != nil {
		return nil, alert.Object{}, err
	}
	if b.data == nil {
		return nil, alert.Object{}, nil
	}
	i := int(ref.Record)
	if i >= len(b.starts) || i >= len(b.lengths) || uint64(b.starts[i])+uint64(b.lengths[i]) > uint64(len(b.data)) {
		e.log.Error("passed over evidence: its event batch has no such record", "stream", streams.Events, "sequence", ref.Sequence, "record", i)
		return nil, alert.Object{}, nil
	}
	if i >= len(b.identities) || b.identities[i] != of.ID {
		e.log.Error("passed over evidence: its event batch has the record of another event there", "stream", streams.Events, "sequence", ref.Sequence, "record", i)
		return nil, alert.Object{}, nil
	}
	return b.data[b.starts[i]:][:b.lengths[i]], b.object, nil
}

// batch returns a batch, which may have to be loaded yet.
func (e *evidence) batch(ctx context.Context, sequence uint64) *batch {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for old := e.used.Back(); old != nil && now.Sub(old.Value.(*batch).read) > keptFor; old = e.used.Back() {
		e.drop(old)
	}
	if at, ok := e.kept[sequence]; ok {
		e.used.MoveToFront(at)
		b := at.Value.(*batch)
		b.read = now
		return b
	}
	b := &batch{sequence: sequence, read: now}
	b.load = sync.OnceValue(func() error {
		// Others may wait for it who go on when this one ends.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadWithin)
		defer cancel()
		err := e.loading.Acquire(ctx, 1)
		if err == nil {
			defer e.loading.Release(1)
			err = e.load(ctx, b)
		}
		e.loaded(b, err)
		if err != nil {
			return fmt.Errorf("read event batch %d back: %w", b.sequence, err)
		}
		return nil
	})
	e.kept[sequence] = e.used.PushFront(b)
	return b
}

// loaded makes room for what a batch takes. One that could not be loaded is
// tried again by whoever asks next.
func (e *evidence) loaded(b *batch, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.kept[b.sequence]
	if at == nil || at.Value != b {
		return // it has made room for others while it was loaded
	}
	if err != nil || b.data == nil {
		e.drop(at)
		return
	}
	b.size = b.bytes()
	e.size += b.size
	for e.size > keptBytes && e.used.Len() > 1 {
		e.drop(e.used.Back())
	}
}

func (e *evidence) drop(at *list.Element) {
	b := e.used.Remove(at).(*batch)
	delete(e.kept, b.sequence)
	e.size -= b.size
}

func (e *evidence) load(ctx context.Context, b *batch) error {
	m, err := e.stream.GetMsg(ctx, b.sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var columns trailbellv1.EventBatch
	err = proto.Unmarshal(m.Data, &columns)
	var data []byte
	if err == nil {
		data, err = s2.Decode(nil, columns.GetRecords())
	}
	if err != nil {
		e.log.Error("passed over evidence: not an event batch", "stream", streams.Events, "sequence", b.sequence, "error", err)
		return nil
	}
	b.object = alert.Object{Bucket: columns.GetObject().GetBucket(), Key: columns.GetObject().GetKey()}
	b.starts, b.lengths, b.identities, b.data = columns.GetStarts(), columns.GetLengths(), columns.GetIdentities(), data
	return nil
}
