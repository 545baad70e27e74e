package ruletest_test

import (
	"testing"
	"testing/fstest"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/ruletest"
)

// FuzzLoad: whatever stands in a test file, it is read or refused with a
// reason, and what was read can be run.
func FuzzLoad(f *testing.F) {
	f.Add(base + "cases: [{name: a, events: [{at: 5m, with: {a.b: 1, l: [1], l.0: x}, without: a}], rings: [trail_stopped]}]")
	f.Add("event: &e {a: *e}\ncases: [{name: b, events: [{file: x.json, repeat: 3, every: 1d}], rings: [{rule: x, group: {y: z}}]}]")
	f.Add("cases: [{name: c, events: [{record: {eventTime: 2026-03-02T08:00:00Z, n: [0x1f, .inf, 1e400, 007, ~]}, at: 9999-12-31T23:59:59Z}]}]\n---\n{}")
	f.Fuzz(func(t *testing.T, text string) {
		fsys := fstest.MapFS{
			"a.yml": {Data: []byte(stopped)}, "a.test.yml": {Data: []byte(text)},
			"x.json": {Data: []byte(`{"Records": [{"eventName": "StopLogging"}]}`)},
		}
		files, errs := ruletest.Load(fsys, ".")
		for _, err := range errs {
			if err.(*sigma.Error).Msg == "" {
				t.Fatal("an error says nothing")
			}
		}
		c, errs := sigma.Load(fsys, ".")
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		runner, _ := ruletest.New(c, sigma.Options{})
		for r := range runner.Results(t.Context(), files) {
			for _, d := range r.Differences {
				if d.Rule == "" || d.Got == "" {
					t.Fatalf("a difference says nothing: %+v", d)
				}
			}
		}
	})
}
