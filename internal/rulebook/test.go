package rulebook

import (
	"cmp"
	"context"
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
	Cases, Failed int
	// Mistakes are the errors of rule files, of test files and of the
	// configuration.
	Mistakes []Mistake
	// Untested have no tests, Silent none that makes them ring. Both are empty
	// when only some of the cases have been run.
	Untested, Silent []sigma.Meta

	counts Counts
}

// TestOptions say which tests to run and how to show them.
type TestOptions struct {
	// Run chooses the cases whose "FILE/CASE" it matches; all when it is nil.
	Run *regexp.Regexp
	// JSON is an object a line, in place of text.
	JSON bool
	// Verbose shows the cases that pass, too.
	Verbose bool
	// Look is that of text.
	Look screen.Look
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

// Test runs the tests beside the rules, and writes how each came out as soon as
// it is known: as `go test` does, a block for each failure and a line for each
// file, or as JSON. What is wrong with files, and which rules no test makes
// ring, comes last.
//
// When the context ends, so do the tests. What has run is said then, and the
// error is that of the context.
func (b *Book) Test(ctx context.Context, w io.Writer, o TestOptions) (*Tested, error) {
	files, unread := b.tests()
	runner, errs := ruletest.New(b.Collection, b.Options)
	t := &Tested{counts: b.counts()}
	for _, list := range [][]error{b.Errors(), errs, unread} {
		for _, err := range list {
			// Of a collection the runner says the same, and what is disabled
			// for the configuration is not for it.
			if m := mistake("error", err); !slices.Contains(t.Mistakes, m) {
				t.Mistakes = append(t.Mistakes, m)
			}
		}
	}
	var out testWriter = b.newTestText(w, o, files)
	if o.JSON {
		out = testJSON{w}
	}
	for _, f := range files {
		if o.Run != nil {
			f.Cases = slices.DeleteFunc(f.Cases, func(c *ruletest.Case) bool { return !o.Run.MatchString(f.Path + "/" + c.Name) })
		}
		cases, failed := 0, 0
		for r := range runner.Results(ctx, []*ruletest.File{f}) {
			cases++
			if !r.Passed() {
				failed++
			}
			if err := out.result(&r); err != nil {
				return nil, err
			}
		}
		t.Cases, t.Failed = t.Cases+cases, t.Failed+failed
		if ctx.Err() != nil {
			break
		}
		if cases > 0 {
			if err := out.file(f.Path, cases, failed); err != nil {
				return nil, err
			}
		}
	}
	if o.Run == nil && ctx.Err() == nil {
		elsewhere := func(m sigma.Meta) bool { return !b.looked(m.File) }
		untested, silent := runner.Unrung(files)
		t.Untested, t.Silent = slices.DeleteFunc(untested, elsewhere), slices.DeleteFunc(silent, elsewhere)
	}
	if err := out.end(t); err != nil {
		return nil, err
	}
	return t, ctx.Err()
}

// Verdict says what failed; empty when nothing did.
func (t *Tested) Verdict() string {
	var parts []string
	if t.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s failed", t.Failed, count(t.Cases, "case", "cases")))
	}
	if n := len(t.Mistakes); n > 0 {
		parts = append(parts, count(n, "error", "errors"))
	}
	return strings.Join(parts, ", ")
}

// summary is one line.
func (t *Tested) summary() string {
	parts := []string{fmt.Sprintf("%s of %s: %d passed, %d failed", count(t.Cases, "case", "cases"),
		count(t.counts.Rules+t.counts.Correlations, "rule", "rules"), t.Cases-t.Failed, t.Failed)}
	if n := len(t.Mistakes); n > 0 {
		parts = append(parts, count(n, "error", "errors"))
	}
	if n := len(t.Untested); n > 0 {
		parts = append(parts, fmt.Sprintf("%d without tests", n))
	}
	if n := len(t.Silent); n > 0 {
		parts = append(parts, fmt.Sprintf("%d that no test makes ring", n))
	}
	if n := t.counts.Skipped; n > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped (not for CloudTrail)", n))
	}
	return strings.Join(parts, ", ")
}

