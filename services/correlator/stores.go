package correlator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailbell/trailbell/internal/progress"
	"github.com/trailbell/trailbell/internal/streams"
)

// stores is where the correlator's state is.
type stores struct {
	events, matches, alerts jetstream.Stream
	// written is, for each partition, up to which sequence of MATCHES all
	// alerts are written.
	written []*progress.Progress
	epoch   time.Time

	mu     sync.Mutex
	ended  uint64
	looked time.Time
}

func open(ctx context.Context, js jetstream.JetStream) (*stores, error) {
	s := &stores{}
	for name, to := range map[string]*jetstream.Stream{streams.Events: &s.events, streams.Matches: &s.matches, streams.Alerts: &s.alerts} {
		var err error
		if *to, err = js.Stream(ctx, name); err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
	}
	s.epoch = s.matches.CachedInfo().Created.UTC()
	for n := range streams.PartitionsOf(s.matches.CachedInfo().Config) {
		p, err := progress.Open(ctx, js, "windows-"+strconv.Itoa(n), s.epoch)
		if err != nil {
			return nil, err
		}
		s.written = append(s.written, p)
	}
	return s, nil
}

// endEvery is how old the end of MATCHES may be: all partitions ask for it.
const endEvery = saveEvery / 2

// end returns the last sequence of MATCHES as it was at a time, which may be a
// little ago.
func (s *stores) end(ctx context.Context) (uint64, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.looked) < endEvery {
		return s.ended, s.looked, nil
	}
	matches, err := s.matchesNow(ctx)
	if err == nil {
		s.ended, s.looked = matches.LastSeq, now
	}
	return matches.LastSeq, now, err
}

// matchesNow returns where MATCHES begins and ends.
func (s *stores) matchesNow(ctx context.Context) (jetstream.StreamState, error) {
	i, err := s.matches.Info(ctx)
	if err != nil {
		return jetstream.StreamState{}, fmt.Errorf("look at stream %s: %w", streams.Matches, err)
	}
	return i.State, nil
}

// lastMatch returns the sequence of the last message of a partition, 0 for none.
func (s *stores) lastMatch(ctx context.Context, partition int) (uint64, error) {
	m, err := s.matches.GetLastMsgForSubject(ctx, streams.MatchesSubject(partition))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at stream %s: %w", streams.Matches, err)
	}
	return m.Sequence, nil
}

// slowest is the least of several progresses. It is asked again and again, so it
// remembers what it knows: they only grow.
type slowest struct {
	all []*progress.Progress

	mu    sync.Mutex
	known []uint64
}

func newSlowest(all []*progress.Progress) *slowest {
	return &slowest{all: all, known: make([]uint64, len(all))}
}

// read returns up to which sequence all of them are done.
func (s *slowest) read(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		least := 0
		for i, n := range s.known {
			if n < s.known[least] {
				least = i
			}
		}
		n, err := s.all[least].Read(ctx)
		if err != nil || n == s.known[least] {
			return s.known[least], err
		}
		s.known[least] = n
	}
}

// Written reports whether the alerts of all that is in MATCHES are written.
func Written(ctx context.Context, js jetstream.JetStream) (bool, error) {
	s, err := open(ctx, js)
	if err != nil {
		return false, err
	}
	for n, p := range s.written {
		written, err := p.Read(ctx)
		if err != nil {
			return false, err
		}
		last, err := s.lastMatch(ctx, n)
		if err != nil || written < last {
			return false, err
		}
		// It may tell of a log that has lost its end since.
		if matches, err := s.matchesNow(ctx); err != nil || written > matches.LastSeq {
			return false, err
		}
	}
	return true, nil
}
