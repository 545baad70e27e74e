package lister

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// head is what is stored of a trail, beside the known keys: JSON, so that an
// operator can read it.
type head struct {
	// Bucket and Dir say whose it is; nothing reads them.
	Bucket string `json:"bucket"`
	Dir    string `json:"dir"`
	// From is the first day of which everything has been published up to
	// Window.
	From date `json:"from"`
	// Window is the first day that the next poll lists: that of the look-back
	// of the last complete poll.
	Window date `json:"window"`
	// Days have known keys in the store. Those before Window are to be
	// deleted.
	Days []date `json:"days"`
	// History is the listing of days before From, while it lasts.
	History *history `json:"history,omitempty"`
}

// history is how far the days from From up to head.From have been listed.
type history struct {
	From date `json:"from"`
	// After is the last key published; empty at the beginning.
	After string `json:"after"`
}

// state is a head with its known keys, in memory.
type state struct {
	head
	key   string // of the head in the store
	known map[date]*known
}

// stateKey names a trail in the store. The hash tells apart what prefixes and
// buckets tell apart, which may hold any character.
func stateKey(bucket string, t Trail) string {
	return fmt.Sprintf("%s/%s/%016x", t.Account, t.Region, xxhash.Sum64String(bucket+"\x00"+t.Dir))
}

// load reads the state of a trail, or makes that of a new one, which begins
// where the bucket is.
func (l *Lister) load(ctx context.Context, t Trail, floor date, r *Report) (*state, error) {
	s := l.states[t.Dir]
	if s == nil {
		s = &state{key: stateKey(l.config.Bucket, t), known: map[date]*known{}}
		value, err := l.store.Get(ctx, s.key)
		if err != nil {
			return nil, fmt.Errorf("read state %s of %s: %w", s.key, t.Dir, err)
		}
		if value == nil {
			start := l.progress.Window
			s.head = head{Bucket: l.config.Bucket, Dir: t.Dir, From: start, Window: start}
		} else if err := s.decode(value); err != nil {
			return nil, fmt.Errorf("state %s of %s: %w; delete the value to begin anew", s.key, t.Dir, err)
		}
		for _, day := range s.Days {
			if day < s.Window {
				continue
			}
			k := newKnown(s.key, day)
			if err := k.load(ctx, l.store); err != nil {
				return nil, err
			}
			s.known[day] = k
		}
		l.states[t.Dir] = s
	}
	return s, l.extend(ctx, s, floor, r)
}

// extend gives whoever wants earlier days than those listed so far as many of
// them as polls can list, with late files and all: those of the look-back, and
// all if one request lists them. The rest is for History.
func (l *Lister) extend(ctx context.Context, s *state, floor date, r *Report) error {
	since := l.since()
	// Keys behind Window have been forgotten, and would be published again.
	if since == "" || since >= s.From || s.From < s.Window || s.History != nil {
		return nil
	}
	from := min(max(since, floor), s.From)
	if since < from {
		few, err := l.few(ctx, s, since, r)
		if err != nil {
			return err
		}
		if few {
			from = since
		}
	}
	s.From, s.Window = from, from
	return nil
}

// few reports whether one request lists everything from a day on.
func (l *Lister) few(ctx context.Context, s *state, from date, r *Report) (bool, error) {
	pages, keys := 0, 0
	for page, err := range l.source.Objects(ctx, s.Dir, s.Dir+string(from)+"/") {
		if err != nil {
			return false, err
		}
		if pages++; pages > 1 {
			break
		}
		keys = len(page)
	}
	r.Requests += max(1, pages)
	return pages <= 1 && keys < l.config.PageKeys, nil
}

func (s *state) decode(value []byte) error {
	if err := json.Unmarshal(value, &s.head); err != nil {
		return err
	}
	days := append([]date{s.From, s.Window}, s.Days...)
	if s.History != nil {
		days = append(days, s.History.From)
	}
	for _, day := range days {
		if !day.valid() {
			return fmt.Errorf("%q is not a day", day)
		}
	}
	return nil
}

func (s *state) save(ctx context.Context, store Store) error {
	value, err := json.Marshal(s.head)
	if err != nil {
		return err
	}
	if err := store.Put(ctx, s.key, value); err != nil {
		return fmt.Errorf("store state %s of %s: %w", s.key, s.Dir, err)
	}
	return nil
}

// open makes sure that the days are in the stored head before anything is
// stored below them, so that a restart finds it.
func (s *state) open(ctx context.Context, store Store, days []date) error {
	before := len(s.Days)
	for _, day := range days {
		if !slices.Contains(s.Days, day) {
			s.Days = append(s.Days, day)
		}
		if s.known[day] == nil {
			s.known[day] = newKnown(s.key, day)
		}
	}
	if len(s.Days) == before {
		return nil
	}
	if err := s.save(ctx, store); err != nil {
		s.Days = s.Days[:before]
		return err
	}
	return nil
}

// reach is how far Window may move up: to floor at most, and only past days
// that cost something. A poll makes one request at least, which lists a
// thousand keys: as long as all fit, no day need be given up, and a file that
// is later than the look-back is found as well.
func (s *state) reach(floor date, pageKeys int) date {
	n := 0
	for _, k := range s.known {
		n += len(k.hashes)
	}
	reach := s.Window
	for _, day := range slices.Sorted(maps.Keys(s.known)) {
		if n < pageKeys || day >= floor {
			break
		}
		n -= len(s.known[day].hashes)
		reach = day.next()
	}
	if n >= pageKeys {
		return max(floor, s.Window)
	}
	return min(max(reach, s.Window), max(floor, s.Window))
}

// advance moves Window up after a complete poll and forgets the days behind
// it. The head goes first: keys forgotten while their days were still listed
// would be published again.
func (s *state) advance(ctx context.Context, store Store, floor date, pageKeys int) error {
	if reach := s.reach(floor, pageKeys); reach > s.Window {
		before := s.Window
		s.Window = reach
		if err := s.save(ctx, store); err != nil {
			s.Window = before
			return err
		}
	}
	past := slices.ContainsFunc(s.Days, func(day date) bool { return day < s.Window })
	if !past {
		return nil
	}
	for _, day := range s.Days {
		if day >= s.Window {
			continue
		}
		if err := newKnown(s.key, day).forget(ctx, store); err != nil {
			return err
		}
		delete(s.known, day)
	}
	s.Days = slices.DeleteFunc(s.Days, func(day date) bool { return day < s.Window })
	return s.save(ctx, store)
}
