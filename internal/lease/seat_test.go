package lease

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A world is processes at one table, a heartbeat at a time. Its processes do
// what Pieces.Run does, without a server and without waiting.
type world struct {
	t      *rapid.T
	n      int
	table  *table // nil: there is none
	now    time.Time
	procs  []*process
	joined int // processes there ever were
	moves  int // pieces that were given to a process
}

type process struct {
	seat    *seat
	slow    int  // heartbeats that its work takes to return
	paused  bool // it does nothing, and nothing happens to its work
	renewed time.Time
	endedAt map[int]time.Time // of work that has been told to return
}

// settling bounds the heartbeats after which nothing moves any more, when
// nobody joins, leaves or fails: Dead, a heartbeat for work to return, and some
// to join, to give up and to take.
const settling = 12

var modelTiming = DefaultTiming()

func newWorld(t *rapid.T, n int) *world {
	return &world{t: t, n: n, now: time.Unix(0, 0)}
}

func (w *world) join(slow int) *process {
	w.joined++
	p := &process{
		seat: newSeat(fmt.Sprintf("p%d", w.joined), w.n, modelTiming),
		slow: slow, renewed: w.now, endedAt: map[int]time.Time{},
	}
	w.procs = append(w.procs, p)
	return p
}

func (p *process) String() string { return p.seat.name }

func (w *world) kill(p *process) {
	w.procs = slices.DeleteFunc(w.procs, func(q *process) bool { return p == q })
}

// beat lets each process do what it does in a heartbeat, in some order. Fate
// says what becomes of a write.
func (w *world) beat(fate func() string) {
	w.now = w.now.Add(modelTiming.Heartbeat)
	for _, p := range rapid.Permutation(w.procs).Draw(w.t, "order") {
		if p.paused {
			continue
		}
		w.returns(p)
		w.renew(p, fate())
		if w.now.Sub(p.renewed) >= modelTiming.Fence {
			p.ended(p.seat.end(), w.now)
		}
		if p.seat.stopping && p.seat.count(isRunning) == 0 && !w.has(p) {
			w.kill(p)
		}
	}
	w.checkNobodyWorksBesideAnother()
}

func (w *world) has(p *process) bool {
	if w.table == nil {
		return false
	}
	_, ok := w.table.Members[p.seat.name]
	return ok
}

// returns lets the work return that was told to long enough ago.
func (w *world) returns(p *process) {
	for i, at := range p.endedAt {
		if w.now.Sub(at) >= time.Duration(p.slow)*modelTiming.Heartbeat {
			delete(p.endedAt, i)
			p.seat.returned(i, errors.New("told to return"), w.now)
		}
	}
}

func (p *process) ended(pieces []int, now time.Time) {
	for _, i := range pieces {
		p.endedAt[i] = now
	}
}

const (
	written    = "written"
	refused    = "refused"     // another was faster, each time
	answerLost = "answer lost" // written, but the process does not know
	cutOff     = "cut off"     // not even read
)

func (w *world) renew(p *process, fate string) {
	if fate == cutOff {
		return
	}
	before := newTable(w.n)
	if w.table != nil {
		var err error
		if before, err = parseTable(w.table.marshal(), w.n); err != nil {
			w.t.Fatalf("a table that was written cannot be read: %v", err)
		}
	}
	next := p.seat.plan(before.clone(), w.now)
	if next.write {
		if fate == refused {
			return
		}
		w.checkStep(p, before, next.after)
		after := next.after.clone()
		w.table = &after
		p.renewed = w.now
		if fate == answerLost {
			return
		}
	}
	c := p.seat.carryOut(next)
	w.moves += len(c.begin)
	p.ended(c.lost, w.now)
	p.ended(c.leaving, w.now)
}

