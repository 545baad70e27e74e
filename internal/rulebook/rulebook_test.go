package rulebook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/rulebook"
	"github.com/trailbell/trailbell/internal/screen"
)

func open(t *testing.T, s rulebook.Source) *rulebook.Book {
	t.Helper()
	b, err := rulebook.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func shippedAnd(paths ...string) app.Correlator {
	c := app.DefaultConfig().Correlator
	c.Rules.Paths = paths
	return c
}

func rule(name string) string {
	return fmt.Sprintf("title: %s\nname: %s\nlogsource: {product: aws}\ndetection: {s: {eventName: %s}, condition: s}\n", name, name, name)
}

func names(entries []rulebook.Entry) string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Name)
	}
	return strings.Join(all, " ")
}

func TestWhatIsLookedAt(t *testing.T) {
	dir := write(t, map[string]string{"a.yml": rule("a"), "b.yml": rule("b"), "a.test.yml": "cases: [{name: x, events: [{with: {eventName: a}}], rings: [a]}]"})
	a := filepath.Join(dir, "a.yml")
	for _, tc := range []struct {
		name   string
		source rulebook.Source
		want   string
	}{
		{"a path alone", rulebook.Source{Config: shippedAnd(), Paths: []string{dir}}, "a b"},
		{"a file", rulebook.Source{Config: shippedAnd(), Paths: []string{a}}, "a"},
		{"its tests", rulebook.Source{Config: shippedAnd(), Paths: []string{filepath.Join(dir, "a.test.yml")}}, "a"},
		// It is in the configuration, too, and not there twice.
		{"a file beside others", rulebook.Source{Config: shippedAnd(dir), Paths: []string{a}, Beside: true}, "a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := open(t, tc.source)
			if got := names(b.List()); got != tc.want {
				t.Errorf("lists %q, want %q", got, tc.want)
			}
			if c := b.Check(); c.Errors > 0 || c.Rules != len(strings.Fields(tc.want)) {
				t.Errorf("%+v", c)
			}
			if tested, err := b.Test(t.Context(), io.Discard, rulebook.TestOptions{}); err != nil || tested.Cases != 1 || tested.Verdict() != "" {
				t.Errorf("%+v, %v", tested, err)
			}
		})
	}
	if got := names(open(t, rulebook.Source{Config: shippedAnd(dir)}).List()); !strings.Contains(got, " trail_tampering ") || !strings.Contains(got, " a b ") {
		t.Errorf("a configuration lists %q", got)
	}
}

// A list of the shipped rules fits a terminal of any width and names every rule
// in full; elsewhere nothing is cut.
func TestAListFitsTheTerminal(t *testing.T) {
	entries := open(t, rulebook.Source{Config: shippedAnd()}).List()
	for _, width := range []int{60, 80, 120, 200} {
		for _, order := range append([]string{""}, rulebook.Orders...) {
			groups := []rulebook.Group{{Entries: entries}}
			if order != "" {
				groups = rulebook.GroupBy(entries, order)
			}
			var b strings.Builder
			if err := rulebook.FormatList(&b, groups, screen.Look{Width: width}); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
			for _, line := range lines {
				if n := screen.Width(line); n > width {
					t.Errorf("by %q, %d wide of %d: %q", order, n, width, line)
				}
			}
			for _, e := range entries {
				if !strings.Contains(b.String(), "  "+e.Name+"  ") && !strings.Contains(b.String(), "  "+e.Name+"\n") {
					t.Errorf("by %q, %d wide: %s is not there", order, width, e.Name)
				}
			}
		}
	}
	var b strings.Builder
	if err := rulebook.FormatList(&b, []rulebook.Group{{Entries: entries}}, screen.Look{}); err != nil || strings.Contains(b.String(), "…") {
		t.Errorf("%v, or something is cut:\n%s", err, b.String())
	}
}

