package lister

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/trailbell/trailbell/internal/cloudtrail"
)

// progress is how far the bucket as a whole is: where a trail begins that is
// seen for the first time. It need not be new. After a rest of a week its
// first file may be a week old, and the look-back would not reach it.
type progress struct {
	// Bucket and Root say whose it is; nothing reads them.
	Bucket string `json:"bucket"`
	Root   string `json:"root"`
	// Window is the first day of the look-back at the last poll that was
	// complete; before there was one, the day to start with.
	Window date `json:"window"`

	key string
}

// begin reads the progress, or starts with floor, the first day of the
// look-back, or with since if that is later. A since before floor is for
// History.
func (l *Lister) begin(ctx context.Context, floor date) error {
	if l.progress != nil {
		return nil
	}
	base, _ := l.config.Scope.split()
	p := &progress{Bucket: l.config.Bucket, Root: cloudtrail.Key{Prefix: base}.RootDir()}
	p.key = fmt.Sprintf("bucket/%016x", xxhash.Sum64String(p.Bucket+"\x00"+p.Root))
	value, err := l.store.Get(ctx, p.key)
	if err != nil {
		return fmt.Errorf("read progress %s of bucket %q: %w", p.key, p.Bucket, err)
	}
	if value == nil {
		// Stored at once: a first poll that never ends still has begun today.
		p.Window = max(floor, l.since())
		if err := p.save(ctx, l.store); err != nil {
			return err
		}
	} else if err := json.Unmarshal(value, p); err != nil || !p.Window.valid() {
		return fmt.Errorf("progress %s of bucket %q: window %q is not a day (%v); delete the value to begin anew", p.key, p.Bucket, p.Window, err)
	}
	l.progress = p
	return nil
}

// finish moves the progress up after a complete poll.
func (l *Lister) finish(ctx context.Context, floor date) error {
	before := l.progress.Window
	if floor <= before {
		return nil
	}
	l.progress.Window = floor
	if err := l.progress.save(ctx, l.store); err != nil {
		l.progress.Window = before
		return err
	}
	return nil
}

func (p *progress) save(ctx context.Context, store Store) error {
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := store.Put(ctx, p.key, value); err != nil {
		return fmt.Errorf("store progress %s of bucket %q: %w", p.key, p.Bucket, err)
	}
	return nil
}
