package lister_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailbell/trailbell/internal/cloudtrail"
	"github.com/trailbell/trailbell/internal/listing"
	"github.com/trailbell/trailbell/services/lister"

	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

var errFault = errors.New("planted fault")

// fault breaks one step of a run. A step that changes something breaks in two
// ways: nothing was done, or all of it was and only the answer was lost.
type fault struct {
	mu      sync.Mutex
	after   int // steps that go well; negative: all of them
	applied bool
	hit     string // the step that broke
}

// step reports whether to do the step, and what to return.
func (f *fault) step(name string) (do bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.after < 0 {
		return true, nil
	}
	f.after--
	if f.after >= 0 {
		return true, nil
	}
	f.hit = name
	return f.applied, fmt.Errorf("%s: %w", name, errFault)
}

// bucket is a source in memory that answers as S3 does.
type bucket struct {
	*fault
	mu       sync.Mutex
	keys     map[string]int64
	page     int
	requests int
}

func newBucket(keys ...string) *bucket {
	b := &bucket{fault: &fault{after: -1}, keys: map[string]int64{}, page: 1000}
	b.put(keys...)
	return b
}

func (b *bucket) put(keys ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range keys {
		b.keys[key] = 100
	}
}

func (b *bucket) sorted(prefix, after string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []string
	for key := range b.keys {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (b *bucket) request() error {
	b.mu.Lock()
	b.requests++
	b.mu.Unlock()
	_, err := b.step("list")
	return err
}

func (b *bucket) Folders(_ context.Context, prefix string) ([]string, error) {
	if err := b.request(); err != nil {
		return nil, err
	}
	folders := map[string]bool{}
	for _, key := range b.sorted(prefix, "") {
		if name, _, ok := strings.Cut(key[len(prefix):], "/"); ok {
			folders[prefix+name+"/"] = true
		}
	}
	return slices.Sorted(maps.Keys(folders)), nil
}

func (b *bucket) Objects(_ context.Context, prefix, startAfter string) iter.Seq2[[]listing.Object, error] {
	return func(yield func([]listing.Object, error) bool) {
		for {
			if err := b.request(); err != nil {
				yield(nil, err)
				return
			}
			keys := b.sorted(prefix, startAfter)
			more := len(keys) > b.page
			keys = keys[:min(len(keys), b.page)]
			var page []listing.Object
			for _, key := range keys {
				page = append(page, listing.Object{Key: key, Size: 100})
			}
			if len(page) > 0 && !yield(page, nil) || !more {
				return
			}
			startAfter = keys[len(keys)-1]
		}
	}
}

// listedBucket is a bucket whose objects have been listed before.
type listedBucket struct {
	*bucket
	pages [][]listing.Object
}

func (b listedBucket) Objects(context.Context, string, string) iter.Seq2[[]listing.Object, error] {
	return func(yield func([]listing.Object, error) bool) {
		for _, page := range b.pages {
			if !yield(page, nil) {
				return
			}
		}
	}
}

// store is a Store in memory that holds its users to the contract.
type store struct {
	*fault
	t      interface{ Errorf(string, ...any) }
	mu     sync.Mutex
	values map[string][]byte
	puts   int
}

func newStore(t interface{ Errorf(string, ...any) }) *store {
	return &store{fault: &fault{after: -1}, t: t, values: map[string][]byte{}}
}

var storeKey = regexp.MustCompile(`^[-/_=.a-zA-Z0-9]+$`)

func (s *store) change(name, key string, apply func()) error {
	if !storeKey.MatchString(key) || strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") {
		s.t.Errorf("%s: the store takes no key %q", name, key)
	}
	do, err := s.step(name)
	if do {
		s.mu.Lock()
		defer s.mu.Unlock()
		apply()
	}
	return err
}

func (s *store) Get(_ context.Context, key string) (value []byte, err error) {
	err = s.change("get", key, func() { value = slices.Clone(s.values[key]) })
	if err != nil {
		return nil, err
	}
	return value, nil
}

func (s *store) Put(_ context.Context, key string, value []byte) error {
	if len(value) > 64<<10 {
		s.t.Errorf("%d bytes in %s", len(value), key)
	}
	return s.change("put", key, func() { s.values[key] = slices.Clone(value); s.puts++ })
}

func (s *store) Delete(_ context.Context, key string) error {
	return s.change("delete", key, func() { delete(s.values, key) })
}

// reader takes references as the stages behind would.
type reader struct {
	*fault
	mu     sync.Mutex
	refs   []*trailbellv1.ObjectRef
	counts map[string]int
	busy   bool
}

func newReader() *reader {
	return &reader{fault: &fault{after: -1}, counts: map[string]int{}}
}

func (r *reader) publish(ctx context.Context, refs []*trailbellv1.ObjectRef) error {
	return r.slowly(ctx, refs, 0)
}

// slowly publishes and takes its time.
func (r *reader) slowly(_ context.Context, refs []*trailbellv1.ObjectRef, d time.Duration) error {
	r.mu.Lock()
	if r.busy {
		r.mu.Unlock()
		return errors.New("published twice at a time")
	}
	r.busy = true
	r.mu.Unlock()
	if d > 0 {
		<-time.After(d)
	}
	do, err := r.step("publish")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
	if do {
		r.refs = append(r.refs, refs...)
		for _, ref := range refs {
			r.counts[ref.Key]++
		}
	}
	return err
}

func (r *reader) keys() []string {
	keys := make([]string, len(r.refs))
	for i, ref := range r.refs {
		keys[i] = ref.Key
	}
	return keys
}

// log is the key of a log object.
func log(account, region string, delivered time.Time, suffix string) string {
	return cloudtrail.Key{
		Account: account, Kind: cloudtrail.KindLog, Region: region,
		Day: delivered.Truncate(24 * time.Hour), Delivered: delivered, Suffix: suffix,
	}.String()
}

const (
	alice = "111122223333"
	bob   = "444455556666"
)

// tuesday is the now of most tests.
var tuesday = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func day(d int) time.Time { return time.Date(2026, 11, d, 9, 30, 0, 0, time.UTC) }

// bench is a lister with everything around it.
type bench struct {
	t      *testing.T
	bucket *bucket
	store  *store
	reader *reader
	config lister.Config
	lister *lister.Lister
}

func newBench(t *testing.T, keys ...string) *bench {
	b := &bench{t: t, bucket: newBucket(keys...), store: newStore(t), reader: newReader(), config: lister.Config{Bucket: "trail", PageKeys: 1}}
	b.restart()
	return b
}

func (b *bench) restart() {
	b.lister = lister.New(b.config, b.bucket, b.store, b.reader.publish)
}

// poll wants a poll without error, and gives what it published.
func (b *bench) poll(now time.Time) []string {
	b.t.Helper()
	b.reader.refs = nil
	if _, err := b.lister.Poll(b.t.Context(), now); err != nil {
		b.t.Fatal(err)
	}
	return b.sortedKeys()
}

// history wants the whole history, and gives what it published.
func (b *bench) history() []string {
	b.t.Helper()
	b.reader.refs = nil
	for {
		_, done, err := b.lister.History(b.t.Context(), 3)
		if err != nil {
			b.t.Fatal(err)
		}
		if done {
			return b.sortedKeys()
		}
	}
}

func (b *bench) sortedKeys() []string {
	keys := b.reader.keys()
	slices.Sort(keys)
	return keys
}
