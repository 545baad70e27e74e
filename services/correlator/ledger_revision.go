package correlator

import (
	"slices"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/sigma/window"
)

// Revision is a revision of an alert that is complete but for its evidence:
// what has to be read back is left to [Revision.Fill].
type Revision struct {
	alert.Alert
	// Lead is the event whose record tells account, region, actor and source:
	// the first one at which the condition holds. It is nil when the alert has
	// them already.
	Lead *window.Event
	// Evidence are the events whose records the alert should carry, at most
	// Limits.Records, in order: of more events the first and the last ones.
	Evidence []window.Event
	// add says that Evidence comes on top of what the alert carries, instead
	// of replacing it: some of its events cannot be read back any more.
	add bool
}

// Fill reads the evidence back and puts it into the alert, within limits.
// Read returns the record of an event and the object that it came from, or nil
// for a record that is not there any more. What was read for an earlier revision stays if
// nothing can be read now. An error of read is returned as it is, and the
// revision is then not to be used.
func (r *Revision) Fill(limits alert.Limits, read func(window.Event) ([]byte, alert.Object, error)) error {
	if r.Lead != nil {
		record, _, err := read(*r.Lead)
		if err != nil {
			return err
		}
		if record != nil {
			r.Describe(record)
		}
	}
	var fresh alert.Alert
	if r.add {
		fresh.Records, fresh.Objects = slices.Clone(r.Records), slices.Clone(r.Objects)
	}
	for _, n := range r.Evidence {
		record, from, err := read(n)
		if err != nil {
			return err
		}
		if record != nil {
			fresh.AddRecord(record, from, limits)
		}
	}
	if len(fresh.Records) > 0 {
		r.Records, r.Objects = fresh.Records, fresh.Objects
	}
	return nil
}

// exact returns an alert as its episode says, with nothing forgotten.
func (p *plan) exact(a alert.Alert, e window.Episode) Revision {
	ids := make([]string, 0, e.Len())
	for n := range e.Events() {
		ids = append(ids, n.ID)
	}
	ids = alert.ClipEventIDs(ids, p.Limits.EventIDs)

	r := Revision{Alert: a}
	if a.Revision == 0 || markOf(e.FirstHeld()).Compare(a.Held.First) != 0 {
		lead := e.FirstHeld()
		r.Lead = &lead
	}
	if e.Len() != a.Count || !slices.Equal(ids, a.EventIDs) {
		r.Evidence = both(e.Len(), p.Limits.Records, e.Event)
	}
	r.State, r.SupersededBy = p.stateOf(a, e), ""
	r.Count, r.EventIDs = e.Len(), ids
	r.FirstSeen, r.LastSeen = alert.Time(e.First().Time), alert.Time(e.Last().Time)
	r.Held = runOf(e)
	return r
}

// grown returns an alert with what its episode adds to it. Some of the alert's
// events have been forgotten: it keeps all it has. Its new identities come
// last, since it is not known where among the forgotten ones they belong.
func (p *plan) grown(a alert.Alert, e window.Episode) Revision {
	listed := setOf(a.EventIDs)
	counted := func(n window.Event) bool {
		_, ok := listed[n.ID]
		return ok || len(a.EventIDs) < a.Count && p.inside(a, n)
	}
	ids := slices.Clone(a.EventIDs)
	var added []int // in the order of the episode
	for i := range e.Len() {
		if n := e.Event(i); !counted(n) {
			ids = append(ids, n.ID)
			added = append(added, i)
		}
	}

	r := Revision{Alert: a, add: true}
	if room := p.Limits.Records - len(a.Records); room > 0 {
		r.Evidence = both(len(added), room, func(i int) window.Event { return e.Event(added[i]) })
	}
	r.State, r.SupersededBy, r.Partial = p.stateOf(a, e), "", true
	r.Count += len(added)
	r.EventIDs = alert.ClipEventIDs(ids, p.Limits.EventIDs)
	if first := alert.Time(e.First().Time); first.Before(a.FirstSeen) {
		r.FirstSeen = first
	}
	if last := alert.Time(e.Last().Time); last.After(a.LastSeen) {
		r.LastSeen = last
	}
	is := runOf(e)
	if is.First.Compare(a.Held.First) < 0 {
		r.Held.First = is.First
	}
	if is.Last.Compare(a.Held.Last) > 0 {
		r.Held.Last = is.Last
	}
	return r
}

// stateOf returns whether an alert is open or ended. One that has ended opens
// again only if its run went on, or if what ended it does not count any more,
// and not if it may have been forgotten.
func (p *plan) stateOf(a alert.Alert, e window.Episode) alert.State {
	if e.Open && (a.State != alert.Ended || markOf(e.Last()).Compare(a.Held.Last) > 0 || !p.forgotEnd(a, e)) {
		return alert.Open
	}
	return alert.Ended
}

// forgotEnd reports whether what ended an alert may have been forgotten.
func (p *plan) forgotEnd(a alert.Alert, e window.Episode) bool {
	forgotten, some := p.group.Forgotten()
	return some && forgotten >= e.Last().Time || p.forgot(a)
}

// both returns at(0), …, at(n-1) if that is at most limit, else the first and
// the last ones, half and half.
func both(n, limit int, at func(int) window.Event) []window.Event {
	events := make([]window.Event, 0, min(n, limit))
	for i := range n {
		if n <= limit || i < (limit+1)/2 || i >= n-limit/2 {
			events = append(events, at(i))
		}
	}
	return events
}
