// Package rulebook is what the commands under `trailbell rules` do: test, check,
// list and explain the rules of a configuration, or those of files and
// directories.
package rulebook

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/ruletest"
)

// Source says which rules to look at.
type Source struct {
	// Config is where rules come from when there are no Paths.
	Config app.Correlator
	// Paths are files or directories, in place of those of the configuration.
	Paths []string
	// Beside says that the rules of the configuration are there as well: what
	// the Paths refer to may be in them, and they are not looked at themselves.
	Beside bool
}

// Book is the rules of a Source.
type Book struct {
	Collection *sigma.Collection
	Options    sigma.Options
	// Errs is what is wrong with the files. The rules that they broke are not
	// in the collection.
	Errs []error

	source Source
	// own are the files of the rules that are looked at, by absolute path; nil
	// is all.
	own map[string]bool
}

// Open reads the rules of a source. A path that does not exist is an error.
func Open(s Source) (*Book, error) {
	b := &Book{source: s}
	config := s.Config
	if len(s.Paths) > 0 && !s.Beside {
		config.Rules.Shipped, config.Rules.Paths = false, nil
	}
	b.Collection, b.Options, b.Errs = app.ReadRules(config)
	for _, err := range b.Errs {
		if _, missing := errors.AsType[*fs.PathError](err); missing {
			return nil, err
		}
	}
	if len(s.Paths) == 0 {
		b.notEmpty(b.Collection, "there are no rules in correlator.rules.paths, and the shipped ones are off; write shipped: true, or name a path")
		return b, nil
	}
	named := &sigma.Collection{}
	for _, path := range s.Paths {
		files, err := ruleFiles(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			c, errs := sigma.LoadPath(file)
			named.Add(c)
			b.Errs = append(b.Errs, errs...)
		}
	}
	b.notEmpty(named, "there are no rules in "+strings.Join(s.Paths, ", "))
	b.own = map[string]bool{}
	for _, m := range metas(named) {
		b.own[absolute(m.File)] = true
	}
	b.Collection = without(b.Collection, b.own)
	b.Collection.Add(named)
	return b, nil
}

// notEmpty makes it an error that there is nothing, where no other error says
// why.
func (b *Book) notEmpty(c *sigma.Collection, text string) {
	if len(metas(c)) == 0 && len(b.Errs) == 0 {
		b.Errs = append(b.Errs, errors.New(text))
	}
}

// ruleFiles returns what to load for a path: for a file of tests the rule files
// that it stands beside.
func ruleFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	base, tests := ruletest.RuleFile(path)
	if info.IsDir() || !tests {
		return []string{path}, nil
	}
	var files []string
	for _, ext := range []string{".yml", ".yaml"} {
		if _, err := os.Stat(base + ext); err == nil {
			files = append(files, base+ext)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("rules: %s is a file of tests, and there is no %s.yml beside it", path, base)
	}
	return files, nil
}

// without leaves out what is in some files.
func without(c *sigma.Collection, files map[string]bool) *sigma.Collection {
	in := func(m *sigma.Meta) bool { return files[absolute(m.File)] }
	return &sigma.Collection{
		Rules:        slices.DeleteFunc(c.Rules, func(r *sigma.Rule) bool { return in(&r.Meta) }),
		Correlations: slices.DeleteFunc(c.Correlations, func(r *sigma.Correlation) bool { return in(&r.Meta) }),
		Filters:      slices.DeleteFunc(c.Filters, func(r *sigma.Filter) bool { return in(&r.Meta) }),
		Skipped:      slices.DeleteFunc(c.Skipped, func(r sigma.Skipped) bool { return in(&r.Meta) }),
		Broken:       slices.DeleteFunc(c.Broken, func(m sigma.Meta) bool { return in(&m) }),
	}
}

// metas returns what all documents of a collection say about themselves.
func metas(c *sigma.Collection) []*sigma.Meta {
	var all []*sigma.Meta
	for _, r := range c.Rules {
		all = append(all, &r.Meta)
	}
	for _, r := range c.Correlations {
		all = append(all, &r.Meta)
	}
	for _, r := range c.Filters {
		all = append(all, &r.Meta)
	}
	for i := range c.Skipped {
		all = append(all, &c.Skipped[i].Meta)
	}
	for i := range c.Broken {
		all = append(all, &c.Broken[i])
	}
	return all
}

func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Clean(path)
	}
	return abs
}

// compile checks and compiles all rules of the book.
func (b *Book) compile() (*sigma.Set, []error) {
	set, errs := sigma.Compile(b.Collection, b.Options)
	for i := range errs {
		errs[i] = b.source.Config.Rules.Place(errs[i])
	}
	return set, errs
}

// Errors returns all that is wrong with the rules, each by itself and together,
// and with what the configuration says of them.
func (b *Book) Errors() []error {
	_, errs := b.compile()
	return slices.Concat(b.Errs, errs)
}

// whole compiles all rules of the book and all correlations, also those that are
// disabled, or that only count for others: they may be asked about, too. Its
// errors are those of compile.
func (b *Book) whole() *sigma.Set {
	c, o := ruletest.Loud(b.Collection), b.Options
	c.Filters = slices.DeleteFunc(slices.Clone(c.Filters), func(f *sigma.Filter) bool { return b.disabled(&f.Meta) })
	o.Disable = nil
	set, _ := sigma.Compile(c, o)
	return set
}

func (b *Book) disabled(m *sigma.Meta) bool {
	return slices.Contains(b.Options.Disable, m.ID) || m.Name != "" && slices.Contains(b.Options.Disable, m.Name)
}

// alerting returns, by id, which rules and correlations of a set alert.
func alerting(set *sigma.Set) map[string]bool {
	alerts := map[string]bool{}
	for _, r := range set.Rules() {
		alerts[r.Meta().ID] = r.Alerts()
	}
	for _, c := range set.Correlations() {
		alerts[c.Meta().ID] = true
	}
	return alerts
}

// looked reports whether what is in a file is looked at, and is not only there
// for others to refer to.
func (b *Book) looked(file string) bool { return b.own == nil || b.own[absolute(file)] }

// label is how people know a rule.
func label(m *sigma.Meta) string { return cmp.Or(m.Name, m.Title) }

// count is "1 rule", "2 rules".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Mistake is an error of a file, as data.
type Mistake struct {
	Severity string `json:"severity"` // error, warning
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Rule     string `json:"rule,omitempty"` // the title
	Message  string `json:"message"`
}

func mistake(severity string, err error) Mistake {
	if e, ok := errors.AsType[*sigma.Error](err); ok {
		return Mistake{severity, e.File, e.Line, e.Column, e.Rule, e.Msg}
	}
	return Mistake{Severity: severity, Message: err.Error()}
}

// format is one line in the form that editors know: FILE:LINE:COLUMN: error: rule
// "TITLE": MESSAGE. It is safe.
func (m Mistake) format(look screen.Look) string {
	var b strings.Builder
	if m.File != "" {
		b.WriteString(m.File)
		if m.Line > 0 {
			fmt.Fprintf(&b, ":%d", m.Line)
			if m.Column > 0 {
				fmt.Fprintf(&b, ":%d", m.Column)
			}
		}
		b.WriteString(": ")
	}
	place := screen.Safe(b.String())
	b.Reset()
	if m.Rule != "" {
		fmt.Fprintf(&b, "rule %q: ", m.Rule)
	}
	b.WriteString(m.Message)
	return place + look.Severity(m.Severity) + ": " + screen.Safe(b.String())
}
