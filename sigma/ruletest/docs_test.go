package ruletest_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/ruletest"
)

// The test that the documentation shows passes, beside the rules that it shows.
func TestTheExampleOfTheDocumentationPasses(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	var rules, tests []string
	for block := range strings.SplitSeq(string(page), "\n\n") {
		text := strings.ReplaceAll("\n"+block, "\n    ", "\n")
		switch {
		case strings.HasPrefix(block, "    title: Trail stopped\n"), strings.HasPrefix(block, "    title: Many trails stopped\n"):
			rules = append(rules, text)
		case strings.HasPrefix(block, "    event:\n"):
			tests = append(tests, text)
		}
	}
	if len(rules) != 2 || len(tests) != 1 {
		t.Fatalf("%d rules and %d tests", len(rules), len(tests))
	}
	fsys := fstest.MapFS{
		"trail.yml":      {Data: []byte(strings.Join(rules, "\n---"))},
		"trail.test.yml": {Data: []byte(tests[0])},
	}
	c, errs := sigma.Load(fsys, ".")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	files, errs := ruletest.Load(fsys, ".")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	runner, errs := ruletest.New(c, sigma.Options{})
	results := slices.Collect(runner.Results(t.Context(), files))
	if _, silent := runner.Unrung(files); len(errs) > 0 || len(results) != 3 || len(silent) > 0 {
		t.Errorf("%d results, silent %v, %v", len(results), silent, errs)
	}
	for _, r := range results {
		if !r.Passed() {
			t.Errorf("%s: %v %v", r.Case, r.Err, r.Differences)
		}
	}
}
