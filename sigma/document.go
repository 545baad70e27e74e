package sigma

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document parses one YAML document: it remembers the errors, and where they
// are, so that an author sees all of them at once.
type document struct {
	file  string
	title string
	errs  []error
	// budget bounds the nodes looked at: aliases let a small file stand for
	// many.
	budget int
	// room is the same for the text of values, and for what modifiers make of
	// them.
	room room
	// spentSaid says that one of the two was exceeded, and that it was said.
	spentSaid bool
	// oddities are what is no error and may not be what was meant.
	oddities []oddity
	// merges is how many merge keys are being followed.
	merges int
}

// maxDocumentNodes is far above any rule that a person or a tool writes.
const maxDocumentNodes = 200_000

// room is how many characters of text a rule may still have. A regular
// expression takes room for what it is compiled to as well.
type room int

// maxRuleText is far above such a rule too: in a file of MaxFileSize only aliases,
// modifiers and repeats in expressions lead there.
const maxRuleText = 4 << 20

var errRoom = fmt.Errorf("the values of the rule, with all that modifiers, placeholders and aliases make of them, are longer than %d characters; write fewer or shorter ones", maxRuleText)

// take spends room, and fails when there is not enough.
func (r *room) take(n int) error {
	if *r = max(*r-room(n), -1); *r < 0 {
		return errRoom
	}
	return nil
}

// maxErrors keeps a broken file from filling the screen.
const maxErrors = 20

func (d *document) errorf(n *yaml.Node, format string, args ...any) {
	d.errorAt(position{n.Line, n.Column}, format, args...)
}

func (d *document) errorAt(at position, format string, args ...any) {
	if !d.full() {
		d.errs = append(d.errs, &Error{File: d.file, Line: at.line, Column: at.column, Rule: d.title, Msg: message(format, args)})
	}
}

func (d *document) oddf(n *yaml.Node, format string, args ...any) {
	if len(d.oddities) < maxErrors {
		d.oddities = append(d.oddities, oddity{position{n.Line, n.Column}, message(format, args)})
	}
}

// place adds what was odd further below to what is known of the top.
func (d *document) place(t top) top {
	t.oddities = append(t.oddities, d.oddities...)
	return t
}

// full reports whether there are so many errors that no more are kept.
func (d *document) full() bool { return len(d.errs) >= maxErrors }

// suggest is suggest for an error that is kept.
func (d *document) suggest(word string, known []string) string {
	if d.full() {
		return ""
	}
	return suggest(word, known)
}

// resolve follows an alias and spends budget.
func (d *document) resolve(n *yaml.Node) *yaml.Node {
	d.budget--
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	_ = d.room.take(len(n.Value)) // which spent tells
	return n
}

func (d *document) spent(n *yaml.Node) bool {
	switch {
	case d.budget >= 0 && d.room >= 0:
		return false
	case d.spentSaid:
	case d.budget < 0:
		d.errorf(n, "the rule has more than %d values", maxDocumentNodes)
	default:
		d.errorf(n, "%v", errRoom)
	}
	d.spentSaid = true
	return true
}

// member is a key of a mapping with its value.
type member struct {
	key   *yaml.Node
	value *yaml.Node
}

// mapping returns the members of a mapping. what names it in errors.
func (d *document) mapping(n *yaml.Node, what string) []member {
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "%s must be a map, not %s", what, describe(n))
		return nil
	}
	var merges []*yaml.Node
	members := make([]member, 0, len(n.Content)/2)
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if d.spent(n) {
			return nil
		}
		key := d.resolve(n.Content[i])
		switch {
		case key.Kind != yaml.ScalarNode:
			d.errorf(key, "%s: a key must be a string, not %s", what, describe(key))
			continue
		case key.ShortTag() == "!!merge":
			merges = append(merges, d.resolve(n.Content[i+1]))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			d.errorf(key, "%s: key %q is there twice, first in line %d; write a list of values, or use the modifier \"all\"", what, shorten(key.Value), line)
			continue
		}
		seen[key.Value] = key.Line
		members = append(members, member{key, d.resolve(n.Content[i+1])})
	}
	for _, from := range merges {
		members = d.merge(members, seen, from, what)
	}
	return members
}

// maxMerges bounds how many merge keys may follow each other: a map can be
// made to contain itself.
const maxMerges = 16