// checkStep checks that the writer took from others only what the dead held, and
// freed of its own only what it does not work on.
func (w *world) checkStep(writer *process, before, after table) {
	for i, was := range before.Pieces {
		switch is := after.Pieces[i]; {
		case was == is || was == "":
		case was != writer.seat.name:
			for _, p := range w.procs {
				if p.seat.name == was && w.now.Sub(p.renewed) < modelTiming.Dead {
					w.t.Fatalf("%s took piece %d from %s, which wrote %v ago", writer.seat.name, i, was, w.now.Sub(p.renewed))
				}
			}
		case writer.seat.pieces[i].running:
			w.t.Fatalf("%s freed piece %d while it was at work on it", was, i)
		}
	}
}

// checkNobodyWorksBesideAnother: a paused process may, for it can be told nothing.
func (w *world) checkNobodyWorksBesideAnother() {
	for i := range w.n {
		var at []string
		for _, p := range w.procs {
			if piece := p.seat.pieces[i]; !p.paused && piece.running && !piece.ending {
				at = append(at, p.seat.name)
			}
		}
		if len(at) > 1 {
			w.t.Fatalf("%v are at work on piece %d", at, i)
		}
	}
}

// checkSettled checks that every piece is worked on by the one who holds it, and
// that the loads of those who can have any differ by one at most.
func (w *world) checkSettled() {
	if len(w.procs) == 0 {
		return
	}
	loads := map[string]int{}
	for i, holder := range w.table.Pieces {
		at := slices.IndexFunc(w.procs, func(p *process) bool { return p.seat.name == holder })
		if at < 0 {
			w.t.Fatalf("piece %d is held by %q, which is not alive", i, holder)
		}
		if piece := w.procs[at].seat.pieces[i]; !piece.running || piece.ending {
			w.t.Fatalf("%s holds piece %d and is not at work on it", holder, i)
		}
		loads[holder]++
	}
	if want := min(len(w.procs), w.n); len(loads) != want {
		w.t.Fatalf("%d processes hold something, want %d: %v", len(loads), want, loads)
	}
	counts := slices.Sorted(maps.Values(loads))
	if counts[len(counts)-1]-counts[0] > 1 {
		w.t.Fatalf("loads are %v", loads)
	}
}

// settle lets some heartbeats pass in peace, and checks that then all is well
// and stays as it is.
func (w *world) settle(beats int) {
	peace := func() string { return written }
	for range beats {
		w.beat(peace)
	}
	w.checkSettled()
	moves := w.moves
	for range settling {
		w.beat(peace)
	}
	w.checkSettled()
	if w.moves != moves {
		w.t.Fatalf("%d pieces moved while nobody joined or left", w.moves-moves)
	}
}

func TestEveryPieceEndsWithOneLivingHolder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.IntRange(1, 9).Draw(t, "pieces"))
		someone := func(t *rapid.T) *process {
			if len(w.procs) == 0 {
				t.Skip("nobody is there")
			}
			return rapid.SampledFrom(w.procs).Draw(t, "process")
		}
		bad := rapid.SampledFrom([]string{written, written, written, refused, answerLost, cutOff})
		failed := false
		pass := func(t *rapid.T) {
			for range rapid.IntRange(1, 4).Draw(t, "heartbeats") {
				w.beat(func() string { return bad.Draw(t, "fate") })
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				if len(w.procs) < 5 {
					w.join(rapid.IntRange(0, 3).Draw(t, "slow"))
				}
			},
			"stop": func(t *rapid.T) {
				p := someone(t)
				p.seat.stopping = true
				p.ended(p.seat.end(), w.now)
			},
			"kill":   func(t *rapid.T) { w.kill(someone(t)) },
			"pause":  func(t *rapid.T) { someone(t).paused = true },
			"resume": func(t *rapid.T) { someone(t).paused = false },
			"fail": func(t *rapid.T) {
				p := someone(t)
				i := slices.IndexFunc(p.seat.pieces, func(x piece) bool { return x.running && !x.ending })
				if i < 0 {
					t.Skip("it has nothing to fail at")
				}
				p.seat.returned(i, errors.New("failed"), w.now)
				failed = true
			},
			"cut off all": func(t *rapid.T) {
				for range rapid.IntRange(1, 10).Draw(t, "heartbeats") {
					w.beat(func() string { return cutOff })
				}
			},
			"pass":  pass,
			"pass ": pass, // more time than trouble
		})
		for _, p := range w.procs {
			p.paused = false
		}
		if len(w.procs) == 0 {
			w.join(0)
		}
		beats := settling
		if failed {
			beats += probationBeats // some may be broken
		}
		w.settle(beats)
	})
}

