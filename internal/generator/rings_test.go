package generator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/rules"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/correlate"
)

// TestTheShippedRulesRingAsPlanted: all that is planted rings, with the records
// that are named, and nothing else does.
func TestTheShippedRulesRingAsPlanted(t *testing.T) {
	collection, errs := rules.Load()
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, errs := sigma.Compile(collection, sigma.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, tt := range []struct {
		name    string
		options Options
	}{
		{"each attack once, in one account", Options{Records: 1500, Attacks: Attacks()}},
		{"each attack twice, over two accounts", Options{Records: 1500, Attacks: append(Attacks(), Attacks()...), Accounts: []string{"111122223333", "444455556666"}}},
		{"as dense as may be", Options{Records: 1500, Attacks: slices.Repeat([]Attack{BruteForce, BruteForceSpread, BruteForceAtBorder, SlowFailures}, 11)}},
		{"no attack", Options{Records: 5000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(2) {
				tt.options.Seed = seed
				trail := grow(t, tt.options)
				var want []string
				for _, p := range trail.Planted() {
					want = append(want, alert(p.Rule, p.EventIDs))
				}
				slices.Sort(want)
				if diff := cmp.Diff(want, rung(t, set, trail)); diff != "" {
					t.Errorf("seed %d (-planted +rung)\n%s", seed, diff)
				}
			}
		})
	}
}

// alert is the rule and the records of an alert.
func alert(rule string, ids []string) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return rule + " " + strings.Join(ids, " ")
}

// rung gives every alert of a trail, sorted.
func rung(t *testing.T, set *sigma.Set, trail *Trail) (alerts []string) {
	t.Helper()
	correlator := correlate.New(set)
	for o := range trail.Objects() {
		records, hot := read(t, o)
		for i, record := range records {
			id := string(hot[i].Identity)
			for _, rule := range correlator.Add(record, time.UnixMilli(hot[i].Time), id) {
				if rule.Alerts() {
					alerts = append(alerts, alert(rule.Meta().Name, []string{id}))
				}
			}
		}
	}
	for _, episode := range correlator.Episodes() {
		alerts = append(alerts, alert(episode.Correlation.Meta().Name, episode.Events))
	}
	slices.Sort(alerts)
	return alerts
}
