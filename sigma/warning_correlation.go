package sigma

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailbell/trailbell/sigma/window"
)

func (w warner) correlation(e *entry) {
	c := e.correlation
	w.mutedRules(e)
	w.unusedAliases(c)
	w.misspeltFields(c)
	w.groupedByNothing(c)
	w.groupedByUserName(c)
	w.holdsAtOnce(c)
	w.holdsAlways(e)
}

// mutedRules: the default of Sigma, which surprises.
func (w warner) mutedRules(e *entry) {
	if e.correlation.Generate || e.correlation.mutes {
		return
	}
	var names []string
	for _, m := range e.link.members {
		if m.muted() && !m.disabled && !slices.Contains(names, m.label()) {
			names = append(names, m.label())
		}
	}
	const instead = `write "generate: true" for both, or "generate: false" if that is meant`
	switch len(names) {
	case 0:
	case 1:
		w.at(position{}, `rule %q does not alert any more, since this correlation counts it; %s`, names[0], instead)
	default:
		quoted := make([]string, len(names))
		for i, name := range names {
			quoted[i] = fmt.Sprintf("%q", name)
		}
		w.at(position{}, `rules %s do not alert any more, since this correlation counts them; %s`, strings.Join(quoted, ", "), instead)
	}
}

func (w warner) unusedAliases(c *Correlation) {
	for _, a := range c.Aliases {
		if !slices.Contains(c.GroupBy, a.Name) && !slices.Contains(c.Fields, a.Name) {
			w.at(a.at, `correlation.aliases: alias %q is not used; name it in "group-by"%s`, a.Name, suggest(a.Name, c.GroupBy))
		}
	}
}

// misspeltFields: in group-by, where they keep every record out.
func (w warner) misspeltFields(c *Correlation) {
	check := func(where string, fields []string, at []position) {
		for i, field := range fields {
			named := func(a Alias) bool { return a.Name == field }
			if msg := otherCase(field); msg != "" && !slices.ContainsFunc(c.Aliases, named) {
				w.at(at[i], "correlation.%s: %s", where, msg)
			}
		}
	}
	check("group-by", c.GroupBy, placesOf(c.GroupBy, c.groupByAt))
	check("condition.field", c.Fields, placesOf(c.Fields, c.fieldAt))
	for _, a := range c.Aliases {
		var fields []string
		for _, rule := range a.references() {
			fields = append(fields, a.Fields[rule])
		}
		check("aliases", fields, placesOf(fields, a.fieldsAt))
	}
}

// placesOf returns one place for each field; none is known of a correlation
// that is not from a file.
func placesOf(fields []string, at []position) []position {
	if len(at) != len(fields) {
		return make([]position, len(fields))
	}
	return at
}

// groupedByNothing: a number that one account reaches is soon reached by all.
func (w warner) groupedByNothing(c *Correlation) {
	if c.ungrouped {
		w.at(c.at, `correlation: there is no "group-by", so matches in all accounts and by all users are counted together; write one such as [recipientAccountId, userIdentity.arn], or "group-by: []" if that is meant`)
	}
}

// groupedByUserName: a role has no user name, and users of many accounts have
// the same.
func (w warner) groupedByUserName(c *Correlation) {
	const field = "userIdentity.userName"
	if slices.Equal(c.GroupBy, []string{field}) && len(c.Aliases) == 0 {
		w.at(placesOf(c.GroupBy, c.groupByAt)[0], "correlation.group-by: %q is absent for roles, and what lacks it does not count; write userIdentity.arn", field)
	}
}

// holdsAtOnce: as if a count of zero were waited for.
func (w warner) holdsAtOnce(c *Correlation) {
	if !correlationTypes[c.Type].numbers && c.Condition.startsHigh() {
		w.at(c.conditionAt, "correlation.condition: %q holds at the first event already and never fires on silence; write gt or gte to wait for more", c.Condition)
	}
}

// holdsAlways: one match is a window.
func (w warner) holdsAlways(e *entry) {
	c := e.correlation
	switch {
	case correlationTypes[c.Type].numbers:
	case c.Expr != nil && anyEventHolds(e.link):
		w.at(c.conditionAt, "correlation.condition: %q holds at every match of its rules; join them with \"and\"", c.Expr)
	case c.all && len(e.link.members) == 1:
		w.at(c.conditionAt, "correlation.rules: there is one rule, so the correlation holds at every match of it; name a second one")
	case c.Condition.holdsAlways():
		w.at(c.conditionAt, "correlation.condition: %q holds at every match; write a higher number", c.Condition)
	}
}

// anyEventHolds reports whether a condition over rules holds wherever any one
// of them occurs, whatever else does.
func anyEventHolds(l *link) bool {
	for bit := range l.members {
		alone := func(t window.Term) bool { return t.Absent == 0 && len(t.Need) == 1 && t.Need[0] == bit }
		if !slices.ContainsFunc(l.condition.Terms, alone) {
			return false
		}
	}
	return true
}
