package correlator

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/sigma/window"
)

// Ledger knows how the alerts of one group of one correlation follow its
// episodes. It is pure: it says what to write and writes nothing.
//
// # Which alert belongs to which episode
//
// An alert belongs to the episode in whose run its anchor is; failing that, to
// the latest one whose run meets its own, and failing that, to the one that
// shares most of its events. Of several alerts of one episode the one that
// opened first lives and the others are superseded by it; an alert without an
// episode is withdrawn; an episode without an alert opens one.
//
//	              +--> superseded --+
//	open/ended ---+                 +--> open/ended
//	              +--> withdrawn  --+
//
// An alert that is superseded or withdrawn comes back if an episode belongs to
// it and to no living alert. So an id that an episode would open with is never
// taken: whoever has it has the anchor, and with it the episode.
//
// # Writing
//
// A plan is a list of single writes, and a crash or another owner may come
// between any two. Which episode an alert belongs to, and who lives, does not
// change by writing any part of a plan, so the rest of the plan is what is
// planned next. A plan on what has been written is empty. How often plans are
// made does not matter, if the last one is.
//
// Two owners may be at it, one of them ahead. A planner that meets a revision
// with a higher as_of is behind and keeps quiet. An as_of of another epoch
// comes from a log that is no more, and does not count: whoever reads the log
// that there is is right. Where the one ahead has nothing to write, the one behind
// may still have the last word: then the owner plans again, see visitors.
//
// # Forgetting
//
// What a group has forgotten is still in its alerts. An alert with an event
// that the group does not remember can gain events and can be superseded, but
// loses nothing; it is not withdrawn, and without an episode it is not touched
// at all.
type Ledger struct {
	// Rule is the correlation, as its alerts name it.
	Rule alert.Rule
	// Token is the hash of correlation and group values: the GROUP of the
	// subject, and what ids begin with.
	Token string
	// Fields are the group-by fields with their values.
	Fields map[string]string
	// Limits bound what an alert carries.
	Limits alert.Limits
}

// Plan returns the revisions that make the stored alerts of a group say what
// the group's episodes say, in the order in which to write them. Stored holds
// the latest revision of every alert of the group, in any order. AsOf is up to
// where the group has been read; every revision carries it. Now is the time
// that they are dated with. Nothing to write is nil. The group must hold whole
// messages only: all of the matches of each message that it has any of.
func (l Ledger) Plan(stored []alert.Alert, g *window.Group, asOf alert.AsOf, now time.Time) []Revision {
	for _, a := range stored {
		if a.AsOf.SameEpoch(asOf) && a.AsOf.Sequence > asOf.Sequence {
			return nil
		}
	}
	stored = slices.Clone(stored)
	slices.SortFunc(stored, func(a, b alert.Alert) int {
		return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.ID, b.ID))
	})
	p := plan{Ledger: l, group: g, asOf: asOf, now: now.UTC(), episodes: slices.Collect(g.Episodes())}
	homes := p.homes(stored)
	heirs := heirs(stored, homes, len(p.episodes))

	// First those that live, so that a superseded alert names one that tells
	// its story already.
	for i, e := range p.episodes {
		if heirs[i] == none {
			p.open(e)
		} else {
			p.follow(stored[heirs[i]], e)
		}
	}
	successor := make(map[string]string) // superseded by whom, by id
	for i, a := range stored {
		if a.State == alert.Superseded && (homes[i] == none || heirs[homes[i]] != i) {
			successor[a.ID] = a.SupersededBy
		}
	}
	for i, a := range stored {
		home := homes[i]
		switch {
		case !a.State.Living():
			// What is over stays over, unless it is the heir.
		case home == none && !p.forgot(a):
			a.State = alert.Withdrawn
			p.write(Revision{Alert: a})
		case home != none && heirs[home] != i:
			a.State, a.SupersededBy = alert.Superseded, stored[heirs[home]].ID
			successor[a.ID] = a.SupersededBy
			p.write(Revision{Alert: a})
		}
	}
	// Superseded by one that was superseded in turn is right, as long as the
	// way leads to the one that lives.
	for i, a := range stored {
		if home := homes[i]; a.State == alert.Superseded && home != none && heirs[home] != i {
			if heir := stored[heirs[home]].ID; endOf(successor, a.ID) != heir {
				a.SupersededBy = heir
				p.write(Revision{Alert: a})
			}
		}
	}
	return p.revisions
}

// none stands for no episode and for no alert.
const none = -1

