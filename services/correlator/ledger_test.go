package correlator

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/sigma/window"
)

// bench is a group with its alerts: every say plans and writes.
type bench struct {
	t      *testing.T
	ledger Ledger
	group  *window.Group
	epoch  time.Time
	alerts []alert.Alert // latest revisions, in order of opening
	last   uint64        // sequence of the log
}

func newBench(t *testing.T, holds window.Condition) *bench {
	return &bench{
		t:      t,
		ledger: Ledger{Rule: alert.Rule{ID: "r"}, Token: "group", Fields: map[string]string{"recipientAccountId": "111122223333"}, Limits: alert.DefaultLimits()},
		group:  window.New(span, holds),
		epoch:  ledgerEpoch,
	}
}

// arrive inserts events, each named by its time, and stored at stored.
func (b *bench) arrive(stored int64, times ...int64) {
	for _, at := range times {
		b.last++
		b.group.Insert(window.Event{
			Time: at, ID: fmt.Sprintf("e%d", at), Seq: b.last, Stored: stored,
			Evidence: window.Ref{Sequence: b.last},
		})
	}
}

// write plans, writes, and returns what was written.
func (b *bench) write() []Revision {
	plan := b.ledger.Plan(b.alerts, b.group, alert.AsOf{Epoch: b.epoch, Sequence: b.group.Newest()}, ledgerNow)
	for _, r := range plan {
		if i := slices.IndexFunc(b.alerts, func(a alert.Alert) bool { return a.ID == r.ID }); i >= 0 {
			b.alerts[i] = r.Alert
		} else {
			b.alerts = append(b.alerts, r.Alert)
		}
	}
	return plan
}

// say writes, and says what was written: which alert (by its anchor), which
// revision, what state, how many events.
func (b *bench) say() []string {
	var said []string
	for _, r := range b.write() {
		s := fmt.Sprintf("%s/%d %s %d", r.Anchor, r.Revision, r.State, r.Count)
		for _, a := range b.alerts {
			if a.ID == r.SupersededBy {
				s += " by " + a.Anchor
			}
		}
		said = append(said, s)
	}
	return said
}

func (b *bench) expect(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.say()); diff != "" {
		b.t.Fatalf("said (-want +got):\n%s", diff)
	}
	if again := b.say(); again != nil {
		b.t.Fatalf("said twice: %q", again)
	}
}

func TestLedgerTellsTheLifeOfAnEpisode(t *testing.T) {
	b := newBench(t, moreThan(2))
	b.arrive(0, 0, 1)
	b.expect()
	b.arrive(0, 2)
	b.expect("e2/1 open 3")
	b.arrive(0, 3)
	b.expect("e2/2 open 4")
	b.arrive(0, 100)
	b.expect("e2/3 ended 4")
	b.arrive(0, -5) // late, and in the window of e2
	b.expect("e2/4 ended 5")
	b.arrive(0, 200)
	b.expect()
}

func TestLedgerSupersedesTheLaterOpened(t *testing.T) {
	b := newBench(t, moreThan(2))
	b.arrive(0, 20, 21, 22)
	b.expect("e22/1 open 3")
	b.arrive(0, 0, 1, 2) // earlier, but opened later; e20 sees none of them
	b.expect("e2/1 ended 3")
	b.arrive(0, 3)
	b.expect("e2/2 ended 4")
	b.arrive(0, 12)
	b.expect("e2/3 ended 5", "e22/2 open 4") // both contain e12
	b.arrive(0, 13)                          // e13 sees e3 and e12, e20 sees e12 and e13: one run
	b.expect("e22/3 open 9", "e2/4 superseded 5 by e22")
	b.arrive(0, 23)
	b.expect("e22/4 open 10")
}

func TestLedgerLeavesChainsThatLeadHome(t *testing.T) {
	b := newBench(t, moreThan(2))
	b.arrive(0, 0, 1, 2)
	b.expect("e2/1 open 3")
	b.arrive(0, 20, 21, 22)
	b.expect("e2/2 ended 3", "e22/1 open 3")
	b.arrive(0, 40, 41, 42)
	b.expect("e22/2 ended 3", "e42/1 open 3")
	b.arrive(0, 30, 31)
	b.expect("e22/3 open 8", "e42/2 superseded 3 by e22")
	b.arrive(0, 10, 11)
	b.expect("e2/3 open 13", "e22/4 superseded 8 by e2") // e42 by e22 by e2
}