// crowd is a settled world of some processes, at most one a piece.
func crowd(t *rapid.T) *world {
	n := rapid.IntRange(1, 20).Draw(t, "pieces")
	w := newWorld(t, n)
	for range rapid.IntRange(1, min(n, 6)).Draw(t, "processes") {
		w.join(rapid.IntRange(0, 2).Draw(t, "slow"))
		for range rapid.IntRange(0, 8).Draw(t, "heartbeats") {
			w.beat(func() string { return written })
		}
	}
	w.settle(settling)
	return w
}

func (w *world) holders() []string { return slices.Clone(w.table.Pieces) }

func (w *world) stop(p *process) {
	p.seat.stopping = true
	p.ended(p.seat.end(), w.now)
}

func TestOnlyWhatHasToMoveMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := crowd(t)
		before, moves := w.holders(), w.moves
		if rapid.Bool().Draw(t, "join") {
			p := w.join(0)
			w.settle(settling)
			got := 0
			for _, holder := range w.table.Pieces {
				if holder == p.seat.name {
					got++
				}
			}
			if w.moves-moves != got {
				t.Fatalf("%d pieces moved so that a newcomer has %d", w.moves-moves, got)
			}
			return
		}
		if len(w.procs) == 1 {
			t.Skip("nobody would be left")
		}
		p := rapid.SampledFrom(w.procs).Draw(t, "who goes")
		if rapid.Bool().Draw(t, "killed") {
			w.kill(p)
		} else {
			w.stop(p)
		}
		w.settle(settling)
		for i, was := range before {
			if is := w.table.Pieces[i]; was != p.seat.name && is != was {
				t.Fatalf("piece %d moved from %s to %s when %s left", i, was, is, p.seat.name)
			}
		}
	})
}

// One after the other is stopped and comes back under another name, as when a
// new version is rolled out.
func TestARestartMovesTheSamePiecesThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := crowd(t)
		if len(w.procs) == 1 {
			t.Skip("nobody would be left")
		}
		before := w.holders()
		p := rapid.SampledFrom(w.procs).Draw(t, "who is restarted")
		w.stop(p)
		w.settle(settling)
		w.join(0)
		w.settle(settling)
		touched := 0
		for i, was := range before {
			if was != p.seat.name && w.table.Pieces[i] != was {
				touched++
			}
		}
		// The larger shares may be elsewhere than before, so one more may move.
		if touched > 1 {
			t.Fatalf("%d pieces of others moved when %s was restarted: %v, now %v", touched, p.seat.name, before, w.table.Pieces)
		}
	})
}

// Work of a broken process fails at once. Another does all of it, and is not
// asked again and again to hand some over.
func TestABrokenProcessDoesNotKeepPiecesFromOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.IntRange(1, 16).Draw(t, "pieces"))
		processes := []*process{w.join(0), w.join(0)}
		broken := rapid.SampledFrom(processes).Draw(t, "broken")
		beat := func() {
			w.beat(func() string { return written })
			for i, piece := range broken.seat.pieces {
				if piece.running && !piece.ending {
					broken.seat.returned(i, errors.New("broken"), w.now)
				}
			}
		}
		// Each failure costs a pause, and some heartbeats until there is a piece.
		const tries = brokenFailures * (pauseBeats + settling/2)
		for range tries {
			beat()
		}
		moves := w.moves
		for range probationBeats - tries {
			beat()
		}
		if w.moves != moves {
			t.Fatalf("%d pieces moved", w.moves-moves)
		}
		for i, holder := range w.table.Pieces {
			if holder == broken.seat.name || holder == "" {
				t.Fatalf("piece %d is held by %q", i, holder)
			}
		}
	})
}

