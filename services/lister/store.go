package lister

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// bucketStore is a Store in a JetStream key-value bucket.
type bucketStore struct{ kv jetstream.KeyValue }

func openStore(ctx context.Context, js jetstream.JetStream, bucket string) (Store, error) {
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("key-value bucket %s: %w", bucket, err)
	}
	return bucketStore{kv}, nil
}

func (s bucketStore) Get(ctx context.Context, key string) ([]byte, error) {
	e, err := s.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return e.Value(), nil
}

func (s bucketStore) Put(ctx context.Context, key string, value []byte) error {
	_, err := s.kv.Put(ctx, key, value)
	return err
}

func (s bucketStore) Delete(ctx context.Context, key string) error {
	return s.kv.Purge(ctx, key)
}
