package demo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/services/forwarder"
)

// revision is a revision of an alert of rule "r".
func revision(id string, number int, state alert.State, events ...string) alert.Alert {
	return alert.Alert{
		ID: id, Revision: number, State: state, Kind: alert.KindCorrelation, Count: len(events), EventIDs: events,
		Rule: alert.Rule{Name: "r", Title: "Title of " + id, Level: "high"},
	}
}

func plant(rule string, events ...string) generator.Planted {
	return generator.Planted{Attack: "attack", Rule: rule, EventIDs: events}
}

func TestAnAlertIsFoundByItsRuleAndExactlyItsRecords(t *testing.T) {
	for _, tt := range []struct {
		name      string
		alerts    []alert.Alert
		planted   []generator.Planted
		found     int
		surprises []string
	}{
		{"the same records in another order", []alert.Alert{revision("1", 1, alert.Open, "a", "b")}, []generator.Planted{plant("r", "b", "a")}, 1, nil},
		{"a record is missing", []alert.Alert{revision("1", 1, alert.Open, "a")}, []generator.Planted{plant("r", "a", "b")}, 0, []string{"r, 1 of a"}},
		{"a record too many", []alert.Alert{revision("1", 1, alert.Open, "a", "b", "c")}, []generator.Planted{plant("r", "a", "b")}, 0, []string{"r, 3 of a b c"}},
		{"another rule", []alert.Alert{revision("1", 1, alert.Open, "a")}, []generator.Planted{plant("other", "a")}, 0, []string{"r, 1 of a"}},
		{"silence", nil, []generator.Planted{plant("r", "a")}, 0, nil},
		{"the last revision counts", []alert.Alert{revision("1", 1, alert.Open, "a"), revision("1", 2, alert.Ended, "a", "b")}, []generator.Planted{plant("r", "a", "b")}, 1, nil},
		{"an old revision comes again", []alert.Alert{revision("1", 2, alert.Ended, "a", "b"), revision("1", 1, alert.Open, "a")}, []generator.Planted{plant("r", "a", "b")}, 1, nil},
		{"what was withdrawn does not count", []alert.Alert{revision("1", 1, alert.Open, "a"), revision("1", 2, alert.Withdrawn, "a")}, []generator.Planted{plant("r", "a")}, 0, nil},
		{"two alerts for one", []alert.Alert{revision("1", 1, alert.Open, "a"), revision("2", 1, alert.Open, "a")}, []generator.Planted{plant("r", "a")}, 1, []string{"r, 1 of a"}},
		{"one alert for two", []alert.Alert{revision("1", 1, alert.Open, "a")}, []generator.Planted{plant("r", "a"), plant("r", "a")}, 1, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tally := newTally(&bytes.Buffer{}, screen.Look{})
			for _, a := range tt.alerts {
				if err := tally.Deliver(t.Context(), forwarder.Delivery{Alert: a}); err != nil {
					t.Fatal(err)
				}
			}
			_, findings, surprises := tally.judge(tt.planted)
			want := []Finding{{Attack: "attack", Rule: tt.planted[0].Rule, Planted: len(tt.planted), Found: tt.found}}
			if diff := cmp.Diff(want, findings); diff != "" {
				t.Error("findings (-want +got)\n" + diff)
			}
			if diff := cmp.Diff(tt.surprises, surprises); diff != "" {
				t.Error("surprises (-want +got)\n" + diff)
			}
		})
	}
}

func TestAnAlertIsPrintedAgainOnlyWhenSomethingHappened(t *testing.T) {
	var out bytes.Buffer
	tally := newTally(&out, screen.Look{})
	for i, tt := range []struct {
		a       alert.Alert
		printed bool
	}{
		{revision("1", 1, alert.Open, "a"), true},
		{revision("1", 1, alert.Open, "a"), false},
		{revision("1", 2, alert.Ended, "a"), false},
		{revision("1", 3, alert.Ended, "a", "b"), true},
		{revision("1", 4, alert.Withdrawn, "a", "b"), true},
	} {
		out.Reset()
		if err := tally.Deliver(t.Context(), forwarder.Delivery{Alert: tt.a}); err != nil {
			t.Fatal(err)
		}
		if printed := strings.Contains(out.String(), "Title of 1"); printed != tt.printed {
			t.Errorf("delivery %d: printed %v, want %v", i+1, printed, tt.printed)
		}
	}
}

func TestAResultIsGoodWhenNothingIsMissingOrTooMuch(t *testing.T) {
	good := Result{Objects: 2, OfObjects: 2, Records: 10, OfRecords: 10, Findings: []Finding{{Planted: 1, Found: 1}}}
	if !good.Good() {
		t.Error("a good result is not good")
	}
	for name, spoil := range map[string]func(*Result){
		"an object did not come through": func(r *Result) { r.Objects-- },
		"a record did not come through":  func(r *Result) { r.Records-- },
		"an attack was missed":           func(r *Result) { r.Findings = []Finding{{Planted: 2, Found: 1}} },
		"something else rang":            func(r *Result) { r.Surprises = []string{"r"} },
		"something went to DEAD":         func(r *Result) { r.Dead = 1 },
	} {
		r := good
		spoil(&r)
		if r.Good() {
			t.Errorf("%s, and the result is good", name)
		}
	}
}