func TestLedgerWithdrawsAndRevives(t *testing.T) {
	// With eq, what arrives can take back what was said.
	b := newBench(t, counts(window.EQ, 2))
	b.arrive(0, 0, 1)
	b.expect("e1/1 open 2")
	b.arrive(0, -1, -2) // e0 sees three now, e1 four
	b.expect("e-1/1 ended 2", "e1/2 withdrawn 2")
	b.arrive(0, 11) // sees itself and e1
	b.expect("e1/3 open 2")
}

func TestLedgerKeepsWhatIsForgotten(t *testing.T) {
	b := newBench(t, moreThan(2))
	b.arrive(0, 0, 1, 2)
	b.arrive(9, 3)
	b.expect("e2/1 open 4")
	b.group.Forget(5) // all but e3
	b.expect()
	b.arrive(9, 4)
	b.expect("e2/2 ended 4") // e4 comes too late to know of more than two
	b.arrive(9, 5)
	b.expect("e5/1 open 3")
	b.group.Forget(10)
	b.expect()
}

func TestLedgerKeepsWhatWasNotCut(t *testing.T) {
	b := newBench(t, moreThan(2))
	trail := func(forget int64) {
		b.last = 0
		b.arrive(9, 2)
		b.arrive(0, 3)
		b.group.Forget(forget)
		b.arrive(9, 3, 0, 1)
	}
	trail(0)
	b.expect("e2/1 open 4")
	// Another owner has forgotten e3 before it came again, and that it did not
	// hold then: its runs end there.
	b.group = window.New(span, moreThan(2))
	trail(5)
	b.expect("e2/2 ended 4", "e3/1 open 4")
}

func TestLedgerDoesNotOpenAgainWhatEnded(t *testing.T) {
	b := newBench(t, moreThan(2))
	b.arrive(0, 0, 1, 2, 100)
	b.expect("e2/1 ended 3")
	b.group = window.New(span, moreThan(2))
	b.arrive(0, 0, 1, 2) // again, and of the log no more is left
	b.expect()
	b.arrive(0, 3)
	b.expect("e2/2 open 4") // it went on
}

func TestLedgerNamesAnotherSuccessor(t *testing.T) {
	b := newBench(t, moreThan(2))
	b.arrive(0, 0, 1, 2, 3)
	b.expect("e2/1 open 4")
	gone := b.alerts[0]
	gone.ID, gone.Anchor, gone.State, gone.SupersededBy = "gone", "e9", alert.Withdrawn, ""
	gone.Held = alert.Run{}
	lost := b.alerts[0]
	lost.ID, lost.Anchor, lost.State, lost.SupersededBy = "lost", "e3", alert.Superseded, "gone"
	b.alerts = append(b.alerts, gone, lost)
	b.expect("e3/2 superseded 4 by e2")
}

func TestLedgerOfAnotherEpoch(t *testing.T) {
	b := newBench(t, moreThan(2))
	b.arrive(0, 50, 51, 52, 53, 54)
	b.expect("e52/1 open 5")
	t.Run("a sequence of a log that is no more does not count", func(t *testing.T) {
		b.group, b.epoch = window.New(span, moreThan(2)), ledgerEpoch.Add(time.Hour)
		b.arrive(0, 0, 1, 2)
		b.t = t
		b.expect("e2/1 open 3")
	})
	t.Run("an alert takes its episode up again", func(t *testing.T) {
		b.t = t
		b.arrive(0, 50, 51, 52, 53, 54, 55)
		b.expect("e2/2 ended 3", "e52/2 open 6")
	})
}

