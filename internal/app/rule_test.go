package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A service that goes on says in its log whether a rule is missing or only a
// setting of one.
func TestTheLogTellsABrokenRuleFromASettingOfNone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "broken.yml"), []byte("title: Broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.Correlator.Rules.Paths = []string{dir}
	c.Correlator.Rules.Disable = []string{"no_such"}
	var log strings.Builder
	a := newAssembly(c, Env{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := a.loadRules(a.logRuleError); err != nil {
		t.Fatal(err)
	}
	for _, line := range []struct{ start, names string }{
		{`msg="rule not loaded" error="`, "broken.yml:1:1: "},
		{`msg="setting of rules has no effect" error="`, "correlator.rules.disable[0]: "},
	} {
		_, after, ok := strings.Cut(log.String(), line.start)
		text, _, _ := strings.Cut(after, "\n")
		if !ok || !strings.Contains(text, line.names) {
			t.Errorf("no line %s…%s… in\n%s", line.start, line.names, log.String())
		}
	}
}