func TestGroups(t *testing.T) {
	tagged := func(name string, sources []string, tags ...string) rulebook.Entry {
		return rulebook.Entry{Name: name, Kind: "rule", Level: 3, Sources: sources, Tags: tags}
	}
	entries := []rulebook.Entry{
		tagged("a", []string{"s3"}, "attack.t1000", "attack.T1000.002", "attack.initial-access"),
		tagged("b", []string{"iam", "s3"}, "attack.t1000", "attack.defense_evasion", "attack.t1000"),
		tagged("c", nil, "cve.2026-1"),
	}
	for order, want := range map[string][]string{
		"technique": {"T1000  defense-evasion, initial-access: a b", "T1000.002  initial-access: a", "no technique: c"},
		"source":    {"iam: b", "s3: a b", "every source: c"},
		"level":     {"medium: a b c"},
	} {
		var got []string
		for _, g := range rulebook.GroupBy(entries, order) {
			got = append(got, g.Heading+": "+names(g.Entries))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", order, diff)
		}
	}
}

func TestReadEvent(t *testing.T) {
	const one, two = `{"eventID": "1", "eventName": "A"}`, `{"eventID": "2", "eventName": "B"}`
	for _, tc := range []struct{ name, text, id, want string }{
		{"a record", one, "", one},
		{"a log file", `{"Records": [` + one + `, ` + two + `]}`, "", one},
		{"another of it", `{"Records": [` + one + `, ` + two + `]}`, "2", two},
		{"lines", one + "\n" + two + "\n", "2", two},
		{"a list", "[" + one + "]", "1", one},
		{"not there", one + "\n" + two, "3", `error: e.json: none of 2 records has the eventID "3"`},
		{"nothing", "", "", "error: e.json: the file is empty (at byte 0)"},
		{"what lookup-events prints", `{"Events": [{"EventId": "1", "CloudTrailEvent": ` + strconv.Quote(one) + `}, {"CloudTrailEvent": ` + strconv.Quote(two) + `}], "NextToken": "x"}`, "2", two},
		{"an event of it", `{"EventId": "1", "CloudTrailEvent": ` + strconv.Quote(one) + `}`, "", one},
		{"cut off", `{"Records": [` + one + `, {`, "", "error: e.json: the file ends in the middle of a record (at byte 50)"},
		{"broken inside", `{"eventID": "1", "x": tru}`, "", "error: e.json: record 1 is not valid JSON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := rulebook.ReadEvent(strings.NewReader(tc.text), "e.json", rulebook.Choice{EventID: tc.id})
			got := string(e.Record)
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestTheRecordThatARuleIsTriedOnIsPreferred(t *testing.T) {
	b := open(t, rulebook.Source{Config: shippedAnd()})
	tried, err := b.Tried([]string{"trail_tampering"})
	if err != nil {
		t.Fatal(err)
	}
	const other, stop = `{"eventID": "1", "eventName": "A"}`, `{"eventID": "2", "eventTime": "now", "eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging"}`
	for text, want := range map[string]string{
		other + "\n" + stop + "\n" + stop: stop + " 2 of 3",
		other + "\n" + other:              other + " 1 of 2",
	} {
		e, err := rulebook.ReadEvent(strings.NewReader(text), "e.json", rulebook.Choice{Prefer: tried})
		if got := fmt.Sprintf("%s %d of %d", e.Record, e.Number, e.Of); err != nil || got != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}

func TestARuleMayBeAskedForByEachOfItsNames(t *testing.T) {
	b := open(t, rulebook.Source{Config: shippedAnd()})
	entries := b.List()
	i := slices.IndexFunc(entries, func(e rulebook.Entry) bool { return e.Name == "trail_tampering" })
	for _, name := range []string{entries[i].ID, entries[i].Name, entries[i].Title} {
		a, err := b.Explain([]byte(`{}`), []string{name})
		if err != nil || len(a.Verdicts) != 1 || a.Verdicts[0].Rule != "trail_tampering" {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// What the configuration disables, and what only counts, can be asked all the
// same.
func TestADisabledRuleMayBeAskedFor(t *testing.T) {
	dir := write(t, map[string]string{"a.yml": rule("a") + "---\ntitle: C\nname: c\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: {gte: 2}}\n" +
		"---\ntitle: D\nname: d\ncorrelation: {type: event_count, rules: c, timespan: 2m, condition: {gte: 2}}\n---\n" + rule("b")})
	config := shippedAnd(dir)
	config.Rules.Shipped, config.Rules.Disable = false, []string{"b"}
	book := open(t, rulebook.Source{Config: config})
	for name, want := range map[string]string{
		"a": "a true false", "b": "b false false", "c": "a true false, c true false", "d": "a true false, c true false, d true true",
	} {
		answer, err := book.Explain([]byte(`{"eventName": "a"}`), []string{name})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range answer.Verdicts {
			got = append(got, fmt.Sprint(v.Rule, " ", v.Matches, " ", v.Alerts))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// A list says of everything what it is, whether it alerts by itself or not.
func TestAListOfWhatDoesNotAlert(t *testing.T) {
	dir := write(t, map[string]string{"a.yml": rule("a") + "level: high\n" +
		"---\ntitle: C\nname: c\ncorrelation: {type: value_count, rules: a, group-by: who, timespan: 1m, condition: {field: x, gte: 2}}\n" +
		"---\ntitle: D\nname: d\ncorrelation: {type: event_count, rules: c, timespan: 90m, condition: {gt: 1}}\n" +
		"---\n" + rule("b") + "---\n" + strings.ReplaceAll(rule("e"), "eventName:", "eventName|expand: '%nobody%', x:") +
		"---\ntitle: F\nname: f\nlogsource: {product: aws}\nfilter: {rules: [a], s: {eventName: a}, condition: not s}\n"})
	config := shippedAnd(dir)
	config.Rules.Shipped, config.Rules.Disable = false, []string{"b", "f"}
	config.Rules.Level = map[string]string{"b": "critical"}
	book := open(t, rulebook.Source{Config: config})
	var got []string
	for _, e := range book.List() {
		got = append(got, fmt.Sprintf("%s: %v %s %v %s", e.Name, e.Level, e.State, e.Names, e.Counts))
	}
	want := []string{
		"a: high counted [a] ",
		"b: critical disabled [b] ",
		"e: medium broken [] ",
		"c: high counted [] value_count (field: x, gte: 2) of a in 1m by who",
		"d: high  [] event_count (gt: 1) of c in 90m",
		"f: Level(0) disabled [] ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A filter that is disabled filters nothing.
	if a, err := book.Explain([]byte(`{"eventName": "a"}`), []string{"a"}); err != nil || !a.Verdicts[0].Matches {
		t.Errorf("%+v, %v", a, err)
	}
}

// interrupted ends a context at the first line that is written, as a key does.
type interrupted struct {
	strings.Builder
	cancel func()
}

func (i *interrupted) Write(p []byte) (int, error) {
	i.cancel()
	return i.Builder.Write(p)
}

// The outcome of a file is said when it is known, and an end of the context ends
// the tests, with what has run.
func TestTestsAreSaidAsTheyEnd(t *testing.T) {
	const cases = "cases: [{name: x, events: [{}]}]"
	dir := write(t, map[string]string{"a.yml": rule("a"), "a.test.yml": cases, "b.yml": rule("b"), "b.test.yml": cases})
	b := open(t, rulebook.Source{Paths: []string{dir}})
	ctx, cancel := context.WithCancel(t.Context())
	out := &interrupted{cancel: cancel}
	tested, err := b.Test(ctx, out, rulebook.TestOptions{})
	if !errors.Is(err, context.Canceled) || tested.Cases != 1 {
		t.Errorf("%+v, %v", tested, err)
	}
	want := "ok    " + filepath.Join(dir, "a.test.yml") + "  1 case\n1 case of 2 rules: 1 passed, 0 failed\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