// heirs returns, for each episode, which of the alerts that belong to it
// lives: of those that live the first opened, else of all the first opened.
// Stored is in the order of opening.
func heirs(stored []alert.Alert, homes []int, episodes int) []int {
	heirs := slices.Repeat([]int{none}, episodes)
	for _, living := range []bool{true, false} {
		for i, a := range stored {
			if h := homes[i]; h != none && heirs[h] == none && a.State.Living() == living {
				heirs[h] = i
			}
		}
	}
	return heirs
}

// endOf follows successors from id to the one that has none.
func endOf(successor map[string]string, id string) string {
	for range len(successor) + 1 {
		next, ok := successor[id]
		if !ok {
			return id
		}
		id = next
	}
	return "" // a circle leads nowhere
}

// plan is the work of one call of Plan.
type plan struct {
	Ledger
	group     *window.Group
	asOf      alert.AsOf
	now       time.Time
	episodes  []window.Episode
	revisions []Revision
}

// write adds the next revision of an alert to the plan.
func (p *plan) write(r Revision) {
	r.Revision++
	r.AsOf, r.Updated = p.asOf, p.now
	r.Rule = p.Rule
	p.revisions = append(p.revisions, r)
}

// open adds the first revision of a new alert for an episode.
func (p *plan) open(e window.Episode) {
	anchor := e.Anchor().ID
	a := alert.Alert{
		ID:      alert.CorrelationID(p.Token, anchor),
		Kind:    alert.KindCorrelation,
		Group:   maps.Clone(p.Fields),
		Created: p.now,
		Anchor:  anchor,
		Opened:  p.asOf,
	}
	a.Describe([]byte("{}")) // what the group fixes is known without a record
	p.write(p.exact(a, e))
}

// follow adds the next revision of an alert for its episode, unless the alert
// says already what there is to say.
func (p *plan) follow(a alert.Alert, e window.Episode) {
	r := p.exact(a, e)
	if same(a, r.Alert) {
		return
	}
	if p.forgot(a) {
		if r = p.grown(a, e); same(a, r.Alert) {
			return
		}
	}
	p.write(r)
}

// forgot reports whether the group has forgotten an event of an alert, or what
// it was like between two of them. An event that has been forgotten and arrived
// again is forgotten: it is there under a later sequence, and does not know any
// more what it had seen. One that does not count any more, as the result of an
// inner correlation, is not forgotten.
func (p *plan) forgot(a alert.Alert) bool {
	if a.Partial || !a.AsOf.SameEpoch(p.asOf) || p.cut(a) {
		return true
	}
	listed := setOf(a.EventIDs)
	known, anchor := 0, false
	for n := range p.remembered() {
		anchor = anchor || n.ID == a.Anchor
		if n.Seq > a.AsOf.Sequence {
			continue
		}
		if _, ok := listed[n.ID]; ok || len(a.EventIDs) < a.Count && p.inside(a, n) {
			known++
		}
	}
	return !anchor || known < a.Count
}

// cut reports whether the run of an alert reaches across what the group has
// forgotten and knows to have ended a run. Whoever wrote the alert remembered
// more of it: the budget makes owners forget at different places.
func (p *plan) cut(a alert.Alert) bool {
	return slices.ContainsFunc(p.episodes, func(e window.Episode) bool {
		last := markOf(e.Last())
		return e.Cut && last.Compare(a.Held.First) >= 0 && last.Compare(a.Held.Last) < 0
	})
}

// remembered returns the events of the group, and those that it had and that
// could come back.
func (p *plan) remembered() iter.Seq[window.Event] {
	return func(yield func(window.Event) bool) {
		for _, events := range []iter.Seq[window.Event]{p.group.Events(), p.group.Gone()} {
			for n := range events {
				if !yield(n) {
					return
				}
			}
		}
	}
}

func setOf(ids []string) map[string]struct{} {
	s := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		s[id] = struct{}{}
	}
	return s
}

// inside reports whether an event is one of those that an alert counted: it
// had arrived and lies within. Contributing events are contiguous.
func (p *plan) inside(a alert.Alert, n window.Event) bool {
	return a.AsOf.SameEpoch(p.asOf) && n.Seq <= a.AsOf.Sequence &&
		!alert.Time(n.Time).Before(a.FirstSeen) && markOf(n).Compare(a.Held.Last) <= 0
}

// same reports whether two revisions say the same.
func same(a, b alert.Alert) bool {
	return a.State == b.State && a.SupersededBy == b.SupersededBy && a.Count == b.Count &&
		a.FirstSeen.Equal(b.FirstSeen) && a.LastSeen.Equal(b.LastSeen) &&
		a.Held.First.Compare(b.Held.First) == 0 && a.Held.Last.Compare(b.Held.Last) == 0 &&
		slices.Equal(a.EventIDs, b.EventIDs)
}
