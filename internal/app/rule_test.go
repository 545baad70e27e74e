package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCorrelationsThatCannotBeCountedAreLeftOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.yml")
	rule := "title: R\nname: r\nlogsource: {product: aws}\ndetection: {sel: {eventName: x}, condition: sel}\n"
	correlation := func(name, rest string) string {
		return "---\ntitle: " + name + "\nname: " + name + "\ncorrelation: {timespan: 5m, " + rest + "}\n"
	}
	text := rule +
		correlation("plain", "type: event_count, rules: r, condition: {gte: 2}") +
		correlation("chain", "type: event_count, rules: plain, condition: {gte: 2}") +
		correlation("aliased", "type: event_count, rules: r, group-by: u, aliases: {u: {r: v}}, condition: {gte: 2}") +
		correlation("ordered", "type: temporal_ordered, rules: [r, plain]")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, errs := LoadRules(Correlator{Rules: Rules{Paths: []string{file}}})
	if set == nil || len(set.Correlations()) != 1 || set.Correlations()[0].Meta().Name != "plain" {
		t.Fatalf("errors: %v", errs)
	}
	var left []string
	for _, err := range errs {
		if !strings.HasSuffix(err.Error(), "this correlation is not run by this version, which counts events of rules; it is left out") {
			t.Errorf("error: %v", err)
		}
		left = append(left, err.Error()[strings.Index(err.Error(), `"`)+1:][:5])
	}
	if got := strings.Join(left, " "); got != "chain alias order" {
		t.Errorf("left out: %s", got)
	}
}
