package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/services/forwarder"
	"github.com/trailbell/trailbell/services/forwarder/stdout"
)

// Finding is what was planted of an attack for one rule, and how much of it
// rang: by that rule, with exactly the records that were planted.
type Finding struct {
	Attack         generator.Attack
	Rule           string
	Planted, Found int
}

// tally is the sink of the demo. It prints alerts as they come and remembers
// the latest revision of each.
type tally struct {
	screen *stdout.Sink

	mu   sync.Mutex
	last map[string]alert.Alert
}

func newTally(w io.Writer, look screen.Look) *tally {
	return &tally{screen: stdout.NewText(w, look), last: map[string]alert.Alert{}}
}

// Deliver prints a revision, unless it says nothing that a person has not read
// already: that nothing more has happened.
func (t *tally) Deliver(ctx context.Context, d forwarder.Delivery) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, known := t.last[d.Alert.ID]
	if known && before.Revision >= d.Alert.Revision {
		return nil
	}
	if known && d.Alert.State.Living() && before.Count == d.Alert.Count {
		t.last[d.Alert.ID] = d.Alert
		return nil
	}
	if err := t.screen.Deliver(ctx, d); err != nil {
		return err
	}
	t.last[d.Alert.ID] = d.Alert
	return nil
}

// judge compares the alerts that stand with what was planted.
func (t *tally) judge(planted []generator.Planted) (levels map[string]int, findings []Finding, surprises []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	levels = map[string]int{}
	rang := map[string][]alert.Alert{}
	for _, a := range t.last {
		if a.State.Living() {
			levels[a.Rule.Level]++
			k := ring(a.Rule.Name, a.EventIDs)
			rang[k] = append(rang[k], a)
		}
	}
	for _, p := range planted {
		i := slices.IndexFunc(findings, func(f Finding) bool { return f.Attack == p.Attack && f.Rule == p.Rule })
		if i < 0 {
			i, findings = len(findings), append(findings, Finding{Attack: p.Attack, Rule: p.Rule})
		}
		findings[i].Planted++
		// Each alert stands for one thing planted.
		if k := ring(p.Rule, p.EventIDs); len(rang[k]) > 0 {
			findings[i].Found++
			rang[k] = rang[k][1:]
		}
	}
	var others []alert.Alert
	for _, left := range rang {
		others = append(others, left...)
	}
	slices.SortFunc(others, func(a, b alert.Alert) int {
		return cmp.Or(a.FirstSeen.Compare(b.FirstSeen), cmp.Compare(a.ID, b.ID))
	})
	for _, a := range others {
		surprises = append(surprises, fmt.Sprintf("%s, %d of %s", cmp.Or(a.Rule.Name, a.Rule.ID), a.Count, strings.Join(a.EventIDs, " ")))
	}
	return levels, findings, surprises
}

// ring names an alert by what does not change from run to run.
func ring(rule string, ids []string) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return rule + " " + strings.Join(ids, " ")
}
