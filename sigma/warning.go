package sigma

import (
	"fmt"
	"slices"
	"strings"
)

func (k *compiler) warnAt(m *Meta, at position, format string, args ...any) {
	k.set.warnings = append(k.set.warnings, newError(m, at, format, args...))
}

// warn looks for correlations that run and may not do what was meant.
func (k *compiler) warn() {
	for _, e := range k.order {
		if e.link == nil {
			continue
		}
		c := e.correlation
		if muted := mutedBy(e); len(muted) > 0 {
			k.warnAt(e.meta, position{}, `%s not alert any more, since this correlation counts %s; write "generate: true" for both, or "generate: false" if that is meant`,
				sayNames(muted, "does", "do"), map[bool]string{true: "it", false: "them"}[len(muted) == 1])
		}
		for _, a := range c.Aliases {
			if !slices.Contains(c.GroupBy, a.Name) && !slices.Contains(c.Fields, a.Name) {
				k.warnAt(e.meta, a.at, `correlation.aliases: alias %q is not used; name it in "group-by"%s`, a.Name, suggest(a.Name, c.GroupBy))
			}
		}
		if t := correlationTypes[c.Type]; !t.numbers && c.Condition.startsHigh() {
			k.warnAt(e.meta, c.conditionAt, "correlation.condition: %q holds at the first event already and never fires on silence; write gt or gte to wait for more", c.Condition)
		}
	}
}

// mutedBy returns the names of what would alert if the correlation did not
// count it, unless the file says that this is meant.
func mutedBy(e *entry) []string {
	if e.correlation.Generate || e.correlation.mutes {
		return nil
	}
	var names []string
	for _, m := range e.link.members {
		if m.muted() && !m.disabled && !slices.Contains(names, m.label()) {
			names = append(names, m.label())
		}
	}
	return names
}

// sayNames writes `rule "a" does` or `rules "a", "b" do`.
func sayNames(names []string, one, many string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	if len(quoted) == 1 {
		return "rule " + quoted[0] + " " + one
	}
	return "rules " + strings.Join(quoted, ", ") + " " + many
}
