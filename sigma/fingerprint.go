package sigma

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/trailbell/trailbell/sigma/window"
)

// Fingerprint tells definitions apart by which a hit means something else: with
// other rules or in another order, grouped by other fields, of other values. A
// hit that is stored must be stored with it, and must not be counted under
// another one. Timespan, conditions, titles and levels are no part of it: a hit
// is the same whatever they are. Nor is what the rules detect.
func (c *CompiledCorrelation) Fingerprint() uint32 { return c.fingerprint }

// definition is part of what is stored: with another text for the same
// definition, everything stored would be passed over.
func (c *CompiledCorrelation) definition() uint32 {
	var text strings.Builder
	for i, n := range c.counters {
		fmt.Fprintf(&text, "level %d measure %d outer%s shared", i, n.measure, spellInputs(c.levels[i].Outer))
		if c.shared != nil {
			fmt.Fprintf(&text, " %v", c.shared[i])
		}
		for _, r := range n.readings {
			fmt.Fprintf(&text, "\nreading %x", r.inputs)
			for _, paths := range [][]fieldPath{r.group, r.values} {
				text.WriteString(" by")
				for _, p := range paths {
					fmt.Fprintf(&text, " %q", p.name)
				}
			}
		}
		if sources := c.levels[i].Sources; sources != nil {
			fmt.Fprintf(&text, "\nsources %x", sources)
		}
		text.WriteByte('\n')
	}
	var rules []string
	for rule, inputs := range c.inputs {
		rules = append(rules, fmt.Sprintf("rule %q%s", rule.meta.ID, spellInputs(inputs)))
	}
	slices.Sort(rules)
	return uint32(xxhash.Sum64String(text.String() + strings.Join(rules, "\n")))
}

func spellInputs(inputs []window.Input) string {
	var text strings.Builder
	for _, in := range inputs {
		fmt.Fprintf(&text, " %d/%d", in.Level, in.Bit)
	}
	return text.String()
}
