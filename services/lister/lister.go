// Package lister finds the log objects of a bucket and says each of them once.
//
// A listing is the only way to learn of every object, and CloudTrail does not
// make it easy: the end of a file's name is random, so a file that arrives
// later can sort before one that is known. A high-water mark would lose it.
// So every poll lists the days of the look-back again, and compares with the
// keys it knows of these days:
//
//	                 From                 Window               now
//	   history        |   listed for good  |   listed each poll |
//	---|--------------|--------------------|--------------------|--->  day of the key
//	   since          |                    |  known keys        |
//	   once, if asked |                    |  (hash, a day)     |
//
// When a poll is through, Window moves up to the first day of the look-back
// and the keys of the days behind it are forgotten. Window moves with polls
// and not with the clock: after a week's rest the first poll lists that week.
// And it moves only as far as it has to: a poll makes a request, which lists a
// thousand keys, and as long as a trail has no more, no day is given up.
//
// References are published first and remembered afterwards. A crash in between
// publishes them again, which the ids of later messages hide; no crash loses
// one.
package lister

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/trailbell/trailbell/internal/listing"
	trailbellv1 "github.com/trailbell/trailbell/proto/trailbell/v1"
)

// Source is where objects are listed: a bucket, or a directory.
type Source interface {
	// Folders are what comes between prefix and the next slash: whole
	// prefixes with their slash at the end, ascending.
	Folders(ctx context.Context, prefix string) ([]string, error)
	// Objects are those below prefix whose keys sort after startAfter,
	// ascending by bytes, one request's worth an element. An error is the last
	// element.
	Objects(ctx context.Context, prefix, startAfter string) iter.Seq2[[]listing.Object, error]
}

// Store keeps what a lister knows between runs. Keys are made of
// [-/_=.a-zA-Z0-9], values have at most 64 KiB.
type Store interface {
	// Get returns nil and no error when there is no such key.
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, value []byte) error
	// Delete does not mind when there is no such key.
	Delete(ctx context.Context, key string) error
}

// Publish hands over references and returns when all of them are durable, or
// an error, after which any of them may or may not be. It may block for as
// long as the stages behind are busy. It is never called twice at a time.
type Publish func(ctx context.Context, refs []*trailbellv1.ObjectRef) error

const (
	// DefaultLookBack is how late a file may arrive and still be found.
	DefaultLookBack = 48 * time.Hour

	// Listings at a time when Config does not say.
	defaultParallel = 8
)

// Config says what a Lister lists.
type Config struct {
	// Bucket is the name that references carry.
	Bucket string
	Scope  Scope
	// LookBack is how late a file may arrive and still be found, in whole
	// days touched; DefaultLookBack when zero.
	LookBack time.Duration
	// Since is the day to begin with, at the first poll ever of a trail. An
	// earlier one in a later run lists the days that are missing, once; a
	// later one changes nothing that has begun. When zero: the look-back.
	Since time.Time
	// Parallel is how many listings run at a time; 8 when zero.
	Parallel int
	// PageKeys is how many keys one request lists; 1,000, as in S3, when zero.
	PageKeys int
}

// Lister finds the new objects of one bucket. Its methods are called one at a
// time. It keeps in memory what it knows (8 bytes a key of the look-back), so
// it must be the only one of its bucket and Store: whoever takes over makes a
// new one. Two at once would do no more harm than say a key twice.
type Lister struct {
	config  Config
	source  Source
	store   Store
	publish Publish

	publishing chan struct{}     // full while somebody publishes, which may take hours
	progress   *progress         // of the bucket; nil before the first poll
	states     map[string]*state // by the folder of the trail
}

// New prepares a lister; it makes no request yet.
func New(c Config, source Source, store Store, publish Publish) *Lister {
	if c.LookBack <= 0 {
		c.LookBack = DefaultLookBack
	}
	if c.Parallel <= 0 {
		c.Parallel = defaultParallel
	}
	if c.PageKeys <= 0 {
		c.PageKeys = pageKeys
	}
	return &Lister{
		config: c, source: source, store: store, publish: publish,
		publishing: make(chan struct{}, 1), states: map[string]*state{},
	}
}

// Start is the first day that the first poll of a trail lists when it runs at
// now, at midnight UTC.
func (c Config) Start(now time.Time) time.Time {
	lookBack := c.LookBack
	if lookBack <= 0 {
		lookBack = DefaultLookBack
	}
	if !c.Since.IsZero() {
		return c.Since.UTC().Truncate(24 * time.Hour)
	}
	return now.Add(-lookBack).UTC().Truncate(24 * time.Hour)
}

// since is the day asked for, or empty.
func (l *Lister) since() date {
	if l.config.Since.IsZero() {
		return ""
	}
	return dateOf(l.config.Since)
}

func (l *Lister) send(ctx context.Context, refs []*trailbellv1.ObjectRef) error {
	select {
	case l.publishing <- struct{}{}:
		defer func() { <-l.publishing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := l.publish(ctx, refs); err != nil {
		return &publishError{bucket: l.config.Bucket, n: len(refs), err: err}
	}
	return nil
}

// publishError marks an error that every trail would run into.
type publishError struct {
	bucket string
	n      int
	err    error
}

func (e *publishError) Error() string {
	return fmt.Sprintf("publish %d references of bucket %q: %v", e.n, e.bucket, e.err)
}
func (e *publishError) Unwrap() error { return e.err }
