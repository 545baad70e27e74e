package sigma

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFingerprintsTellApartWhatHitsMean(t *testing.T) {
	fingerprint := func(correlation string) uint32 {
		t.Helper()
		set, errs := compileText(t, small("a", "")+small("b", "")+"---\ntitle: C\nid: c\ncorrelation:\n"+correlation, Options{})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		return set.Correlation("c").Fingerprint()
	}
	const is = "  type: value_count\n  rules: [a, b]\n  group-by: [g]\n  timespan: 5m\n  condition: {field: f, gt: 4}\n"
	for _, same := range [][2]string{{"5m", "6m"}, {"gt: 4", "lt: 2"}} {
		if fingerprint(strings.Replace(is, same[0], same[1], 1)) != fingerprint(is) {
			t.Errorf("%q is another definition than %q", same[1], same[0])
		}
	}
	for _, other := range [][2]string{
		{"[a, b]", "[b, a]"}, {"[a, b]", "[a]"}, {"[g]", "[h]"}, {"[g]", "[g, h]"}, {"field: f", "field: g"},
		{"value_count", "value_sum"}, {"[g]\n", "[g]\n  aliases: {f: {a: x}}\n"}, {"[g]\n", "[g]\n  aliases: {g: {a: x}}\n"},
	} {
		if fingerprint(strings.Replace(is, other[0], other[1], 1)) == fingerprint(is) {
			t.Errorf("%q is the same definition as %q", other[1], other[0])
		}
	}
}

// Fingerprints are stored: a release that makes others of the same rules passes
// over what it finds.
func TestFingerprintsStayTheSame(t *testing.T) {
	set, errs := compileText(t, small("a", "id: 6f3e2987-db24-4c78-a860-b4f4095a7095\n")+`---
title: Inner
name: inner
correlation: {type: event_count, rules: a, group-by: [g, h], timespan: 5m, condition: {gte: 2}}
---
title: Outer
id: outer
correlation: {type: value_count, rules: [inner, a], group-by: [g], aliases: {x: {a: y}}, timespan: 5m, condition: {field: x, gte: 2}, generate: true}
`, Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	got := map[string]uint32{}
	for _, c := range set.Correlations() {
		got[c.Meta().Title] = c.Fingerprint()
	}
	if diff := cmp.Diff(map[string]uint32{"Inner": 896544008, "Outer": 3496240665}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
