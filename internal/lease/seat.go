package lease

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// pauseBeats are the heartbeats for which a process does not take a piece
	// whose work has just failed. They give another the time to take it.
	pauseBeats = 3
	// A process that is left without a piece after this many failures is broken,
	// and for probationBeats asks nobody to give up pieces for it: it would take
	// them, again and again, from processes that can do the work. A piece on which
	// all work fails makes nobody broken, since the others go well.
	brokenFailures = 4
	probationBeats = 150
)

// A seat is a process at a table: what it works on, and since when it has heard
// nothing of the others. It reads no clock and does no work itself.
//
// Of a table that was read it makes the next one; when that has been written,
// it says what work begins and ends. It never frees a piece whose work has not
// returned.
type seat struct {
	name      string
	timing    Timing
	pieces    []piece
	others    map[string]sighting
	read      time.Time // when a table was last read
	beats     uint64    // counts the tables made
	takes     int       // counts the pieces taken
	failures  int       // those before the end of probation
	probation time.Time // its end
	stopping  bool      // it takes nothing more
}

// A piece is one piece of work as its seat knows it.
type piece struct {
	running bool      // its work has not returned
	ending  bool      // its work has been told to return
	leaving bool      // it is for others when its work has returned
	done    bool      // its work has returned without an error: it is not taken again
	pause   time.Time // it is not taken before
	taken   int       // seat.takes when it was taken
}

// A sighting is what was last seen of another member.
type sighting struct {
	beat   uint64
	silent time.Duration // for how long it has not changed
}

func newSeat(name string, n int, t Timing) *seat {
	return &seat{name: name, timing: t, pieces: make([]piece, n), others: map[string]sighting{}}
}

// A plan is what a seat makes of a table.
type plan struct {
	before, after table
	write         bool  // the table after is to be written
	leaving       []int // pieces that others shall have, and whose work runs
}

// plan makes the next table. When that cannot be written, it is called again with
// another: no more is remembered than what was seen of the others.
func (s *seat) plan(t table, now time.Time) plan {
	s.watch(t, now)
	next := t.clone()
	for name := range s.others {
		if s.others[name].silent >= s.timing.Dead {
			next.remove(name)
		}
	}
	_, joined := t.Members[s.name]
	if !joined && len(next.Members) >= len(next.Pieces) {
		return plan{before: t, after: t} // there would be nothing for us
	}

	holds := 0
	for i, p := range s.pieces {
		switch {
		case next.Pieces[i] == "" && p.running:
			// The table was emptied, or we were taken for dead.
			next.Pieces[i] = s.name
		case next.Pieces[i] == s.name && !p.running && (p.leaving || !s.willing(i, now)):
			next.Pieces[i] = ""
		}
		if next.Pieces[i] == s.name {
			holds++
		}
	}
	wants := s.wants(next, now)
	if wants == 0 && holds == 0 {
		if !joined {
			return plan{before: t, after: t}
		}
		next.remove(s.name)
		return plan{before: t, after: next, write: true}
	}
	// The beats are the seat's own count and not that of the table: who was removed
	// and came back must not look as if it had been silent all the time.
	s.beats++
	next.Members[s.name] = member{Beat: s.beats, Wants: wants}
	return plan{before: t, after: next, write: true, leaving: s.balance(next, now)}
}

// balance takes free pieces up to the share of the seat, or frees what is above
// it. It returns the pieces that cannot be freed before their work has returned.
func (s *seat) balance(next table, now time.Time) (leaving []int) {
	share := next.shares()[s.name]
	var keeps []int
	for i, holder := range next.Pieces {
		if holder == s.name && !s.pieces[i].leaving {
			keeps = append(keeps, i)
		}
	}
	for i, holder := range next.Pieces {
		if len(keeps) < share && holder == "" && s.willing(i, now) {
			next.Pieces[i] = s.name
			keeps = append(keeps, i)
		}
	}
	if len(keeps) <= share {
		return nil
	}
	// What came last goes first: least has been done about it, and when processes
	// are restarted one by one, the same pieces move and the others stay.
	slices.SortFunc(keeps, func(a, b int) int {
		return cmp.Or(cmp.Compare(s.pieces[a].since(), s.pieces[b].since()), cmp.Compare(a, b))
	})
	for _, i := range keeps[share:] {
		if s.pieces[i].running {
			leaving = append(leaving, i)
		} else {
			next.Pieces[i] = ""
		}
	}
	return leaving
}

