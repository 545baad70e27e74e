package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/app"
)

// read reads a configuration of that text and validates it.
func read(t *testing.T, text string, change ...func(*app.Config)) (app.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trailbell.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := app.DefaultConfig()
	c.DataDir = "/var/lib/trailbell"
	err := c.ReadFile(path)
	if err == nil {
		for _, f := range change {
			f(&c)
		}
		err = c.Validate()
	}
	if err != nil {
		// What follows the directory.
		return c, &shortened{strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", "")}
	}
	return c, nil
}

type shortened struct{ text string }

func (e *shortened) Error() string { return e.text }

func TestAConfigurationIsReadOverTheDefaults(t *testing.T) {
	c, err := read(t, `
# everything else stays as it is
http: ""
lister:
  interval: 1m
  look_back: 3d
  buckets:
    - {name: my-trail, profile: default, accounts: [012345678901], since: 2026-11-01}
correlator:
  rules: {paths: [./rules], level: {console_login_failure: high}}
forwarder:
  sinks:
    - {name: archive, type: file, path: alerts.ndjson}
streams:
  events: 4GiB
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP != "" || c.NATS.Listen != app.DefaultConfig().NATS.Listen || !c.Correlator.Rules.Shipped {
		t.Errorf("http %q, nats.listen %q, shipped %v", c.HTTP, c.NATS.Listen, c.Correlator.Rules.Shipped)
	}
	if c.Lister.Interval.String() != "1m" || time.Duration(c.Lister.LookBack) != 72*time.Hour || c.Streams.Events != 4<<30 {
		t.Errorf("interval %s, look_back %s, events %s", c.Lister.Interval, c.Lister.LookBack, c.Streams.Events)
	}
	b := c.Lister.Buckets[0]
	if b.Name != "my-trail" || b.Profile != "default" || b.Accounts[0] != "012345678901" || b.Since.String() != "2026-11-01" {
		t.Errorf("bucket %+v", b)
	}
	if len(c.Forwarder.Sinks) != 1 || c.Correlator.Rules.Level["console_login_failure"] != "high" {
		t.Errorf("sinks %+v, levels %v", c.Forwarder.Sinks, c.Correlator.Rules.Level)
	}
}

// A configuration means the same wherever a program is started.
func TestPathsOfRulesAreFromTheDirectoryOfTheFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(t.TempDir())
	file := filepath.Join(dir, "trailbell.yaml")
	if err := os.WriteFile(file, []byte("correlator: {rules: {paths: [mine, ../beside, /elsewhere]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := app.DefaultConfig()
	if err := c.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "mine"), filepath.Join(filepath.Dir(dir), "beside"), "/elsewhere"}
	if diff := cmp.Diff(want, c.Correlator.Rules.Paths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, errs := app.LoadRules(c.Correlator)
	if len(errs) != 3 || !strings.Contains(errs[0].Error(), want[0]+": no such file") {
		t.Errorf("errors %v", errs)
	}
}

func TestPlaceholdersReachTheRules(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rule.yml")
	rule := "title: Admin\nname: admin\nlogsource: {product: aws}\ndetection: {s: {userIdentity.userName|expand: '%admins%'}, condition: s}\n"
	if err := os.WriteFile(file, []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := read(t, "correlator:\n  rules:\n    shipped: false\n    paths: ["+file+"]\n    placeholders: {admins: [root, 'ad*']}\n")
	if err != nil {
		t.Fatal(err)
	}
	set, errs := app.LoadRules(c.Correlator)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for name, want := range map[string]int{"root": 1, "adam": 1, "eve": 0} {
		record := []byte(`{"userIdentity": {"userName": "` + name + `"}}`)
		if got := set.Candidates("", "").AppendMatches(nil, record); len(got) != want {
			t.Errorf("%d rules match %s, want %d", len(got), name, want)
		}
	}
	c.Correlator.Rules.Placeholders = nil
	if _, errs := app.LoadRules(c.Correlator); len(errs) == 0 || !strings.Contains(errs[0].Error(), "admins") {
		t.Errorf("without the values: %v", errs)
	}
}

func TestARuleThatIsNoneIsSaidWithItsLine(t *testing.T) {
	c, err := read(t, "correlator:\n  rules:\n    disable:\n      - trail_tampering\n      - trail_tamperin\n    level:\n      root_activty: low\n")
	if err != nil {
		t.Fatal(err)
	}
	_, errs := app.LoadRules(c.Correlator)
	want := []string{
		`trailbell.yaml:5: correlator.rules.disable[1]: no rule has the id or name "trail_tamperin"; did you mean "trail_tampering"?`,
		`trailbell.yaml:7: correlator.rules.level.root_activty: no rule has the id or name "root_activty"; did you mean "root_activity"?`,
	}
	for i, err := range errs {
		if i >= len(want) || !strings.HasSuffix(err.Error(), want[i]) {
			t.Errorf("got %v", err)
		}
	}
	if len(errs) != len(want) {
		t.Errorf("got %d errors, want %d", len(errs), len(want))
	}
	// Without a file there is no line.
	c = app.DefaultConfig()
	c.Correlator.Rules.Disable = []string{"trail_tamperin"}
	if _, errs := app.LoadRules(c.Correlator); len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "correlator.rules.disable[0]: no rule") {
		t.Errorf("got %v", errs)
	}
}

func TestAnEmptyConfigurationChangesNothing(t *testing.T) {
	for _, text := range []string{"", "# only words\n", "---\n", "lister:\n"} {
		if _, err := read(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAMistakeIsSaidWithFileLineKeyAndWhatToWrite(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown key that is nearly one", "lister:\n  intervall: 5m\n",
			`trailbell.yaml:2: lister.intervall: there is no such key; did you mean "interval"?`},
		{"an unknown key that is far from all", "lister:\n  elephants: 5\n",
			`trailbell.yaml:2: lister.elephants: there is no such key; there are buckets, interval, look_back`},
		{"a value that YAML does not take", "http: @x\n",
			`trailbell.yaml:1:7: not YAML: quote a value that starts with '@', as in '@x'`},
		{"a key that is there twice", "http: a\nhttp: b\n",
			`trailbell.yaml:2: http: was set in line 1 already`},
		{"no date", "lister:\n  buckets:\n    - name: a\n      since: 2026-13-01\n",
			`trailbell.yaml:4: lister.buckets[0].since: "2026-13-01" is not a date; write YYYY-MM-DD, or a time span such as 24h or 7d`},
		{"no duration", "lister: {interval: often}\n",
			`trailbell.yaml:1: lister.interval: "often" is not a duration; write for example 90s, 5m, 48h or 7d`},
		{"a negative duration", "lister: {interval: -5m}\n",
			`trailbell.yaml:1: lister.interval: "-5m" is not a duration; write for example 90s, 5m, 48h or 7d`},
		{"no size", "streams:\n  events: much\n",
			`trailbell.yaml:2: streams.events: "much" is not a size; write for example 512KiB, 64MiB or 2GiB`},
		{"no number", "streams:\n  partitions: few\n",
			`trailbell.yaml:2: streams.partitions: "few" is not a whole number`},
		{"no switch", "correlator:\n  rules:\n    shipped: maybe\n",
			`trailbell.yaml:3: correlator.rules.shipped: "maybe" is not true or false`},
		{"a value where keys belong", "\nlister: my-trail\n",
			`trailbell.yaml:2: lister: expected keys with values`},
		{"a value where a list belongs", "lister:\n  buckets: my-trail\n",
			`trailbell.yaml:2: lister.buckets: expected a list, as in [a, b]`},
		{"a list where a value belongs", "lister:\n  interval: [5m]\n",
			`trailbell.yaml:2: lister.interval: expected a single value`},
		{"a tab", "lister:\n\tinterval: 5m\n",
			`trailbell.yaml:2:1: a tab; indent with spaces`},
		{"two documents", "http: a\n---\nhttp: b\n",
			`trailbell.yaml:2: a second YAML document begins here; put everything into one`},

		{"a value beyond its bounds", "lister:\n  interval: 1ms\n",
			`trailbell.yaml:2: lister.interval: 1ms is too often; write at least 1s`},
		{"a bucket that is there twice", "lister:\n  buckets:\n    - {name: a}\n    - {name: b}\n    - {name: a}\n",
			`trailbell.yaml:5: lister.buckets[2]: bucket "a" is listed twice; list it once`},
		{"a bucket without a name", "lister:\n  buckets:\n    - {profile: default}\n",
			`trailbell.yaml:3: lister.buckets[0]: a bucket has no name; give it with --bucket, or as name in the configuration`},
		{"a level that is none", "correlator:\n  rules:\n    level:\n      a: high\n      b: urgent\n",
			`trailbell.yaml:5: correlator.rules.level.b: "urgent" is not a level; write one of informational, low, medium, high, critical`},
		{"a rule with two levels", "correlator:\n  rules:\n    level:\n      a: high\n      a: low\n",
			`trailbell.yaml:5: correlator.rules.level.a: was set in line 4 already`},
		{"levels as a list", "correlator:\n  rules:\n    level: [a]\n",
			`trailbell.yaml:3: correlator.rules.level: expected keys with values`},
		{"a placeholder that is no list", "correlator:\n  rules:\n    placeholders:\n      admins: root\n",
			`trailbell.yaml:4: correlator.rules.placeholders.admins: expected a list, as in [a, b]`},
		{"a placeholder without values", "correlator:\n  rules:\n    placeholders:\n      admins: []\n",
			`trailbell.yaml:4: correlator.rules.placeholders.admins: there are no values; write what %admins% stands for, as in [a, b]`},
		{"a sink of a type that is none", "forwarder:\n  sinks:\n    - name: pager\n      type: pigeon\n",
			`trailbell.yaml:4: forwarder.sinks[0].type: "pigeon" is not a type of sink; there are stdout and file`},
		{"a sink without what it needs", "forwarder:\n  sinks:\n    - name: archive\n      type: file\n",
			`trailbell.yaml:3: forwarder.sinks[0].path: a file sink needs a path`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(t, c.text)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestEveryMistakeIsSaidAtOnceInTheOrderOfTheKeys(t *testing.T) {
	_, err := read(t, "streams:\n  partitions: 0\n  replicas: 9\n  keys: 1KiB\n")
	want := "trailbell.yaml:4: streams.keys: 1.0 KiB is too small to hold a few messages; write at least 16MiB\n" +
		"trailbell.yaml:2: streams.partitions: 0 is not from 1 to 256\n" +
		"trailbell.yaml:3: streams.replicas: 9 is not from 1 to 5"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestAMistakeOfAFlagIsNotBlamedOnTheFile(t *testing.T) {
	_, err := read(t, "log: {level: debug}\n", func(c *app.Config) { c.Log.Level = "loud" })
	if want := `log.level: "loud" is not a level; write debug, info, warn or error`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err := read(t, "log: {level: loud}\n", func(c *app.Config) { c.Log.Level = "info" }); err != nil {
		t.Errorf("a flag put it right, and still: %v", err)
	}
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	c := app.DefaultConfig()
	err := c.ReadFile("no/such.yaml")
	if want := "configuration: open no/such.yaml: no such file or directory; check --config"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
