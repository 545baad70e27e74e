package lister

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// chunkHashes is how many hashes are in one value of the store. A chunk that
// is full is never written again, so a page costs at most two writes of 64 KiB
// however many keys the day has.
const chunkHashes = 8192

// known holds the keys of one trail and day that have been published, as
// 64-bit hashes in the order they came: a million keys collide once in forty
// million days.
type known struct {
	base   string // of the keys in the store
	hashes []uint64
	stored int // how many of them the store has
}

func newKnown(stateKey string, day date) *known {
	return &known{base: stateKey + "/" + strings.ReplaceAll(string(day), "/", "-")}
}

func hashKey(key string) uint64 { return xxhash.Sum64String(key) }

func (k *known) chunk(n int) string { return k.base + "/" + strconv.Itoa(n) }

// load reads what the store has. Chunks are written in order and deleted from
// the last, so the first that is missing is the end.
func (k *known) load(ctx context.Context, store Store) error {
	k.hashes = nil
	for n := 0; ; n++ {
		value, err := store.Get(ctx, k.chunk(n))
		if err != nil {
			return fmt.Errorf("read known keys %s: %w", k.chunk(n), err)
		}
		if len(value)%8 != 0 || len(value) > 8*chunkHashes {
			return fmt.Errorf("known keys %s: %d bytes are no list of hashes; delete the value to list the day again", k.chunk(n), len(value))
		}
		for ; len(value) > 0; value = value[8:] {
			k.hashes = append(k.hashes, binary.LittleEndian.Uint64(value))
		}
		if len(k.hashes) < (n+1)*chunkHashes {
			k.stored = len(k.hashes)
			return nil
		}
	}
}

// flush writes what the store does not have yet.
func (k *known) flush(ctx context.Context, store Store) error {
	for k.stored < len(k.hashes) {
		n := k.stored / chunkHashes
		end := min((n+1)*chunkHashes, len(k.hashes))
		value := make([]byte, 0, 8*chunkHashes)
		for _, hash := range k.hashes[n*chunkHashes : end] {
			value = binary.LittleEndian.AppendUint64(value, hash)
		}
		if err := store.Put(ctx, k.chunk(n), value); err != nil {
			return fmt.Errorf("store known keys %s: %w", k.chunk(n), err)
		}
		k.stored = end
	}
	return nil
}

// forget deletes all chunks, from the last to the first.
func (k *known) forget(ctx context.Context, store Store) error {
	if err := k.load(ctx, store); err != nil {
		return err
	}
	for n := len(k.hashes) / chunkHashes; n >= 0; n-- {
		if err := store.Delete(ctx, k.chunk(n)); err != nil {
			return fmt.Errorf("delete known keys %s: %w", k.chunk(n), err)
		}
	}
	return nil
}
