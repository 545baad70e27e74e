package sigma

import (
	"strings"
	"testing"
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
		{"value_count", "value_sum"}, {"[g]\n", "[g]\n  aliases: {g: {a: x}}\n"},
	} {
		if fingerprint(strings.Replace(is, other[0], other[1], 1)) == fingerprint(is) {
			t.Errorf("%q is the same definition as %q", other[1], other[0])
		}
	}
}
