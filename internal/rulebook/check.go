package rulebook

import (
	"fmt"
	"io"
	"strings"

	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/ruletest"
)

// Checked is what is wrong with rules, and how many there are.
type Checked struct {
	// Mistakes are the errors, and behind them the warnings.
	Mistakes []Mistake
	Errors   int // of the mistakes
	Counts
}

// Counts says how many documents of each kind there are.
type Counts struct {
	Rules, Correlations, Filters int
	// Skipped are those that are not for CloudTrail.
	Skipped int
}

// Check looks for errors and for what is odd, in rules and in the tests beside
// them. It does not run the tests.
func (b *Book) Check() Checked {
	c := Checked{Counts: b.counts()}
	set, _ := b.compile()
	files, unread := b.tests()
	runner, _ := ruletest.New(b.Collection, b.Options)
	for _, list := range [][]error{b.Errors(), unread, runner.Check(files)} {
		for _, err := range list {
			c.Mistakes = append(c.Mistakes, mistake("error", err))
		}
	}
	c.Errors = len(c.Mistakes)
	for _, w := range set.Warnings() {
		if b.looked(w.File) {
			c.Mistakes = append(c.Mistakes, mistake("warning", w))
		}
	}
	return c
}

func (b *Book) counts() Counts {
	var c Counts
	one := func(n *int, m *sigma.Meta) {
		if b.looked(m.File) {
			*n++
		}
	}
	for _, r := range b.Collection.Rules {
		one(&c.Rules, &r.Meta)
	}
	for _, r := range b.Collection.Correlations {
		one(&c.Correlations, &r.Meta)
	}
	for _, r := range b.Collection.Filters {
		one(&c.Filters, &r.Meta)
	}
	for i := range b.Collection.Skipped {
		one(&c.Skipped, &b.Collection.Skipped[i].Meta)
	}
	return c
}

// String is one line.
func (c Counts) String() string {
	return fmt.Sprintf("%s, %s, %s, %d skipped (not for CloudTrail)",
		count(c.Rules, "rule", "rules"), count(c.Correlations, "correlation", "correlations"), count(c.Filters, "filter", "filters"), c.Skipped)
}

// Format writes a line for each mistake, and without errors one that says how
// many rules there are: with some it would count what is right and not what was
// written.
func (c *Checked) Format(w io.Writer, look screen.Look) error {
	var b strings.Builder
	for _, m := range c.Mistakes {
		fmt.Fprintln(&b, m.format(look))
	}
	if c.Errors == 0 {
		fmt.Fprintln(&b, c.Counts)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Encode writes the mistakes as JSON, an object a line.
func (c *Checked) Encode(w io.Writer) error { return encode(w, c.Mistakes) }
