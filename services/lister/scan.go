package lister

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/listing"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// Range is a time span by delivery: a log delivered at Since is in it, one
// delivered at Until is not. The events inside are up to 15 minutes and more
// older. A zero Since or Until leaves that side open.
type Range struct{ Since, Until time.Time }

func (r Range) holds(t time.Time) bool {
	return !t.Before(r.Since) && (r.Until.IsZero() || t.Before(r.Until))
}

// Scan lists the logs of a range once, in ascending order of trails and keys,
// and remembers nothing. With publish nil it only counts: that is the estimate
// of a scan, at the price of its listings.
func Scan(ctx context.Context, source Source, bucket string, scope Scope, span Range, publish Publish) (Report, error) {
	trails, report, err := Discover(ctx, source, scope)
	if err != nil {
		return report, err
	}
	_, within := scope.split()
	for _, trail := range trails {
		if err := scan(ctx, source, bucket, trail, within, span, publish, &report); err != nil {
			return report, err
		}
	}
	return report, nil
}

func scan(ctx context.Context, source Source, bucket string, trail Trail, within string, span Range, publish Publish, r *Report) error {
	prefix, after := trail.Dir, ""
	if len(within) > len(prefix) {
		prefix = within
	}
	if !span.Since.IsZero() {
		after = trail.Dir + string(dateOf(span.Since)) + "/"
	}
	last := ""
	if !span.Until.IsZero() {
		last = trail.Dir + string(dateOf(span.Until)) + "0" // the byte after the slash
	}
	pages := 0
	for page, err := range source.Objects(ctx, prefix, after) {
		pages++
		if err != nil {
			r.Requests += pages
			return err
		}
		through := false
		if last != "" {
			if i := slices.IndexFunc(page, func(o listing.Object) bool { return o.Key >= last }); i >= 0 {
				page, through = page[:i], true
			}
		}
		refs := r.logs(bucket, page, &span)
		if len(refs) > 0 && publish != nil {
			if err := publish(ctx, refs); err != nil {
				r.Requests += pages
				return err
			}
		}
		r.publish(refs)
		if through {
			break
		}
	}
	r.Requests += max(1, pages)
	return nil
}

// logs are references to the logs of a page, all or those in a range.
func (r *Report) logs(bucket string, page []listing.Object, span *Range) []*trailbellv1.ObjectRef {
	refs := make([]*trailbellv1.ObjectRef, 0, len(page))
	for _, o := range page {
		key, ok := r.take(o)
		if ok && (span == nil || span.holds(key.Delivered)) {
			refs = append(refs, reference(bucket, o, key))
		}
	}
	return refs
}

// ScanFiles lists everything below prefix, whatever its layout: it is for the
// files of a local scan, which people lay out as they like. Digests and other
// siblings of the logs are ignored by the names that CloudTrail gives them,
// which survive any layout. With publish nil it only counts.
func ScanFiles(ctx context.Context, source Source, bucket, prefix string, publish Publish) (Report, error) {
	var r Report
	for page, err := range source.Objects(ctx, prefix, "") {
		r.Requests++
		if err != nil {
			return r, err
		}
		refs := make([]*trailbellv1.ObjectRef, 0, len(page))
		for _, o := range page {
			r.Listed++
			if strings.Contains(path.Base(o.Key), "_"+cloudtrail.KindLog+"-") {
				r.Ignored++
				continue
			}
			key, err := cloudtrail.ParseKey(o.Key)
			if err != nil {
				key = cloudtrail.Key{} // nothing of it can be relied on
			} else if key.Delivered.After(r.Newest) {
				r.Newest = key.Delivered
			}
			refs = append(refs, reference(bucket, o, key))
		}
		if len(refs) > 0 && publish != nil {
			if err := publish(ctx, refs); err != nil {
				return r, err
			}
		}
		r.publish(refs)
	}
	return r, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