func TestPlanNamesTheRecordsToRead(t *testing.T) {
	b := newBench(t, moreThan(2))
	for i := range int64(30) {
		b.arrive(0, i)
	}
	asOf := alert.AsOf{Epoch: b.epoch, Sequence: b.group.Newest()}
	plan := b.ledger.Plan(nil, b.group, asOf, ledgerNow)
	if len(plan) != 1 {
		t.Fatalf("%d revisions, want 1", len(plan))
	}
	r := plan[0]
	if r.Account != "111122223333" {
		t.Errorf("account = %q before any record was read, want that of the group", r.Account)
	}
	if r.Lead.ID != "e2" || r.Lead.Evidence.Sequence != 3 {
		t.Errorf("lead = %v, want e2, the first that held", *r.Lead)
	}
	var got []uint64
	for _, e := range r.Evidence {
		got = append(got, e.Evidence.Sequence)
	}
	want := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
}

func TestFill(t *testing.T) {
	stored := alert.Alert{Actor: "old", Records: []json.RawMessage{json.RawMessage(`{"old":1}`)}, Objects: []alert.Object{{Bucket: "b", Key: "old"}}}
	lead := window.Event{ID: "2"}
	revision := func() Revision {
		return Revision{Alert: stored, Lead: &lead, Evidence: []window.Event{{ID: "1"}, {ID: "2"}}}
	}
	all := func(of window.Event) ([]byte, alert.Object, error) {
		return fmt.Appendf(nil, `{"n":%s,"userIdentity":{"userName":"user %s"}}`, of.ID, of.ID), alert.Object{Bucket: "b", Key: "new"}, nil
	}
	t.Run("the lead describes, the evidence replaces", func(t *testing.T) {
		r := revision()
		if err := r.Fill(alert.DefaultLimits(), all); err != nil {
			t.Fatal(err)
		}
		if r.Actor != "user 2" || len(r.Records) != 2 || len(r.Objects) != 1 || r.Objects[0].Key != "new" {
			t.Errorf("actor %q, records %s, objects %v", r.Actor, r.Records, r.Objects)
		}
	})
	t.Run("evidence of an alert that is partly forgotten is added", func(t *testing.T) {
		r := revision()
		r.add = true
		if err := r.Fill(alert.DefaultLimits(), all); err != nil {
			t.Fatal(err)
		}
		if len(r.Records) != 3 || len(r.Objects) != 2 {
			t.Errorf("records %s, objects %v", r.Records, r.Objects)
		}
		if len(stored.Records) != 1 {
			t.Error("the stored alert was changed")
		}
	})
	t.Run("what is not there any more changes nothing", func(t *testing.T) {
		r := revision()
		if err := r.Fill(alert.DefaultLimits(), func(window.Event) ([]byte, alert.Object, error) { return nil, alert.Object{}, nil }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(stored, r.Alert); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an error is the caller's", func(t *testing.T) {
		r, broken := revision(), errors.New("broken")
		if err := r.Fill(alert.DefaultLimits(), func(window.Event) ([]byte, alert.Object, error) { return nil, alert.Object{}, broken }); !errors.Is(err, broken) {
			t.Errorf("err = %v", err)
		}
	})
}

// BenchmarkPlan plans for a group in one long episode that grew by one event.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int64{10, 1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ledger := Ledger{Rule: alert.Rule{ID: "r"}, Token: "group", Limits: alert.DefaultLimits()}
			g := window.New(span, moreThan(2))
			var stored []alert.Alert
			for i := range n {
				if i == n-1 {
					for _, r := range ledger.Plan(nil, g, alert.AsOf{Epoch: ledgerEpoch, Sequence: g.Newest()}, ledgerNow) {
						stored = append(stored, r.Alert)
					}
				}
				g.Insert(window.Event{Time: i, ID: fmt.Sprintf("7f3a1c2e-0000-4000-8000-%012d", i), Seq: uint64(i + 1)})
			}
			asOf := alert.AsOf{Epoch: ledgerEpoch, Sequence: g.Newest()}
			b.ReportAllocs()
			for b.Loop() {
				if len(ledger.Plan(stored, g, asOf, ledgerNow)) != 1 {
					b.Fatal("nothing to write")
				}
			}
		})
	}
}
