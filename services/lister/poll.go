package lister

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/listing"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// Poll discovers the trails and publishes what is new in the days that it
// watches. A trail costs one request for every thousand keys of these days,
// and at least one. An error of one trail does not hold up the others; one of
// publishing does. The report counts what was done in spite of it, and what
// was not done is done by the next poll. The error is an *Empty when there is
// no trail yet.
func (l *Lister) Poll(ctx context.Context, now time.Time) (Report, error) {
	floor := dateOf(now.Add(-l.config.LookBack))
	if err := l.begin(ctx, floor); err != nil {
		return Report{}, err
	}
	trails, report, err := Discover(ctx, l.source, l.config.Scope)
	if err != nil {
		if _, empty := errors.AsType[*Empty](err); empty {
			err = errors.Join(err, l.finish(ctx, floor))
		}
		return report, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		group errgroup.Group
		mu    sync.Mutex // of report and errs
		errs  []error
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}
	group.SetLimit(l.config.Parallel)
	var early Report // of what is listed to know where to begin
	for _, trail := range trails {
		if ctx.Err() != nil {
			break
		}
		state, err := l.load(ctx, trail, floor, &early)
		if err != nil {
			fail(err)
			continue
		}
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			part, err := l.poll(ctx, state, floor)
			if err != nil {
				fail(err)
			}
			if _, ok := errors.AsType[*publishError](err); ok {
				stop()
			}
			mu.Lock()
			defer mu.Unlock()
			report.Add(part)
			return nil
		})
	}
	_ = group.Wait() // each error is in errs
	report.Add(early)
	switch {
	case len(errs) > 1:
		return report, fmt.Errorf("%w (and %d more of %d trails failed)", errs[0], len(errs)-1, len(trails))
	case len(errs) == 1:
		return report, errs[0]
	case ctx.Err() != nil:
		return report, ctx.Err()
	}
	return report, l.finish(ctx, floor)
}

func (l *Lister) poll(ctx context.Context, s *state, floor date) (Report, error) {
	var r Report
	seen := s.hashes()
	pages := 0
	for page, err := range l.source.Objects(ctx, s.Dir, s.Dir+string(s.Window)+"/") {
		if err != nil {
			r.Requests += pages + 1
			return r, err
		}
		pages++
		if err := l.page(ctx, s, seen, page, &r); err != nil {
			r.Requests += pages
			return r, err
		}
	}
	r.Requests += max(1, pages)
	// What an earlier poll could not store.
	for _, k := range s.known {
		if err := k.flush(ctx, l.store); err != nil {
			return r, err
		}
	}
	return r, s.advance(ctx, l.store, floor, l.config.PageKeys)
}

// hashes is the set of all that is known of a trail. It is built for a poll
// and dropped: at rest a key takes its eight bytes and no more.
func (s *state) hashes() map[uint64]struct{} {
	n := 0
	for _, k := range s.known {
		n += len(k.hashes)
	}
	set := make(map[uint64]struct{}, n)
	for _, k := range s.known {
		for _, hash := range k.hashes {
			set[hash] = struct{}{}
		}
	}
	return set
}

// page publishes what is new on one page, then remembers it.
func (l *Lister) page(ctx context.Context, s *state, seen map[uint64]struct{}, page []listing.Object, r *Report) error {
	var (
		refs []*trailbellv1.ObjectRef
		days []date // of each reference
	)
	for i, o := range page {
		_, known := seen[hashKey(o.Key)]
		if known && i < len(page)-1 {
			// Nothing more is to be learned of it: the stamp comes before the
			// random part, so the newest of a page is its last.
			r.Listed++
			continue
		}
		key, ok := r.take(o)
		if !ok || known {
			continue
		}
		refs = append(refs, reference(l.config.Bucket, o, key))
		days = append(days, dateOf(key.Day))
	}
	if len(refs) == 0 {
		return nil
	}
	if err := s.open(ctx, l.store, slices.Compact(slices.Clone(days))); err != nil {
		return err
	}
	if err := l.send(ctx, refs); err != nil {
		return err
	}
	r.publish(refs)
	for i, ref := range refs {
		hash := hashKey(ref.Key)
		seen[hash] = struct{}{}
		k := s.known[days[i]]
		k.hashes = append(k.hashes, hash)
	}
	for _, day := range slices.Compact(days) {
		if err := s.known[day].flush(ctx, l.store); err != nil {
			return err
		}
	}
	return nil
}

// take counts a listed object and says whether it is a log.
func (r *Report) take(o listing.Object) (cloudtrail.Key, bool) {
	r.Listed++
	key, err := cloudtrail.ParseKey(o.Key)
	if err != nil || !key.IsLog() {
		r.Ignored++
		return key, false
	}
	if key.Delivered.After(r.Newest) {
		r.Newest = key.Delivered
	}
	return key, true
}

// publish counts references that were published.
func (r *Report) publish(refs []*trailbellv1.ObjectRef) {
	r.New += len(refs)
	for _, ref := range refs {
		r.Bytes += ref.Size
	}
}

func reference(bucket string, o listing.Object, key cloudtrail.Key) *trailbellv1.ObjectRef {
	ref := &trailbellv1.ObjectRef{
		Bucket: bucket, Key: o.Key, Size: o.Size, Account: key.Account, Region: key.Region,
	}
	if !key.Delivered.IsZero() {
		ref.Delivered = timestamppb.New(key.Delivered)
	}
	return ref
}
