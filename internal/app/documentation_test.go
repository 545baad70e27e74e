package app

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheDocumentedConfigurationIsWhatHolds reads docs/configuration.md as a
// configuration: its keys exist, and its values are the defaults.
func TestTheDocumentedConfigurationIsWhatHolds(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```yaml\n")
	text, _, ok := strings.Cut(text, "```\n")
	if !ok {
		t.Fatal("docs/configuration.md has no block of YAML")
	}
	var got Config
	if err := got.parse("docs/configuration.md", []byte(text)); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	// These depend on the machine, or are examples.
	want.Decoder.Workers, want.Correlator.Workers, want.Fetcher.Workers = 2, 2, 16
	got.Lister.Buckets, got.Forwarder.Sinks, got.origin = nil, nil, nil
	want.Forwarder.Sinks = nil
	got.Correlator.Rules = Rules{Shipped: got.Correlator.Rules.Shipped}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Config{}, Rules{}, Since{})); diff != "" {
		t.Errorf("the page differs from the defaults (-defaults +page):\n%s", diff)
	}
	for _, key := range []string{"name", "prefix", "profile", "region", "endpoint", "path_style", "accounts", "regions", "since", "paths", "disable", "level", "placeholders", "match", "rule"} {
		if !strings.Contains(text, key+":") {
			t.Errorf("the page does not mention %q", key)
		}
	}
}