// testWriter shows tests while they run.
type testWriter interface {
	result(*ruletest.Result) error
	// file is told of each file that is through and had cases.
	file(name string, cases, failed int) error
	end(*Tested) error
}

// testText is for people.
type testText struct {
	w io.Writer
	TestOptions
	width int // of the names of files
	// broken are the files with errors, which may be why a case fails.
	broken []string
}

func (b *Book) newTestText(w io.Writer, o TestOptions, files []*ruletest.File) *testText {
	t := &testText{w: w, TestOptions: o}
	for _, err := range b.Errors() {
		if m := mistake("error", err); m.File != "" && !slices.Contains(t.broken, m.File) {
			t.broken = append(t.broken, m.File)
		}
	}
	for _, f := range files {
		t.width = max(t.width, len(screen.Safe(f.Path)))
	}
	return t
}

func (t *testText) result(r *ruletest.Result) error {
	mark := "✓"
	if !r.Passed() {
		mark = "✗"
	} else if !t.Verbose {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s:%d)\n", mark, screen.Safe(r.Case), screen.Safe(r.File), r.Line)
	if r.Err != nil {
		fmt.Fprintf(&b, "    %s\n", t.Look.Fold(screen.Safe(r.Err.Error()), 4, 4))
	}
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "    %s\n", screen.Safe(d.Rule))
		fmt.Fprintf(&b, "      want  %s\n", t.Look.Fold(screen.Safe(cmp.Or(d.Want, "nothing")), 12, 12))
		fmt.Fprintf(&b, "      got   %s\n", t.Look.Fold(screen.Safe(d.Got), 12, 12))
	}
	if len(r.Differences) > 0 && len(t.broken) > 0 {
		text := t.broken[0]
		if more := len(t.broken) - 1; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		text += " did not load as a whole, which may be why; see the errors below"
		fmt.Fprintf(&b, "    %s\n", t.Look.Fold(screen.Safe(text), 4, 4))
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *testText) file(name string, cases, failed int) error {
	verdict, outcome := "ok  ", count(cases, "case", "cases")
	if failed > 0 {
		verdict, outcome = "FAIL", fmt.Sprintf("%d of %s", failed, outcome)
	}
	_, err := fmt.Fprintf(t.w, "%s  %-*s  %s\n", verdict, t.width, screen.Safe(name), outcome)
	return err
}

func (t *testText) end(all *Tested) error {
	var b strings.Builder
	for _, m := range all.Untested {
		fmt.Fprintf(&b, "?     %s: no tests: %s\n", screen.Safe(m.File), screen.Safe(label(&m)))
	}
	for _, m := range all.Silent {
		fmt.Fprintf(&b, "?     %s: no test makes it ring: %s\n", screen.Safe(m.File), screen.Safe(label(&m)))
	}
	for _, m := range all.Mistakes {
		fmt.Fprintln(&b, m.format(t.Look))
	}
	fmt.Fprintln(&b, t.Look.Fold(all.summary(), 0, 2))
	_, err := io.WriteString(t.w, b.String())
	return err
}

// testJSON writes an object a line: one for each case, and at the end one for
// each rule that no test makes ring and each error.
type testJSON struct{ w io.Writer }

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

func (t testJSON) result(r *ruletest.Result) error {
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
	return encode(t.w, []testEvent{e})
}

func (testJSON) file(string, int, int) error { return nil }

func (t testJSON) end(all *Tested) error {
	var events []testEvent
	for _, m := range all.Untested {
		events = append(events, testEvent{Action: "untested", File: m.File, Line: m.Line, Rule: label(&m)})
	}
	for _, m := range all.Silent {
		events = append(events, testEvent{Action: "silent", File: m.File, Line: m.Line, Rule: label(&m)})
	}
	for _, m := range all.Mistakes {
		events = append(events, testEvent{Action: "error", File: m.File, Line: m.Line, Column: m.Column, Rule: m.Rule, Message: m.Message})
	}
	return encode(t.w, events)
}