// merge appends the members of a YAML merge key, a map or a list of maps, that
// are not there yet (https://yaml.org/type/merge.html).
func (d *document) merge(members []member, seen map[string]int, from *yaml.Node, what string) []member {
	if d.merges == maxMerges {
		d.errorf(from, "%s: more than %d merge keys follow each other", what, maxMerges)
		return members
	}
	d.merges++
	defer func() { d.merges-- }()
	if d.merges == 1 {
		what += ": what is merged"
	}
	maps := []*yaml.Node{from}
	if from.Kind == yaml.SequenceNode {
		maps = from.Content
	}
	for _, m := range maps {
		for _, add := range d.mapping(d.resolve(m), what) {
			if _, known := seen[add.key.Value]; !known {
				seen[add.key.Value] = add.key.Line
				members = append(members, add)
			}
		}
	}
	return members
}

// text returns a scalar as a string.
func (d *document) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode {
		d.errorf(n, "%s must be a string, not %s", what, describe(n))
		return ""
	}
	if d.refuseMark(n, what) || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// refuseMark reports whether YAML has taken the start of a scalar for a tag or
// an anchor and left the rest, maybe nothing.
func (d *document) refuseMark(n *yaml.Node, what string) bool {
	switch {
	case strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!"):
		d.errorf(n, "%s: %s", what, quoteHint(strings.TrimSpace(n.Tag+" "+n.Value)))
	case n.Anchor != "" && n.ShortTag() == "!!null" && n.Value == "":
		d.errorf(n, "%s: %s", what, quoteHint("&"+n.Anchor))
	default:
		return false
	}
	return true
}

// texts returns a scalar or a list of scalars as strings, and where each is.
func (d *document) texts(n *yaml.Node, what string) ([]string, []position) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	var texts []string
	var at []position
	for _, c := range nodes {
		if d.spent(n) {
			return nil, nil
		}
		c = d.resolve(c)
		if s := d.text(c, what); s != "" {
			texts, at = append(texts, s), append(at, position{c.Line, c.Column})
		}
	}
	return texts, at
}

// readable returns what a person reads in a value that only people look at. No
// form of it is an error.
func (d *document) readable(n *yaml.Node, what string) string {
	text := func(n *yaml.Node) string {
		if n = d.resolve(n); n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
			return ""
		}
		return n.Value
	}
	var parts []string
	switch n.Kind {
	case yaml.ScalarNode:
		return text(n)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content) && !d.spent(n); i += 2 {
			parts = append(parts, text(n.Content[i])+": "+text(n.Content[i+1]))
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if d.spent(n) {
				break
			}
			if s := text(c); s != "" {
				parts = append(parts, s)
			}
		}
	}
	all := strings.Join(parts, ", ")
	d.oddf(n, "%s: %s is read as %q; write one text, in quotes if it has a colon in it", what, describe(n), shorten(all))
	return all
}

// readables is readable for a list, or one value.
func (d *document) readables(n *yaml.Node, what string) []string {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	var texts []string
	for _, c := range nodes {
		if d.spent(n) {
			return nil
		}
		if s := d.readable(d.resolve(c), what); s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

// truth returns a YAML boolean.
func (d *document) truth(n *yaml.Node, what string) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		d.errorf(n, "%s must be true or false, not %s", what, describe(n))
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

// isEmpty reports whether a value is written as if it were left out: null, or an
// empty text.
func isEmpty(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		return false
	}
	return n.ShortTag() == "!!null" || n.Value == ""
}

// describe names a node for an error.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" {
			return "empty"
		}
		return fmt.Sprintf("%q", shorten(n.Value))
	}
	return "a YAML alias"
}

// shorten keeps quoted input readable.
func shorten(s string) string { return truncate(s, 60) }

// truncate returns at most so many characters of s.
func truncate(s string, most int) string {
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// maxQuoted bounds the characters of one part of a message. What is quoted is
// cut by shorten; this is for what stands in no list of names.
const maxQuoted = 300

// message formats an error without long parts.
func message(format string, args []any) string {
	short := slices.Clone(args)
	for i, a := range short {
		switch a := a.(type) {
		case string:
			short[i] = truncate(a, maxQuoted)
		case error:
			short[i] = truncate(a.Error(), maxQuoted)
		}
	}
	return fmt.Sprintf(format, short...)
}
