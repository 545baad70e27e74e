package sigma

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// blocks returns the indented blocks of a Markdown text, and their first lines.
func blocks(text string) (all []string, at []int) {
	var block strings.Builder
	flush := func() {
		if strings.TrimSpace(block.String()) != "" {
			all = append(all, block.String())
		}
		block.Reset()
	}
	for i, line := range strings.Split(text, "\n") {
		code, indented := strings.CutPrefix(line, "    ")
		if !indented && line != "" {
			flush()
			continue
		}
		if indented && block.Len() == 0 {
			at = append(at, i+1)
		}
		if block.Len() > 0 || indented {
			block.WriteString(code + "\n")
		}
	}
	flush()
	return all, at
}

// placeholders returns those of a configuration.
func placeholders(t *testing.T, block string) map[string][]string {
	t.Helper()
	var c struct {
		Correlator struct {
			Rules struct{ Placeholders map[string][]string }
		}
	}
	if err := yaml.Unmarshal([]byte(block), &c); err != nil {
		t.Fatal(err)
	}
	return c.Correlator.Rules.Placeholders
}

// Every rule, correlation and filter of the documentation works, all of them
// together, and none is odd.
func TestTheExamplesOfTheDocumentationWork(t *testing.T) {
	text, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	var all Collection
	var opts Options
	texts, at := blocks(string(text))
	for i, block := range texts {
		if strings.HasPrefix(block, "correlator:") {
			opts.Placeholders = placeholders(t, block)
			continue
		}
		if !strings.HasPrefix(block, "title:") {
			continue // a test, or a command
		}
		c, errs := Parse(fmt.Sprintf("docs/rules.md, block in line %d", at[i]), []byte(block))
		for _, err := range errs {
			t.Error(err)
		}
		all.Add(c)
	}
	set, errs := Compile(&all, opts)
	for _, err := range errs {
		t.Error(err)
	}
	for _, warning := range set.Warnings() {
		t.Error(warning)
	}
	if len(all.Rules) < 4 || len(all.Filters) < 1 {
		t.Errorf("%d rules and %d filters: where are the others?", len(all.Rules), len(all.Filters))
	}
	types := map[string]bool{}
	for _, c := range set.Correlations() {
		types[c.Type()] = true
	}
	for _, want := range []string{"event_count", "value_count", "temporal", "temporal_ordered"} {
		if !types[want] {
			t.Errorf("no example of %s", want)
		}
	}
	if !slices.ContainsFunc(set.Correlations(), func(c *CompiledCorrelation) bool { return len(c.Levels()) > 1 }) {
		t.Error("no example of a correlation over a correlation")
	}
}
