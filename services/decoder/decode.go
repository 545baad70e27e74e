// Package decoder reads the records of a slice: it refuses what is no record,
// and puts the fields that everybody needs into columns in front of the rest.
// The compressed slice itself is passed on as it came.
package decoder

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// buffers hold decompressed slices: half a megabyte each, which would cost
// more to allocate than to fill.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// decode is the stage: a slice in, its event batch out.
func decode(ctx context.Context, m stage.Message, out *stage.Output) error {
	var in trailbellv1.RecordBatch
	if err := proto.Unmarshal(m.Data, &in); err != nil {
		return stage.Permanent(fmt.Errorf("not a slice of records: %w", err))
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	data, err := s2.Decode(*buffer, in.GetRecords())
	if err != nil {
		return stage.Permanent(fmt.Errorf("slice of %s/%s: %w", in.GetObject().GetBucket(), in.GetObject().GetKey(), err))
	}
	*buffer = data[:cap(data)]
	if err := consistent(&in, len(data)); err != nil {
		return stage.Permanent(err)
	}
	b := newBuilder(&in)
	for i, start := range in.GetStarts() {
		record := data[start : start+in.GetLengths()[i]]
		offset := in.GetOffset() + uint64(start)
		hot, err := cloudtrail.Decode(record, cloudtrail.Origin{Bucket: in.GetObject().GetBucket(), Key: in.GetObject().GetKey(), Offset: offset})
		if err != nil {
			d := &trailbellv1.DeadLetter{Reason: reason(err), Object: in.GetObject(), Offset: proto.Uint64(offset)}
			if err := out.Dead(ctx, d); err != nil {
				return err
			}
			continue
		}
		b.add(start, in.GetLengths()[i], hot)
	}
	if len(b.out.GetStarts()) == 0 {
		return nil
	}
	payload, err := proto.Marshal(b.out)
	if err != nil {
		return stage.Permanent(fmt.Errorf("encode an event batch: %w", err))
	}
	account, region := b.place()
	id := streams.BatchID(streams.ObjectID(in.GetObject().GetBucket(), in.GetObject().GetKey()), in.GetOffset(), in.GetSize())
	return out.Emit(ctx, stage.Publication{
		Stream: streams.Events, Subject: streams.EventsSubject(account, region), ID: id, Data: payload,
	})
}

// reason of a dead letter. The offset is a field of its own.
func reason(err error) string {
	var format *cloudtrail.FormatError
	if errors.As(err, &format) {
		return format.Reason
	}
	return err.Error()
}

func consistent(in *trailbellv1.RecordBatch, size int) error {
	if len(in.GetStarts()) != len(in.GetLengths()) {
		return errors.New("a slice with another number of starts than of lengths")
	}
	for i, start := range in.GetStarts() {
		if uint64(start)+uint64(in.GetLengths()[i]) > uint64(size) {
			return errors.New("a slice with a record beyond its end")
		}
	}
	return nil
}

// builder fills the columns of an event batch.
type builder struct {
	out   *trailbellv1.EventBatch
	types map[[2]string]uint32
	// The one account and region of the records, when they agree.
	account, region string
	mixed           bool
}

func newBuilder(in *trailbellv1.RecordBatch) *builder {
	n := len(in.GetStarts())
	return &builder{
		types: make(map[[2]string]uint32, 16),
		out: &trailbellv1.EventBatch{
			Object: in.GetObject(), Offset: in.GetOffset(), Size: in.GetSize(), Records: in.GetRecords(),
			Starts: make([]uint32, 0, n), Lengths: make([]uint32, 0, n), TypeIndex: make([]uint32, 0, n),
			Times: make([]int64, 0, n), Identities: make([]string, 0, n),
		},
	}
}

func (b *builder) add(start, length uint32, hot cloudtrail.Hot) {
	if len(b.out.Starts) == 0 {
		b.account, b.region = string(hot.Account), string(hot.Region)
	} else if b.account != string(hot.Account) || b.region != string(hot.Region) {
		b.mixed = true
	}
	b.out.Starts = append(b.out.Starts, start)
	b.out.Lengths = append(b.out.Lengths, length)
	b.out.TypeIndex = append(b.out.TypeIndex, b.typeOf(hot.Source, hot.Name))
	b.out.Times = append(b.out.Times, hot.Time)
	b.out.Identities = append(b.out.Identities, string(hot.Identity))
}

func (b *builder) typeOf(source, name []byte) uint32 {
	// The conversions in the index expression do not allocate; those below
	// happen once a distinct pair.
	if i, ok := b.types[[2]string{string(source), string(name)}]; ok {
		return i
	}
	t := &trailbellv1.EventType{Source: string(source), Name: string(name)}
	i := uint32(len(b.out.Types))
	b.out.Types = append(b.out.Types, t)
	b.types[[2]string{t.Source, t.Name}] = i
	return i
}

// place says under which account and region the batch is published: those of
// the object's key, else those of its records when all agree.
func (b *builder) place() (account, region string) {
	o := b.out.GetObject()
	if o.GetAccount() != "" || b.mixed {
		return o.GetAccount(), o.GetRegion()
	}
	return b.account, b.region
}
