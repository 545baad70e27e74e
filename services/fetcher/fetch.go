// Package fetcher gets log objects and cuts them into slices of whole records.
//
// It finds the borders of records and does not look inside them: what a record
// says is the decoder's business. An object is decompressed as a stream; a
// slice and a record are held at a time, whatever the object's size.
package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/proto"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/s3"
	"github.com/trailbell/trailbell/internal/stage"
	"github.com/trailbell/trailbell/internal/streams"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// Objects opens log objects by bucket and key. The size is in bytes, -1 when
// it is not known.
type Objects interface {
	Open(ctx context.Context, bucket, key string) (io.ReadCloser, int64, error)
}

// Options bound what a fetcher holds. Zero values take the defaults.
type Options struct {
	SliceBytes int   // a batch, decompressed; default 512 kB
	MaxRecord  int   // a record; a longer one is a dead letter; default 1 MiB
	MaxObject  int64 // an object, decompressed; default 4 GiB
	MaxRatio   int64 // decompressed to compressed; default 250
}

// fetcher is the stage.
type fetcher struct {
	Options
	objects Objects
	tools   sync.Pool // of *tool
}

// tool is what it takes to cut an object: a megabyte or two, used again for
// the next one.
type tool struct {
	cutter  *cloudtrail.Cutter
	bad     func(cloudtrail.BadRecord) error // of the object being cut
	encoded []byte
}

func newFetcher(objects Objects, o Options) *fetcher {
	f := &fetcher{Options: o, objects: objects}
	f.tools.New = func() any {
		t := &tool{}
		t.cutter = cloudtrail.NewCutter(nil, cloudtrail.CutterOptions{
			SliceBytes: o.SliceBytes, MaxRecord: o.MaxRecord,
			Bad: func(b cloudtrail.BadRecord) error { return t.bad(b) },
		})
		return t
	}
	return f
}

// fetch takes an object reference and emits the object's slices.
func (f *fetcher) fetch(ctx context.Context, m stage.Message, out *stage.Output) error {
	var ref trailbellv1.ObjectRef
	if err := proto.Unmarshal(m.Data, &ref); err != nil {
		return stage.Permanent(fmt.Errorf("not an object reference: %w", err))
	}
	err := f.object(ctx, &ref, m.ID, out)
	if reason, lost := lostReason(err); lost {
		d := &trailbellv1.DeadLetter{Reason: reason, Object: &ref}
		var format *cloudtrail.FormatError
		if errors.As(err, &format) {
			d.Offset = proto.Uint64(format.Offset)
		}
		return out.Dead(ctx, d)
	}
	return err
}

// lostReason says why the same object can never be processed, if so.
func lostReason(err error) (string, bool) {
	var format *cloudtrail.FormatError
	switch {
	case errors.As(err, &format):
		return format.Reason, true
	case s3.KindOf(err).ObjectLost(), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return err.Error(), true
	}
	return "", false
}

// object cuts one object.
func (f *fetcher) object(ctx context.Context, ref *trailbellv1.ObjectRef, id string, out *stage.Output) error {
	body, _, err := f.objects.Open(ctx, ref.GetBucket(), ref.GetKey())
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // nothing was written to it
	r, err := cloudtrail.Open(body, cloudtrail.OpenOptions{MaxBytes: f.MaxObject, MaxRatio: f.MaxRatio})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()

	t := f.tools.Get().(*tool)
	defer f.tools.Put(t)
	t.cutter.Reset(r)
	t.bad = func(b cloudtrail.BadRecord) error {
		return out.Dead(ctx, &trailbellv1.DeadLetter{Reason: b.Reason, Object: ref, Offset: proto.Uint64(b.Offset)})
	}
	if id == "" {
		id = streams.ObjectID(ref.GetBucket(), ref.GetKey())
	}
	subject := streams.BatchesSubject(ref.GetAccount(), ref.GetRegion())
	for {
		slice, err := t.cutter.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		size := uint32(len(slice.Data))
		t.encoded = s2.Encode(t.encoded[:cap(t.encoded)], slice.Data)
		data, err := proto.Marshal(&trailbellv1.RecordBatch{
			Object:  ref,
			Offset:  slice.Offset,
			Size:    size,
			Records: t.encoded,
			Starts:  slice.Starts,
			Lengths: slice.Lengths,
		})
		if err != nil {
			return stage.Permanent(fmt.Errorf("encode a slice: %w", err))
		}
		err = out.Emit(ctx, stage.Publication{
			Stream: streams.Batches, Subject: subject,
			ID: streams.BatchID(id, slice.Offset, size), Data: data,
		})
		if err != nil {
			return err
		}
	}
}
