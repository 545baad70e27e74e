package app

import (
	"context"
	"io"
	"sync"

	"github.com/trailbell/trailbell/internal/directory"
	"github.com/trailbell/trailbell/internal/s3"
)

// objects opens log objects, in buckets and in the file system. It implements
// the fetcher's Objects.
type objects struct {
	buckets map[string]s3.Bucket // how to reach those that are configured

	mu      sync.Mutex
	clients map[string]*s3.Client
}

func newObjects(c Config) *objects {
	o := &objects{buckets: map[string]s3.Bucket{}, clients: map[string]*s3.Client{}}
	for _, b := range c.Lister.Buckets {
		o.buckets[b.Name] = b.Bucket
	}
	return o
}

// client returns the client of a bucket. One that is not configured is reached
// by the default chain: the lister of another process may know it.
func (o *objects) client(ctx context.Context, bucket string) (*s3.Client, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c, ok := o.clients[bucket]; ok {
		return c, nil
	}
	b, ok := o.buckets[bucket]
	if !ok {
		b = s3.Bucket{Name: bucket}
	}
	c, err := s3.Open(ctx, b)
	if err != nil {
		return nil, err
	}
	o.clients[bucket] = c
	return c, nil
}

// Open opens an object. A bucket whose client cannot be made is tried again
// with the next object.
func (o *objects) Open(ctx context.Context, bucket, key string) (io.ReadCloser, int64, error) {
	if bucket == directory.Bucket {
		return directory.OpenFile(key)
	}
	c, err := o.client(ctx, bucket)
	if err != nil {
		return nil, 0, err
	}
	return c.Open(ctx, key)
}
