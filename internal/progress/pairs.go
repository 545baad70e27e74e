package progress

import (
	"context"
	"maps"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Pair is a place in one stream, up to which all is done, and one in another
// stream that goes with it.
type Pair struct {
	Sequence uint64 `json:"sequence"`
	Other    uint64 `json:"other"`
}

// falls reports whether either place would fall if the pair became next.
func (p Pair) falls(next Pair) bool { return next.Sequence < p.Sequence || next.Other < p.Other }

// Pairs are how far one stream is done for several purposes, each with a place in
// another stream, under one key. Who pursues some of the purposes leaves what is
// known of the others alone. It may be used by several goroutines.
type Pairs struct{ are *value[map[string]Pair] }

// OpenPairs returns the pairs of two streams under a key, which is a token.
// Created is when they were made: of streams that were made anew, nothing is done.
func OpenPairs(ctx context.Context, js jetstream.JetStream, key string, created [2]time.Time) (*Pairs, error) {
	v, err := open[map[string]Pair](ctx, js, key, created[:]...)
	return &Pairs{v}, err
}

// Begin returns the pairs of some purposes, after those that are new have been
// given the pair from. It drops those of others who have not been at work since
// the stream began with sequence first: all that they were done with is gone.
func (p *Pairs) Begin(ctx context.Context, purposes []string, from Pair, first uint64) (map[string]Pair, error) {
	if _, err := p.are.read(ctx); err != nil {
		return nil, err
	}
	begun := map[string]Pair{}
	err := p.are.change(ctx, func(are map[string]Pair) (map[string]Pair, bool) {
		clear(begun)
		for _, purpose := range purposes {
			begun[purpose] = from
			if is, ok := are[purpose]; ok {
				begun[purpose] = is
			}
		}
		next := maps.Clone(begun)
		for purpose, is := range are {
			if is.Sequence+1 >= first {
				next[purpose] = is
			}
		}
		return next, !maps.Equal(next, are)
	})
	return begun, err
}

// Raise says how far all is done for some purposes. A pair that is there stays if
// either of its places would fall: then it was said by somebody who knows
// something else. Begin must have been called before.
func (p *Pairs) Raise(ctx context.Context, to map[string]Pair) error {
	return p.are.change(ctx, func(are map[string]Pair) (map[string]Pair, bool) {
		next := maps.Clone(are)
		if next == nil {
			next = map[string]Pair{}
		}
		for purpose, pair := range to {
			if !are[purpose].falls(pair) {
				next[purpose] = pair
			}
		}
		return next, !maps.Equal(next, are)
	})
}

// Reset says that nothing is done for any purpose, as when a stream has lost its
// end and goes on with other messages in place of those that were.
func (p *Pairs) Reset(ctx context.Context) error {
	if _, err := p.are.read(ctx); err != nil {
		return err
	}
	return p.are.change(ctx, func(are map[string]Pair) (map[string]Pair, bool) {
		next := make(map[string]Pair, len(are))
		for purpose := range are {
			next[purpose] = Pair{}
		}
		return next, !maps.Equal(next, are)
	})
}
