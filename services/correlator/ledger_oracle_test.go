package correlator

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/sigma/window"
)

var (
	ledgerEpoch = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	ledgerNow   = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

// story is what alerts and episodes are compared by.
type story struct {
	State           alert.State
	Count           int
	FirstSeen, Last time.Time
	EventIDs        []string
}

// tell finds the episodes of a set of events by looking at every pair of them,
// without the package that it checks.
func tell(timespan int64, condition window.Condition, arrived []window.Event) []story {
	var events []window.Event
	for _, e := range arrived {
		if !slices.ContainsFunc(events, func(o window.Event) bool { return o.ID == e.ID }) {
			events = append(events, e)
		}
	}
	slices.SortFunc(events, window.Event.Compare)
	inWindow := func(i, j int) bool { return j <= i && events[i].Time-events[j].Time <= timespan }
	held := make([]bool, len(events))
	for i := range events {
		n := 0
		for j := range events {
			if inWindow(i, j) {
				n++
			}
		}
		held[i] = holds(condition, n)
	}
	var told []story
	for i := range events {
		if !held[i] || i > 0 && held[i-1] {
			continue
		}
		end := i
		for end+1 < len(events) && held[end+1] {
			end++
		}
		s := story{State: alert.Ended, Last: alert.Time(events[end].Time)}
		if end == len(events)-1 {
			s.State = alert.Open
		}
		for j := range events {
			for h := i; h <= end; h++ {
				if inWindow(h, j) {
					s.EventIDs = append(s.EventIDs, events[j].ID)
					break
				}
			}
		}
		s.Count = len(s.EventIDs)
		first := slices.IndexFunc(events, func(e window.Event) bool { return e.ID == s.EventIDs[0] })
		s.FirstSeen = alert.Time(events[first].Time)
		told = append(told, s)
	}
	return told
}

const span = int64(10)

func counts(op window.Op, n int) window.Condition {
	return window.Condition{Bounds: []window.Bound{{Op: op, Value: int64(n)}}}
}

func moreThan(n int) window.Condition { return counts(window.GT, n) }

// holds tests a condition that counts has made.
func holds(c window.Condition, count int) bool {
	switch n := int(c.Bounds[0].Value); c.Bounds[0].Op {
	case window.GT:
		return count > n
	case window.LT:
		return count < n
	default:
		return count == n
	}
}

func drawGrowing(t *rapid.T) window.Condition {
	return moreThan(rapid.IntRange(0, 4).Draw(t, "more than"))
}

// drawAny draws a condition that further events may break, or not.
func drawAny(t *rapid.T) window.Condition {
	n := rapid.IntRange(1, 4).Draw(t, "threshold")
	switch rapid.SampledFrom([]string{"gt", "lt", "eq"}).Draw(t, "operator") {
	case "gt":
		return moreThan(n)
	case "lt":
		return counts(window.LT, n)
	default:
		return counts(window.EQ, n)
	}
}

// drawLog draws the matches of one group in the order of their arrival:
// distances at which windows end, any order, repeats.
func drawLog(t *rapid.T, most int) []window.Event {
	steps := rapid.SliceOfN(rapid.SampledFrom([]int64{0, 1, 2, 5, span - 1, span, span + 1, 3 * span}), 1, most).Draw(t, "steps")
	var events []window.Event
	now := int64(0)
	for i, s := range steps {
		now += s
		events = append(events, window.Event{Time: now, ID: fmt.Sprintf("%02x", (i*67)%256)})
	}
	for range rapid.IntRange(0, len(events)/2).Draw(t, "repeats") {
		events = append(events, rapid.SampledFrom(events).Draw(t, "repeated"))
	}
	events = rapid.Permutation(events).Draw(t, "arrival")
	for i := range events {
		events[i].Seq = uint64(i*2/3 + 1) // one match in a message, or two
		events[i].Index = uint32(i)
		events[i].Evidence = window.Ref{Sequence: events[i].Seq, Record: events[i].Index}
	}
	return events
}

// desk stands for ALERTS on the subject of one group: it appends, if the
// writer knew the last one, and checks what every reader relies on.
type desk struct {
	t         *rapid.T
	revisions []alert.Alert
}

// latest returns the latest revision of each alert.
func (s *desk) latest() []alert.Alert {
	byID := map[string]alert.Alert{}
	for _, a := range s.revisions {
		byID[a.ID] = a
	}
	var latest []alert.Alert
	for _, a := range byID {
		latest = append(latest, a)
	}
	slices.SortFunc(latest, func(a, b alert.Alert) int { return -slices.Compare([]string{a.ID}, []string{b.ID}) })
	return latest
}

// write appends a revision if version is still the length of the desk.
func (s *desk) write(r Revision, version int) bool {
	if version != len(s.revisions) {
		return false
	}
	data, err := r.JSON() // through JSON, as in life
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := alert.Parse(data)
	if err != nil {
		s.t.Fatal(err)
	}
	revision, asOf := 0, alert.AsOf{}
	for _, b := range s.revisions {
		if b.ID == a.ID {
			revision, asOf = b.Revision, b.AsOf
		}
	}
	if a.Revision != revision+1 {
		s.t.Fatalf("alert %s: revision %d after %d", a.ID, a.Revision, revision)
	}
	if a.AsOf.Compare(asOf) < 0 {
		s.t.Fatalf("alert %s: as_of fell from %d to %d", a.ID, asOf.Sequence, a.AsOf.Sequence)
	}
	s.revisions = append(s.revisions, a)
	return true
}

// living returns what the living alerts say, in order of time.
func (s *desk) living() []story {
	var told []story
	for _, a := range s.latest() {
		if a.State.Living() {
			told = append(told, story{State: a.State, Count: a.Count, FirstSeen: a.FirstSeen, Last: a.LastSeen, EventIDs: a.EventIDs})
		}
	}
	slices.SortFunc(told, func(a, b story) int { return a.Last.Compare(b.Last) })
	return told
}

// scribe folds a log and writes alerts, one revision at a time.
type scribe struct {
	log     []window.Event
	holds   window.Condition
	ledger  Ledger
	group   *window.Group
	read    int
	pending []Revision
	version int // of the desk, when pending was planned
}

func newScribe(log []window.Event, holds window.Condition) *scribe {
	o := &scribe{log: log, holds: holds, ledger: Ledger{Rule: alert.Rule{ID: "r", Title: "R", Level: "high"}, Token: "group", Limits: alert.DefaultLimits()}}
	o.restart()
	return o
}

// restart loses all but the log.
func (o *scribe) restart() {
	o.group, o.read, o.pending = window.New(span, o.holds), 0, nil
}

// fold reads up to n further messages.
func (o *scribe) fold(n int) {
	for ; n > 0 && o.read < len(o.log); n-- {
		for seq := o.log[o.read].Seq; o.read < len(o.log) && o.log[o.read].Seq == seq; o.read++ {
			o.group.Insert(o.log[o.read])
		}
	}
}

func (o *scribe) plan(s *desk) {
	asOf := alert.AsOf{Epoch: ledgerEpoch, Sequence: o.group.Newest()}
	o.pending = o.ledger.Plan(s.latest(), o.group, asOf, ledgerNow)
	o.version = len(s.revisions)
}

// write writes up to n of what is pending, and gives it up if somebody else
// wrote in between.
func (o *scribe) write(s *desk, n int) {
	for ; n > 0 && len(o.pending) > 0; n-- {
		if !s.write(o.pending[0], o.version) {
			o.pending = nil
			return
		}
		o.pending, o.version = o.pending[1:], o.version+1
	}
}

// finish folds everything and writes everything, against all others.
func (o *scribe) finish(s *desk) {
	o.fold(len(o.log))
	o.plan(s)
	o.write(s, len(o.pending))
}
