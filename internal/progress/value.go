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

// value is a value in the bucket that is written by compare-and-set.
type value[T any] struct {
	kv    jetstream.KeyValue
	key   string
	epoch string

	mu       sync.Mutex
	known    T // what the store had when we last looked or wrote
	revision uint64
}

// kept is a value as the bucket holds it. The epoch tells streams from those that
// were created anew and count from 1 again.
type kept[T any] struct {
	Epoch string `json:"epoch"`
	Is    T      `json:"is"`
}

// open returns a value that goes with streams which were created then.
func open[T any](ctx context.Context, js jetstream.JetStream, key string, created ...time.Time) (*value[T], error) {
	kv, err := js.KeyValue(ctx, streams.ProgressBucket)
	if err != nil {
		return nil, fmt.Errorf("key-value bucket %s: %w", streams.ProgressBucket, err)
	}
	var epoch []string
	for _, at := range created {
		epoch = append(epoch, at.UTC().Format(time.RFC3339Nano))
	}
	return &value[T]{kv: kv, key: key, epoch: strings.Join(epoch, " ")}, nil
}

// read returns what the store has, the zero value if that is nothing.
func (v *value[T]) read(ctx context.Context) (T, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.load(ctx)
	return v.known, err
}

// conflictPause gives a replica time to catch up with what refused us.
const conflictPause = 10 * time.Millisecond

// change writes what to makes of the value, until nobody else writes at the same
// time, or to reports that there is nothing to write. It is asked about what we
// knew before it is asked about what the store has.
func (v *value[T]) change(ctx context.Context, to func(T) (T, bool)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for refused := false; ; refused = true {
		next, ok := to(v.known)
		if !ok {
			return nil
		}
		if refused {
			if err := pause(ctx); err != nil {
				return err
			}
		}
		err := v.put(ctx, next)
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return err
		}
		// Another was here, or we have not looked yet.
		if err := v.load(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(conflictPause):
		return nil
	}
}

func (v *value[T]) load(ctx context.Context) error {
	v.known, v.revision = *new(T), 0
	e, err := v.kv.Get(ctx, v.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read progress %s: %w", v.key, err)
	}
	v.revision = e.Revision()
	var is kept[T]
	if err := json.Unmarshal(e.Value(), &is); err == nil && is.Epoch == v.epoch {
		v.known = is.Is // else it is that of another stream
	}
	return nil
}

// put writes over what is known.
func (v *value[T]) put(ctx context.Context, next T) error {
	data, err := json.Marshal(kept[T]{v.epoch, next})
	if err != nil {
		return err
	}
	var revision uint64
	if v.revision == 0 {
		revision, err = v.kv.Create(ctx, v.key, data) // also over the mark of a deletion
	} else {
		revision, err = v.kv.Update(ctx, v.key, data, v.revision)
	}
	if err != nil {
		return fmt.Errorf("write progress %s: %w", v.key, err)
	}
	v.known, v.revision = next, revision
	return nil
}