// Work that nobody can do is tried again by somebody, and keeps no other piece
// from its share.
func TestAPieceThatFailsEverywhereIsTriedAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.IntRange(1, 16).Draw(t, "pieces"))
		poisoned := rapid.IntRange(0, w.n-1).Draw(t, "poisoned")
		for range rapid.IntRange(1, 3).Draw(t, "processes") {
			w.join(0)
		}
		tries := 0
		for range 2 * probationBeats {
			w.beat(func() string { return written })
			for _, p := range w.procs {
				if piece := p.seat.pieces[poisoned]; piece.running && !piece.ending {
					p.seat.returned(poisoned, errors.New("poison"), w.now)
					tries++
				}
			}
		}
		if least := 2*probationBeats/(pauseBeats+2) - 1; tries < least {
			t.Errorf("it was tried %d times, want at least %d", tries, least)
		}
		loads := map[string]int{}
		for i, holder := range w.table.Pieces {
			if i != poisoned {
				loads[holder]++
			}
		}
		if loads[""] > 0 {
			t.Errorf("%d other pieces are free", loads[""])
		}
		if counts := slices.Sorted(maps.Values(loads)); len(counts) > 0 && counts[len(counts)-1]-counts[0] > 2 {
			t.Errorf("loads are %v", loads)
		}
	})
}

// Whatever stands in the bucket, a table comes of it that serves.
func TestATableThatCannotBeUsedIsBegunAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := crowd(t)
		names := rapid.SampledFrom([]string{"", "p1", "p2", "a stranger", "another"})
		odd := table{
			Members: rapid.MapOf(names, rapid.Custom(func(t *rapid.T) member {
				return member{rapid.Uint64().Draw(t, "beat"), rapid.IntRange(-1, w.n+1).Draw(t, "wants")}
			})).Draw(t, "members"),
			Pieces: rapid.SliceOfN(names, max(0, w.n-1), w.n+1).Draw(t, "holders"),
		}
		read, err := parseTable(odd.marshal(), w.n)
		if err != nil {
			read = newTable(w.n) // as run.read does
		}
		w.table = &read
		// Who works on what another now seems to hold goes on until it has read it.
		w.resettle()
	})
}

// resettle is settle from a table that nobody wrote, so that a step from it may
// not be one that a process would make.
func (w *world) resettle() {
	for _, p := range w.procs {
		p.renewed = time.Time{} // nobody is owed anything
	}
	for range settling + settling {
		w.now = w.now.Add(modelTiming.Heartbeat)
		for _, p := range w.procs {
			w.returns(p)
			next := p.seat.plan(w.table.clone(), w.now)
			if next.write {
				w.table = &next.after
			}
			c := p.seat.carryOut(next)
			p.ended(c.lost, w.now)
			p.ended(c.leaving, w.now)
			p.renewed = w.now
		}
	}
	w.checkSettled()
}

func TestFailuresOfLongAgoMakeNobodyBroken(t *testing.T) {
	now := time.Unix(0, 0)
	s := newSeat("me", 2, modelTiming)
	other := newTable(2)
	other.Members["other"] = member{Beat: 1, Wants: 2}
	other.Pieces = []string{"other", "other"}
	fail := func() {
		s.carryOut(s.plan(newTable(2), now))
		s.returned(0, errors.New("failed"), now)
		s.returned(1, errors.New("failed"), now)
		now = now.Add(pauseBeats * modelTiming.Heartbeat)
	}
	for range brokenFailures / 2 {
		fail()
	}
	if wants := s.wants(other, now); wants != 0 {
		t.Errorf("after many failures it wants %d of the other's pieces", wants)
	}
	now = now.Add(probationBeats * modelTiming.Heartbeat)
	if wants := s.wants(other, now); wants != 2 {
		t.Errorf("a long time later it wants %d pieces, want both", wants)
	}
	fail()
	if wants := s.wants(other, now); wants != 2 {
		t.Errorf("after few failures it wants %d pieces, want both", wants)
	}
}

