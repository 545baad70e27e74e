package correlator

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/alert"
)

// settled checks what must be true once a scribe has had the last word.
func settled(t *rapid.T, o *scribe, s *desk) {
	want := tell(span, o.holds, o.log)
	slices.SortFunc(want, func(a, b story) int { return a.Last.Compare(b.Last) })
	if diff := cmp.Diff(want, s.living(), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("living alerts (-episodes +alerts):\n%s", diff)
	}
	latest := map[string]alert.Alert{}
	for _, a := range s.latest() {
		latest[a.ID] = a
	}
	for id, a := range latest {
		if a.ID != alert.CorrelationID("group", a.Anchor) {
			t.Fatalf("alert %s has the anchor %q", id, a.Anchor)
		}
		for a.State == alert.Superseded {
			next, ok := latest[a.SupersededBy]
			if !ok {
				t.Fatalf("alert %s is superseded by %q, which does not exist", a.ID, a.SupersededBy)
			}
			a = next
		}
	}
	again := newScribe(o.log, o.holds)
	again.fold(len(o.log))
	again.plan(s)
	if len(again.pending) > 0 {
		t.Fatalf("planned again after the last word: %+v", again.pending)
	}
}

// One writer at a time, any condition: plans at any steps, crashes between any
// two writes, restarts that begin again.
func TestLedgerConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := newScribe(drawLog(t, 30), drawAny(t))
		s := &desk{t: t}
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			o.fold(rapid.IntRange(0, 6).Draw(t, "fold"))
			if rapid.Bool().Draw(t, "plan") {
				o.plan(s)
				o.write(s, rapid.IntRange(0, len(o.pending)).Draw(t, "writes before a crash"))
			}
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				o.restart()
			}
		}
		o.finish(s)
		settled(t, o, s)
	})
}

// Two writers at once, each of them believing to be the only one, with writes
// that come late.
func TestLedgerWithTwoWriters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, holds := drawLog(t, 30), drawGrowing(t)
		scribes := []*scribe{newScribe(log, holds), newScribe(log, holds)}
		s := &desk{t: t}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			o := rapid.SampledFrom(scribes).Draw(t, "scribe")
			switch rapid.SampledFrom([]string{"fold", "plan", "write", "restart"}).Draw(t, "step") {
			case "fold":
				o.fold(rapid.IntRange(1, 8).Draw(t, "matches"))
			case "plan":
				o.plan(s)
			case "write":
				o.write(s, rapid.IntRange(1, 3).Draw(t, "writes"))
			case "restart":
				if rapid.IntRange(0, 4).Draw(t, "really") == 0 {
					o.restart()
				}
			}
		}
		scribes[0].finish(s)
		// The other one wakes up with what it had in hand, and goes on.
		scribes[1].write(s, 100)
		scribes[1].plan(s)
		scribes[1].write(s, 100)
		settled(t, scribes[0], s)
	})
}

// Whoever knows less than what is written keeps quiet.
func TestLedgerBehindIsQuiet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, holds := drawLog(t, 30), drawAny(t)
		ahead, behind := newScribe(log, holds), newScribe(log, holds)
		s := &desk{t: t}
		ahead.finish(s)
		behind.fold(rapid.IntRange(0, len(log)).Draw(t, "prefix"))
		behind.plan(s)
		newest := uint64(0)
		for _, a := range s.latest() {
			newest = max(newest, a.AsOf.Sequence)
		}
		if behind.group.Newest() < newest && len(behind.pending) > 0 {
			t.Fatalf("as of %d, after somebody spoke as of %d: %+v", behind.group.Newest(), newest, behind.pending)
		}
	})
}

// Forgetting as such writes nothing, whatever the condition.
func TestForgettingRevisesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := newScribe(drawLog(t, 30), drawAny(t))
		o.ledger.Limits.EventIDs = rapid.SampledFrom([]int{10_000, 3}).Draw(t, "max ids")
		age(t, o)
		s := &desk{t: t}
		o.fold(len(o.log))
		o.plan(s)
		o.write(s, 100)
		for range 3 {
			o.group.Forget(rapid.Int64Range(0, 101).Draw(t, "cutoff"))
			if o.plan(s); len(o.pending) > 0 {
				t.Fatalf("planned after forgetting: %+v", o.pending)
			}
		}
	})
}

// age spreads the times at which the log stored its matches.
func age(t *rapid.T, o *scribe) {
	for i := range o.log {
		o.log[i].Stored = rapid.Int64Range(0, 100).Draw(t, "stored")
	}
}

// While a group forgets and goes on, its alerts only gain.
func TestAlertsOnlyGainFromForgetfulGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := newScribe(drawLog(t, 40), drawGrowing(t))
		o.ledger.Limits.EventIDs = rapid.SampledFrom([]int{10_000, 3}).Draw(t, "max ids")
		age(t, o)
		s := &desk{t: t}
		for o.read < len(o.log) {
			o.fold(rapid.IntRange(1, 5).Draw(t, "fold"))
			o.plan(s)
			o.write(s, 100)
			if o.plan(s); len(o.pending) > 0 {
				t.Fatalf("planned twice: %+v", o.pending)
			}
			o.group.Forget(rapid.Int64Range(0, 60).Draw(t, "cutoff"))
		}
		before := map[string]alert.Alert{}
		for _, a := range s.revisions {
			b, ok := before[a.ID]
			before[a.ID] = a
			if !ok {
				continue
			}
			if a.State == alert.Withdrawn || a.Count < b.Count || a.FirstSeen.After(b.FirstSeen) || a.LastSeen.Before(b.LastSeen) {
				t.Fatalf("alert %s lost something:\n%+v\n%+v", a.ID, b, a)
			}
			if o.ledger.Limits.EventIDs > 3 {
				for _, id := range b.EventIDs {
					if !slices.Contains(a.EventIDs, id) {
						t.Fatalf("alert %s lost event %s", a.ID, id)
					}
				}
				if a.Count != len(a.EventIDs) {
					t.Fatalf("alert %s counts %d of %q", a.ID, a.Count, a.EventIDs)
				}
			}
		}
	})
}

// What may not depend on the order of arrival does not: the evidence and the
// record that describes the alert are those of the episode.
func TestEvidenceDoesNotDependOnArrival(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		holds := drawGrowing(t)
		log := drawLog(t, 40)
		name := func(o *scribe) (named [][]string) {
			s := &desk{t: t}
			o.fold(len(o.log))
			o.plan(s)
			for _, r := range o.pending {
				told := []string{r.Lead.ID}
				for _, e := range r.Evidence {
					told = append(told, e.ID)
				}
				named = append(named, told)
			}
			return named
		}
		other := slices.Clone(log)
		slices.Reverse(other)
		if diff := cmp.Diff(name(newScribe(log, holds)), name(newScribe(other, holds))); diff != "" {
			t.Fatal(diff)
		}
	})
}
