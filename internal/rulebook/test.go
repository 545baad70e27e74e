package rulebook

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/rules"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/ruletest"
)

// Tested is how the tests of rules came out.
type Tested struct {
	// Mistakes are the errors of rule files and of test files.
	Mistakes []Mistake
	Results  []ruletest.Result
	// Untested have no tests, Silent none that makes them ring. Both are empty
	// when only some of the cases have been run.
	Untested, Silent []sigma.Meta

	Failed int // of the results
	rules  int
}

// tests reads the tests beside the rules that are looked at.
func (b *Book) tests() ([]*ruletest.File, []error) {
	var files []*ruletest.File
	var errs []error
	add := func(f []*ruletest.File, e []error) {
		files, errs = append(files, f...), append(errs, e...)
	}
	paths := b.source.Paths
	if len(paths) == 0 {
		paths = b.source.Config.Rules.Paths
		if b.source.Config.Rules.Shipped {
			add(ruletest.Load(rules.FS, "."))
		}
	}
	for _, path := range paths {
		add(ruletest.LoadPath(path))
	}
	return files, errs
}

// Test runs the tests beside the rules: those whose "FILE/CASE" the expression
// matches, all when it is nil.
func (b *Book) Test(run *regexp.Regexp) *Tested {
	files, errs := b.tests()
	t := &Tested{}
	for _, list := range [][]error{b.Errs, errs} {
		for _, err := range list {
			t.Mistakes = append(t.Mistakes, mistake("error", err))
		}
	}
	if run != nil {
		for _, f := range files {
			f.Cases = slices.DeleteFunc(f.Cases, func(c *ruletest.Case) bool { return !run.MatchString(f.Path + "/" + c.Name) })
		}
	}
	report, errs := ruletest.Run(b.Collection, b.Options, files)
	for _, err := range errs {
		t.Mistakes = append(t.Mistakes, mistake("error", err))
	}
	t.Results = report.Results
	for i := range t.Results {
		if !t.Results[i].Passed() {
			t.Failed++
		}
	}
	if run == nil {
		elsewhere := func(m sigma.Meta) bool { return !b.looked(m.File) }
		t.Untested = slices.DeleteFunc(report.Untested, elsewhere)
		t.Silent = slices.DeleteFunc(report.Silent, elsewhere)
	}
	counts := b.counts()
	t.rules = counts.Rules + counts.Correlations
	return t
}

// Verdict says what failed; empty when nothing did.
func (t *Tested) Verdict() string {
	var parts []string
	if t.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s failed", t.Failed, count(len(t.Results), "case", "cases")))
	}
	if n := len(t.Mistakes); n > 0 {
		parts = append(parts, count(n, "error", "errors")+" in the files")
	}
	return strings.Join(parts, ", ")
}

// Format writes the outcome as `go test` does: a block for each failure, a line
// for each file, and a summary. With verbose every case has a line.
func (t *Tested) Format(w io.Writer, verbose bool) error {
	var b strings.Builder
	for _, m := range t.Mistakes {
		fmt.Fprintln(&b, screen.Safe(m.String()))
	}
	width := 0
	for i := range t.Results {
		width = max(width, len(t.Results[i].File))
	}
	for i := 0; i < len(t.Results); {
		file, first, failed := t.Results[i].File, i, 0
		for ; i < len(t.Results) && t.Results[i].File == file; i++ {
			r := &t.Results[i]
			if !r.Passed() {
				failed++
			}
			formatResult(&b, r, verbose)
		}
		if failed > 0 {
			fmt.Fprintf(&b, "FAIL  %-*s  %d of %s\n", width, screen.Safe(file), failed, count(i-first, "case", "cases"))
		} else {
			fmt.Fprintf(&b, "ok    %-*s  %s\n", width, screen.Safe(file), count(i-first, "case", "cases"))
		}
	}
	for _, m := range t.Untested {
		fmt.Fprintf(&b, "?     %s: no tests: %s\n", screen.Safe(m.File), screen.Safe(label(&m)))
	}
	for _, m := range t.Silent {
		fmt.Fprintf(&b, "?     %s: no test makes it ring: %s\n", screen.Safe(m.File), screen.Safe(label(&m)))
	}
	fmt.Fprintf(&b, "%s of %s: %d passed, %d failed", count(len(t.Results), "case", "cases"), count(t.rules, "rule", "rules"), len(t.Results)-t.Failed, t.Failed)
	for _, part := range []struct {
		n    int
		text string
	}{{len(t.Mistakes), "errors in the files"}, {len(t.Untested), "without tests"}, {len(t.Silent), "that no test makes ring"}} {
		if part.n > 0 {
			fmt.Fprintf(&b, ", %d %s", part.n, part.text)
		}
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func formatResult(b *strings.Builder, r *ruletest.Result, verbose bool) {
	verdict := "PASS"
	if !r.Passed() {
		verdict = "FAIL"
	} else if !verbose {
		return
	}
	fmt.Fprintf(b, "--- %s: %s (%s:%d)\n", verdict, screen.Safe(r.Case), screen.Safe(r.File), r.Line)
	if r.Err != nil {
		fmt.Fprintf(b, "    %s\n", screen.Safe(r.Err.Error()))
	}
	for _, d := range r.Differences {
		fmt.Fprintf(b, "    %s\n", screen.Safe(d.String()))
	}
}

// testEvent is a line of JSON about a test.
type testEvent struct {
	Action      string       `json:"action"` // pass, fail, untested, silent, error
	File        string       `json:"file,omitempty"`
	Line        int          `json:"line,omitempty"`
	Column      int          `json:"column,omitempty"`
	Case        string       `json:"case,omitempty"`
	Rule        string       `json:"rule,omitempty"`
	Message     string       `json:"message,omitempty"`
	Differences []difference `json:"differences,omitempty"`
}

type difference struct {
	Rule string `json:"rule"`
	Want string `json:"want,omitempty"`
	Got  string `json:"got"`
}

// Encode writes the outcome as JSON, an object a line: one for each error, each
// case, and each rule that no test makes ring.
func (t *Tested) Encode(w io.Writer) error {
	var events []any
	for _, m := range t.Mistakes {
		events = append(events, testEvent{Action: "error", File: m.File, Line: m.Line, Column: m.Column, Rule: m.Rule, Message: m.Message})
	}
	for i := range t.Results {
		r := &t.Results[i]
		e := testEvent{Action: "pass", File: r.File, Line: r.Line, Column: r.Column, Case: r.Case}
		if !r.Passed() {
			e.Action = "fail"
		}
		if r.Err != nil {
			m := mistake("error", r.Err)
			e.Line, e.Column, e.Message = m.Line, m.Column, m.Message
		}
		for _, d := range r.Differences {
			e.Differences = append(e.Differences, difference(d))
		}
		events = append(events, e)
	}
	for _, m := range t.Untested {
		events = append(events, testEvent{Action: "untested", File: m.File, Line: m.Line, Rule: label(&m)})
	}
	for _, m := range t.Silent {
		events = append(events, testEvent{Action: "silent", File: m.File, Line: m.Line, Rule: label(&m)})
	}
	return encode(w, events)
}
