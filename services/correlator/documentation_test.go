package correlator

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/window"
)

var clock = regexp.MustCompile(`\d\d:\d\d:\d\d`)

// What the documentation says that a subscriber sees, revision by revision, is
// what the rule beside it makes of the records beside it.
func TestTheExampleOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/correlation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## A worked example\n")
	section = strings.ReplaceAll(section, "\n    ", "\n")
	rules, rest, _ := strings.Cut(section, "\n\nTen failures")
	_, timeline, _ := strings.Cut(rest, "\n\n")
	timeline, _, _ = strings.Cut(timeline, "\n\n")

	c, errs := sigma.Parse("correlation.md", []byte(rules))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, errs := sigma.Compile(c, sigma.Options{})
	if len(errs) > 0 || len(set.Correlations()) != 1 {
		t.Fatalf("%d correlations, %v", len(set.Correlations()), errs)
	}
	level := set.Correlations()[0].Levels()[0]
	b := newBench(t, level.Condition)
	b.group = window.New(level.Timespan, level.Condition)

	arrivals := strings.Split(timeline, "arrive: ")[1:]
	if len(arrivals) != 6 {
		t.Fatalf("%d arrivals", len(arrivals))
	}
	for _, arrival := range arrivals {
		records, want, _ := strings.Cut(strings.TrimSpace(arrival), "\n")
		for _, at := range clock.FindAllString(records, -1) {
			when, err := time.Parse(time.TimeOnly, at)
			if err != nil {
				t.Fatal(err)
			}
			b.arrive(0, when.UnixMilli())
		}
		var said []string
		for _, r := range b.write() {
			said = append(said, b.sentence(r))
		}
		got := strings.Join(said, "\n    ")
		if diff := cmp.Diff(strings.TrimSpace(want), got); diff != "" {
			t.Errorf("after %s (-page +got):\n%s", records, diff)
		}
	}
}

// sentence says a revision as the documentation does. Alerts are A, B, … in
// order of opening.
func (b *bench) sentence(r Revision) string {
	letter := func(id string) string {
		for i, a := range b.alerts {
			if a.ID == id {
				return string(rune('A' + i))
			}
		}
		return "?"
	}
	state := string(r.State)
	if r.State == alert.Superseded {
		state += " by " + letter(r.SupersededBy)
	}
	return fmt.Sprintf("alert %s, revision %d: %s, %d failures from %s to %s", letter(r.ID), r.Revision, state, r.Count,
		r.FirstSeen.Format(time.TimeOnly), r.LastSeen.Format(time.TimeOnly))
}
