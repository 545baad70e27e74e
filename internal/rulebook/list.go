package rulebook

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/trailbell/trailbell/internal/screen"
	"github.com/trailbell/trailbell/sigma"
)

// Entry is one rule, correlation or filter of a list.
type Entry struct {
	// Kind is rule, correlation or filter; empty for what is skipped already for
	// its logsource, of which nothing more is read.
	Kind  string      `json:"kind,omitempty"`
	ID    string      `json:"id"`
	Name  string      `json:"name,omitempty"`
	Title string      `json:"title"`
	Level sigma.Level `json:"level,omitempty"` // none of a filter
	// State is "disabled", "broken" for what has an error, "skipped" for what is
	// not for CloudTrail, or "counted" for what alerts only by the correlations
	// over it; empty for what alerts.
	State string `json:"state,omitempty"`
	// Reason is why it is skipped.
	Reason string `json:"reason,omitempty"`
	// Sources and Names are the values of eventSource and eventName that the
	// rule demands of a record; none means that every record is looked at.
	Sources []string `json:"sources,omitempty"`
	Names   []string `json:"names,omitempty"`
	// Counts says what a correlation counts and how.
	Counts string `json:"counts,omitempty"`
	// Filters says which rules a filter is for.
	Filters string   `json:"filters,omitempty"`
	Tags    []string `json:"tags,omitempty"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
}

// List returns what is in the book, in the order of the files.
func (b *Book) List() []Entry {
	set, _ := b.compile() // its errors are for Check
	alerts, whole := alerting(set), b.whole()
	rules := map[string]*sigma.CompiledRule{}
	for _, r := range whole.Rules() {
		rules[r.Meta().ID] = r
	}
	var all []Entry
	add := func(kind string, m *sigma.Meta) *Entry {
		e := Entry{Kind: kind, ID: m.ID, Name: m.Name, Title: m.Title, Level: cmp.Or(m.Level, sigma.Medium), State: "broken", Tags: m.Tags, File: m.File, Line: m.Line}
		if b.disabled(m) {
			e.State = "disabled"
		}
		all = append(all, e)
		return &all[len(all)-1]
	}
	for _, r := range b.Collection.Rules {
		e := add("rule", &r.Meta)
		if c := rules[r.ID]; c != nil {
			e.compiled(c.Meta(), alerts[r.ID])
			e.Sources, e.Names = c.Sources(), c.Names()
		}
	}
	for _, r := range b.Collection.Correlations {
		e := add("correlation", &r.Meta)
		if c := whole.Correlation(r.ID); c != nil {
			e.compiled(c.Meta(), alerts[r.ID])
			e.Counts = c.String()
		}
	}
	for _, f := range b.Collection.Filters {
		e := add("filter", &f.Meta)
		e.compiled(&f.Meta, true)
		e.Level, e.Filters = 0, strings.Join(f.Rules, ", ")
		if f.Any {
			e.Filters = "any rule of " + f.LogSource.String()
		}
	}
	for _, s := range set.Skipped() {
		i := slices.IndexFunc(all, func(e Entry) bool { return e.ID == s.ID && e.File == s.File && e.Line == s.Line })
		if i < 0 {
			i = len(all)
			add("", &s.Meta)
		}
		all[i].State, all[i].Reason = "skipped", s.Reason
	}
	return slices.DeleteFunc(all, func(e Entry) bool { return !b.looked(e.File) })
}

// compiled takes over what compiling says of a document.
func (e *Entry) compiled(m *sigma.Meta, alerts bool) {
	e.Level = m.Level
	switch {
	case e.State == "disabled":
	case alerts:
		e.State = ""
	default:
		e.State = "counted"
	}
}

// levelName is empty for a filter.
func (e *Entry) levelName() string {
	if e.Level == 0 {
		return ""
	}
	return e.Level.String()
}

// on says which records a rule is tried on.
func (e *Entry) on() string {
	switch {
	case e.Reason != "":
		return e.Reason
	case e.Kind == "correlation":
		return e.Counts
	case e.Kind == "filter":
		return "filters " + e.Filters
	case e.Sources == nil && e.Names == nil:
		return "every record"
	}
	var short []string
	for _, s := range e.Sources {
		short = append(short, strings.TrimSuffix(s, ".amazonaws.com"))
	}
	names := strings.Join(e.Names, ", ")
	if e.Names == nil {
		names = "every call"
	}
	if e.Sources == nil {
		return names
	}
	return strings.Join(short, ", ") + ": " + names
}

var technique = regexp.MustCompile(`(?i)^attack\.(t[0-9]{4}(\.[0-9]{3})?)$`)

// techniques are the ids of ATT&CK techniques among the tags.
func (e *Entry) techniques() []string {
	var ids []string
	for _, tag := range e.Tags {
		if m := technique.FindStringSubmatch(tag); m != nil {
			ids = append(ids, strings.ToUpper(m[1]))
		}
	}
	return ids
}

var tactic = regexp.MustCompile(`(?i)^attack\.([a-z][a-z_-]*)$`)

func (e *Entry) tactics() []string {
	var names []string
	for _, tag := range e.Tags {
		if m := tactic.FindStringSubmatch(tag); m != nil {
			names = append(names, strings.ReplaceAll(strings.ToLower(m[1]), "_", "-"))
		}
	}
	return names
}

// Group is some entries of a list under a heading.
type Group struct {
	Heading string
	Entries []Entry
	// technique says that the heading is one, which the lines need not repeat.
	technique bool
}

// Orders are what a list can be grouped by.
var Orders = []string{"technique", "level", "source"}

// GroupBy sorts entries into groups. One with several techniques or sources is
// in several groups.
func GroupBy(entries []Entry, order string) []Group {
	groups := map[string]*Group{}
	tactics := map[string][]string{}
	for _, e := range entries {
		for _, key := range e.keys(order) {
			if groups[key] == nil {
				groups[key] = &Group{Heading: key, technique: order == "technique"}
			}
			groups[key].Entries = append(groups[key].Entries, e)
			tactics[key] = append(tactics[key], e.tactics()...)
		}
	}
	var all []Group
	for key, g := range groups {
		if t := tactics[key]; order == "technique" && technique.MatchString("attack."+key) && len(t) > 0 {
			slices.Sort(t)
			g.Heading += "  " + strings.Join(slices.Compact(t), ", ")
		}
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int {
		if order == "level" {
			return cmp.Compare(b.Entries[0].Level, a.Entries[0].Level)
		}
		return cmp.Or(cmp.Compare(rank(a.Heading), rank(b.Heading)), strings.Compare(a.Heading, b.Heading))
	})
	return all
}

// rank puts what is missing at the end.
func rank(heading string) int {
	if strings.HasPrefix(heading, "no ") || strings.HasPrefix(heading, "every ") {
		return 1
	}
	return 0
}

func (e *Entry) keys(order string) []string {
	var keys []string
	switch order {
	case "level":
		return []string{cmp.Or(e.levelName(), "no level: filters")}
	case "technique":
		keys = e.techniques()
		if len(keys) == 0 {
			return []string{"no technique"}
		}
	case "source":
		switch {
		case e.Kind != "rule":
			return []string{"no source: " + cmp.Or(e.Kind, "other log") + "s"}
		case len(e.Sources) == 0:
			return []string{"every source"}
		}
		keys = slices.Clone(e.Sources)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// FormatList writes a table under a line of headings, with a heading of its own
// above each group that has one, and on a terminal how many there are. There,
// what a rule looks at has a second line when it would be narrow beside the name,
// and is cut to the width; elsewhere lines are whole, and have file, title and all tags. Names are never cut.
func FormatList(w io.Writer, groups []Group, look screen.Look) error {
	l := layout{Look: look}
	for _, g := range groups {
		for i := range g.Entries {
			e := &g.Entries[i]
			l.name, l.file, l.title = max(l.name, screen.Width(e.label())), max(l.file, screen.Width(e.place())), max(l.title, screen.Width(e.title()))
			if !g.technique || look.Width == 0 {
				l.tags = max(l.tags, screen.Width(l.tagsOf(e)))
			}
		}
	}
	if l.tags > 0 {
		l.tags = max(l.tags, len(l.tagsHead()))
	}
	l.twoLines = look.Width > 0 && look.Width-l.beforeOn() < leastOn
	if l.name == 0 {
		return nil
	}
	l.header()
	for i, g := range groups {
		if g.Heading != "" {
			if i > 0 {
				l.WriteByte('\n')
			}
			heading := screen.Safe(g.Heading)
			if look.Width > 0 {
				heading = strings.TrimRight(screen.Column(heading, look.Width), " ")
			}
			fmt.Fprintln(&l, look.Bold(heading))
		}
		for j := range g.Entries {
			l.entry(&g.Entries[j])
		}
	}
	if look.Width > 0 {
		l.footer(groups)
	}
	_, err := io.WriteString(w, l.String())
	return err
}

const (
	levelWidth = len("CRITICAL")
	gap        = "  "
	// leastOn is the least width that says something of what a rule looks at.
	leastOn = 40
)

// layout is a list in the making.
type layout struct {
	strings.Builder
	screen.Look
	// Widths of columns; tags is 0 when there are none.
	name, tags, file, title int
	// twoLines puts what a rule looks at into a line of its own.
	twoLines bool
	// cut says that something has not been shown.
	cut bool
}

// tagsOf are all tags where lines are whole, and ids of techniques on a terminal.
func (l *layout) tagsOf(e *Entry) string {
	if l.Width == 0 {
		return strings.Join(e.Tags, " ")
	}
	return strings.Join(e.techniques(), " ")
}

func (l *layout) tagsHead() string {
	if l.Width == 0 {
		return "TAGS"
	}
	return "TECHNIQUE"
}

// beforeOn is how many columns stand before what a rule looks at.
func (l *layout) beforeOn() int {
	n := levelWidth + len(gap) + l.name + len(gap)
	if l.tags > 0 {
		n += l.tags + len(gap)
	}
	return n
}

func (l *layout) header() {
	line := padded("LEVEL", levelWidth) + gap + padded("NAME", l.name)
	if l.tags > 0 && (!l.twoLines || l.beforeOn()-len(gap) <= l.Width) {
		line += gap + padded(l.tagsHead(), l.tags)
	}
	if l.Width == 0 {
		line += gap + padded("FILE", l.file)
		if l.title > 0 {
			l.title = max(l.title, len("TITLE"))
			line += gap + padded("TITLE", l.title)
		}
	}
	if !l.twoLines {
		line += gap + "LOOKS AT"
	}
	fmt.Fprintln(l, l.Dim(strings.TrimRight(line, " ")))
}

func (l *layout) entry(e *Entry) {
	level := e.levelName()
	text := strings.ToUpper(level)
	if level == "informational" {
		text = "INFO"
	}
	what := e.on()
	if e.State != "" {
		what = "(" + e.State + ") " + what
	}
	line := padded(e.label(), l.name)
	tags := l.tagsOf(e)
	used := levelWidth + len(gap) + screen.Width(line) + len(gap)
	switch {
	case l.tags == 0:
	case !l.twoLines:
		line += gap + padded(tags, l.tags)
	case used+screen.Width(tags) <= l.Width:
		line += gap + tags
	default:
		l.cut = true
	}
	l.WriteString(l.Level(level) + strings.Repeat(" ", levelWidth-len(text)) + gap)
	switch {
	case l.Width == 0:
		line += gap + padded(e.place(), l.file)
		if l.title > 0 {
			line += gap + padded(e.title(), l.title)
		}
		fmt.Fprintf(l, "%s%s%s\n", line, gap, screen.Safe(what))
	case l.twoLines:
		if e.title() != "" {
			what = e.title() + " · " + what
		}
		indent := levelWidth + len(gap)
		fmt.Fprintf(l, "%s\n%*s%s\n", strings.TrimRight(line, " "), indent, "", l.Dim(l.fit(what, indent)))
	default:
		fmt.Fprintf(l, "%s%s%s\n", line, gap, l.fit(what, l.beforeOn()))
	}
}

// fit cuts what does not fit behind the columns that are used.
func (l *layout) fit(text string, used int) string {
	room := max(l.Width-used, 1)
	l.cut = l.cut || screen.Width(text) > room
	return strings.TrimRight(screen.Column(text, room), " ")
}

// footer says how many there are, what "counted" means, and how to see what was
// cut.
func (l *layout) footer(groups []Group) {
	type place struct {
		file string
		line int
	}
	seen := map[place]bool{}
	rules, filters, counted := 0, 0, false
	for _, g := range groups {
		for i := range g.Entries {
			e := &g.Entries[i]
			if p := (place{e.File, e.Line}); seen[p] {
				continue
			} else {
				seen[p] = true
			}
			if e.Kind == "filter" {
				filters++
			} else {
				rules++
			}
			counted = counted || e.State == "counted"
		}
	}
	text := count(rules, "rule or correlation", "rules and correlations")
	if filters > 0 {
		text += ", " + count(filters, "filter", "filters")
	}
	if l.cut {
		text += "; for whole lines add: | less -S"
	}
	fmt.Fprintln(l, "\n"+l.Dim(text))
	if counted {
		fmt.Fprintln(l, l.Dim("(counted): alerts only by the correlations over it"))
	}
}

// label is how people know an entry.
func (e *Entry) label() string { return cmp.Or(e.Name, e.Title) }

// title is empty where it is the label.
func (e *Entry) title() string {
	if e.Name == "" {
		return ""
	}
	return e.Title
}

func (e *Entry) place() string { return fmt.Sprintf("%s:%d", e.File, e.Line) }

// padded returns s, made safe, at least as wide as a column.
func padded(s string, width int) string {
	return screen.Safe(s) + strings.Repeat(" ", max(width-screen.Width(s), 0))
}

// EncodeList writes entries as JSON, an object a line.
func EncodeList(w io.Writer, entries []Entry) error { return encode(w, entries) }