// since orders pieces by when they were taken. One that is not worked on yet
// comes last.
func (p piece) since() int {
	if !p.running {
		return math.MaxInt
	}
	return p.taken
}

// willing reports whether the seat would take a piece.
func (s *seat) willing(i int, now time.Time) bool {
	p := s.pieces[i]
	return !s.stopping && !p.done && !now.Before(p.pause)
}

// wants returns the most pieces that the seat would hold: all, if need be. While
// there are some that it does not take, or when it is broken, it asks for nothing
// that others hold, and they share what it leaves.
func (s *seat) wants(t table, now time.Time) int {
	free, kept, refused := 0, 0, 0
	for i, holder := range t.Pieces {
		switch {
		case !s.willing(i, now):
			refused++
		case holder == "":
			free++
		case holder == s.name && !s.pieces[i].leaving:
			kept++
		}
	}
	broken := kept == 0 && s.failures >= brokenFailures && now.Before(s.probation)
	if refused > 0 || broken {
		return free + kept
	}
	return len(t.Pieces)
}

// watch notes which of the others have been at the table since it was last
// read. While it could not be read nobody was watched, and nobody grew old.
func (s *seat) watch(t table, now time.Time) {
	watched := min(now.Sub(s.read), 2*s.timing.Heartbeat)
	s.read = now
	seen := make(map[string]sighting, len(t.Members))
	for name, m := range t.Members {
		if name == s.name {
			continue
		}
		sight := sighting{beat: m.Beat}
		if was, ok := s.others[name]; ok && was.beat == m.Beat {
			sight.silent = was.silent + watched
		}
		seen[name] = sight
	}
	s.others = seen
}

// Changes are what a written table means for the work.
type changes struct {
	begin   []int    // work begins
	from    []string // beside begin: the dead who held the piece, or empty
	leaving []int    // work has to return: others shall have the piece
	lost    []int    // work has to return: another has the piece
}

// carryOut follows a plan whose table has been written, or need not be.
func (s *seat) carryOut(p plan) changes {
	var c changes
	for i := range s.pieces {
		w := &s.pieces[i]
		mine := p.after.Pieces[i] == s.name
		switch {
		case mine && !w.running:
			s.takes++
			*w = piece{running: true, taken: s.takes}
			c.begin = append(c.begin, i)
			from := p.before.Pieces[i]
			if from == s.name {
				from = ""
			}
			c.from = append(c.from, from)
		case !mine && w.running && !w.ending:
			w.ending = true
			c.lost = append(c.lost, i)
		case slices.Contains(p.leaving, i):
			w.leaving = true
			if !w.ending {
				w.ending = true
				c.leaving = append(c.leaving, i)
			}
		}
	}
	return c
}

// end tells all work to return. Whether its pieces are kept is another matter.
func (s *seat) end() (ended []int) {
	for i := range s.pieces {
		if w := &s.pieces[i]; w.running && !w.ending {
			w.ending = true
			ended = append(ended, i)
		}
	}
	return ended
}

// returned notes that the work on a piece has returned. It reports whether it
// failed: work that was told to return may return what it likes.
func (s *seat) returned(i int, err error, now time.Time) (failed bool) {
	w := &s.pieces[i]
	if !w.ending && err == nil {
		w.done = true
	}
	if !w.ending && err != nil {
		failed = true
		if !now.Before(s.probation) {
			s.failures = 0
		}
		s.failures++
		w.pause = now.Add(pauseBeats * s.timing.Heartbeat)
		s.probation = now.Add(probationBeats * s.timing.Heartbeat)
	}
	w.running, w.ending = false, false
	return failed
}

// count returns of how many pieces something is true.
func (s *seat) count(is func(piece) bool) int {
	n := 0
	for _, p := range s.pieces {
		if is(p) {
			n++
		}
	}
	return n
}

func isRunning(p piece) bool { return p.running }
func isEnding(p piece) bool  { return p.ending }
func isDone(p piece) bool    { return p.done }