func TestNobodyIsDeadBecauseTheTableCouldNotBeRead(t *testing.T) {
	now := time.Unix(0, 0)
	s := newSeat("me", 1, modelTiming)
	held := newTable(1)
	held.Members["other"] = member{Beat: 1, Wants: 1}
	held.Pieces[0] = "other"
	s.plan(held, now)
	now = now.Add(time.Hour)
	if p := s.plan(held, now); p.write {
		t.Fatalf("it made %+v at once", p.after)
	}
	for range modelTiming.Dead / modelTiming.Heartbeat {
		now = now.Add(modelTiming.Heartbeat)
		if p := s.plan(held, now); p.write {
			return
		}
	}
	t.Error("it did not take over from one that stayed silent")
}

func TestATableThatWasEmptiedEndsNoWork(t *testing.T) {
	now := time.Unix(0, 0)
	s := newSeat("me", 3, modelTiming)
	s.carryOut(s.plan(newTable(3), now))
	now = now.Add(modelTiming.Heartbeat)
	// Another finds the table empty too, and joins it first.
	other := newTable(3)
	other.Members["other"] = member{Beat: 1, Wants: 3}
	other.Pieces[0] = "other"
	p := s.plan(other, now)
	if want := []string{"other", "me", "me"}; !slices.Equal(p.after.Pieces, want) {
		t.Errorf("the pieces are %v's, want %v", p.after.Pieces, want)
	}
	if c := s.carryOut(p); !slices.Equal(c.lost, []int{0}) || len(c.begin)+len(c.leaving) > 0 {
		t.Errorf("the changes are %+v, want only piece 0 lost", c)
	}
	stray := newSeat("other", 3, modelTiming)
	stray.carryOut(stray.plan(newTable(3), now))
	stray.stopping = true
	stray.end()
	if p := stray.plan(newTable(3), now); slices.Contains(p.after.Pieces, "") {
		t.Errorf("the pieces are %v's: what has not returned is free", p.after.Pieces)
	}
}

func TestAProcessWhoseOtherWorkGoesWellIsNotBroken(t *testing.T) {
	now := time.Unix(0, 0)
	s := newSeat("me", 2, modelTiming)
	mine := newTable(2)
	for range brokenFailures {
		p := s.plan(mine, now)
		s.carryOut(p)
		mine = p.after
		s.returned(0, errors.New("poison"), now)
		mine = s.plan(mine, now).after
		now = now.Add(pauseBeats * modelTiming.Heartbeat)
	}
	mine.Members["other"], mine.Pieces[0] = member{Beat: 1, Wants: 2}, "other"
	if wants := s.wants(mine, now); wants != 2 {
		t.Errorf("it wants %d pieces, want both", wants)
	}
}

func TestParseTableRefusesWhatContradictsItself(t *testing.T) {
	for _, tt := range []struct{ name, table string }{
		{"the holder of an earlier version", `host-1-0000`},
		{"another number of pieces", `{"members":{},"pieces":[""]}`},
		{"more members than pieces", `{"members":{"a":{},"b":{},"c":{}},"pieces":["",""]}`},
		{"a member without a name", `{"members":{"":{}},"pieces":["",""]}`},
		{"a member that wants less than nothing", `{"members":{"a":{"wants":-1}},"pieces":["",""]}`},
		{"a member that wants more than all", `{"members":{"a":{"wants":3}},"pieces":["",""]}`},
		{"a holder that is no member", `{"members":{"a":{}},"pieces":["a","b"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if read, err := parseTable([]byte(tt.table), 2); err == nil {
				t.Errorf("it was read as %+v", read)
			}
		})
	}
}

func FuzzParseTable(f *testing.F) {
	full := newTable(2)
	full.Members["a"] = member{Beat: 7, Wants: 2}
	full.Pieces = []string{"a", ""}
	f.Add(full.marshal())
	f.Add([]byte("windows-holder-1"))
	f.Add([]byte(`{"members":null,"pieces":["",""]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := parseTable(data, 2)
		if err != nil {
			return
		}
		s := newSeat("me", 2, modelTiming)
		next := s.plan(read, time.Unix(0, 0))
		if _, err := parseTable(next.after.marshal(), 2); err != nil {
			t.Fatalf("%s became %s: %v", data, next.after.marshal(), err)
		}
	})
}
