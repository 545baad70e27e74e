package correlator

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// budget bounds what the windows of all partitions of a process remember
// together. When it is exceeded, the oldest of all goes, in the order of the log:
// each partition is told before when something must have been stored to go.
type budget struct {
	limit   int
	metrics *metrics
	log     *slog.Logger

	mu     sync.Mutex
	size   int
	shares map[*share]struct{}
}

// share is what one partition has of a budget.
type share struct {
	budget *budget
	// wake tells the owner of the partition that there is a cutoff.
	wake func()
	// cutoff is before when what was stored is to be forgotten, in seconds since
	// the Unix epoch; 0: nothing is. It is written under the mutex of the budget.
	cutoff atomic.Int64

	// The rest is guarded by the mutex of the budget.
	size   int
	stored map[int64]int // the size by the second in which the log stored it
}

func newBudget(limit int, m *metrics, log *slog.Logger) *budget {
	return &budget{limit: limit, metrics: m, log: log, shares: map[*share]struct{}{}}
}

func (b *budget) share(wake func()) *share {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &share{budget: b, wake: wake, stored: map[int64]int{}}
	b.shares[s] = struct{}{}
	return s
}

// add says that a partition remembers n more, which the log stored in a second.
func (s *share) add(second int64, n int) {
	if n == 0 {
		return
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	s.stored[second] += n
	s.size += n
	b.resize(n)
	if b.size > b.limit {
		b.advance()
	}
}

// forgot says that a partition has forgotten n, which is all that was stored
// before cutoff: early, if not for the horizon but for the budget.
func (s *share) forgot(cutoff int64, n int, early bool) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	for second := range s.stored {
		if second < cutoff {
			delete(s.stored, second)
		}
	}
	if early {
		b.metrics.evicted.Add(float64(n))
	}
	s.size -= n
	if cutoff >= s.cutoff.Load() {
		s.cutoff.Store(0)
	}
	b.resize(-n)
	if b.size > b.limit {
		b.advance() // what arrived meanwhile
	}
}

func (s *share) close() {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.shares, s)
	b.resize(-s.size)
}

func (b *budget) resize(n int) {
	b.size += n
	b.metrics.events.Set(float64(b.size))
}

// advance sets a cutoff so that a tenth more than what is too much goes. While a
// partition has yet to forget what it should, there is nothing to decide.
//
// A cutoff is for what is remembered now. A partition that is rebuilt later comes
// by what is older, and has to forget that by another one.
func (b *budget) advance() {
	for s := range b.shares {
		if s.cutoff.Load() != 0 {
			return
		}
	}
	stored := map[int64]int{}
	for s := range b.shares {
		for second, n := range s.stored {
			stored[second] += n
		}
	}
	excess, cutoff := b.size-b.limit+b.limit/10, int64(0)
	for _, second := range slices.Sorted(maps.Keys(stored)) {
		if excess <= 0 {
			break
		}
		excess -= stored[second]
		cutoff = second + 1
	}
	if cutoff == 0 {
		return // nothing is known to be older than something else
	}
	for s := range b.shares {
		if s.holdsBefore(cutoff) {
			s.cutoff.Store(cutoff)
			s.wake()
		}
	}
	b.log.Warn("too many events to remember: the oldest are forgotten before their time; raise correlator.max_events",
		"max_events", b.limit)
}

// holdsBefore reports whether a partition remembers what was stored before cutoff.
func (s *share) holdsBefore(cutoff int64) bool {
	for second, n := range s.stored {
		if second < cutoff && n > 0 {
			return true
		}
	}
	return false
}
