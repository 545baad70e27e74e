package ruletest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/internal/directive"
	"github.com/trailbell/trailbell/sigma/internal/spelling"
)

// Bounds that a test has no reason to reach; they keep a slip of the finger
// from filling the memory.
const (
	maxRepeat = 10_000
	maxEvents = 20_000 // of a case
	maxErrors = 20
	maxDepth  = 64
	maxNodes  = 200_000 // aliases let a small file stand for many
)

// start is the eventTime of events that do not have one.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// reader reads the tests of one file: strictly, since a misspelt expectation
// would test nothing.
type reader struct {
	fsys fs.FS
	dir  string // of the file, in fsys
	file string // for errors
	errs []error
	// nodes is how many have been looked at.
	nodes int
}

func (r *reader) errorf(n *yaml.Node, format string, args ...any) {
	if len(r.errs) < maxErrors {
		r.errs = append(r.errs, &sigma.Error{File: r.file, Line: n.Line, Column: n.Column, Msg: fmt.Sprintf(format, args...)})
	}
}

// read reads every document of a file into f. In a rule file (tests is false)
// only documents with cases are looked at. It reports whether there are tests.
func (r *reader) read(f *File, data []byte, tests bool) bool {
	data = directive.Lower(data)
	documents := yaml.NewDecoder(bytes.NewReader(data))
	found := tests
	for {
		var root yaml.Node
		err := documents.Decode(&root)
		switch {
		case err == io.EOF:
			if found && len(f.Cases) == 0 && len(r.errs) == 0 {
				r.errs = append(r.errs, &sigma.Error{File: r.file, Msg: `there are no cases; write "cases:" with at least one`})
			}
			return found
		case err != nil:
			if found {
				r.errs = append(r.errs, sigma.SyntaxError(r.file, data, err))
			} // else it is the rules' own, and said there
			return found
		case len(root.Content) == 0 || root.Content[0].ShortTag() == "!!null":
			continue
		case !tests && !isTest(root.Content[0]):
			continue
		}
		found = true
		r.document(f, root.Content[0])
	}
}

// isTest reports whether a document of a rule file holds tests.
func isTest(n *yaml.Node) bool {
	cases := false
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch n.Content[i].Value {
		case "detection", "correlation", "filter":
			return false
		case "cases":
			cases = true
		}
	}
	return cases
}

func (r *reader) document(f *File, n *yaml.Node) {
	base := map[string]any{}
	origin := start
	var cases *yaml.Node
	for key, value := range r.mapping(n, "a test", "event", "cases") {
		switch key.Value {
		case "event":
			if v, ok := r.value(value).(map[string]any); ok {
				base = v
			} else {
				r.errorf(value, "event must be a map, the record that every event is made of")
			}
			if at, ok := r.eventTime(value, base, start); ok {
				origin = at
			}
		case "cases":
			cases = value
		}
	}
	if len(r.errs) > 0 {
		return // the cases would only repeat what is wrong with the base
	}
	if cases == nil || cases.Kind != yaml.SequenceNode || len(cases.Content) == 0 {
		r.errorf(or(cases, n), `there are no cases; write "cases:" with at least one`)
		return
	}
	for _, c := range cases.Content {
		if one := r.readCase(resolve(c), base, origin); one != nil {
			if i := slices.IndexFunc(f.Cases, func(x *Case) bool { return x.Name == one.Name }); i >= 0 {
				r.errorf(c, "the name %q is that of the case in line %d, too; give it another", one.Name, f.Cases[i].Line)
			}
			f.Cases = append(f.Cases, one)
		}
	}
}

func or(n, other *yaml.Node) *yaml.Node {
	if n != nil {
		return n
	}
	return other
}

func (r *reader) readCase(n *yaml.Node, base map[string]any, origin time.Time) *Case {
	c := &Case{Line: n.Line, Column: n.Column, origin: origin}
	var events *yaml.Node
	for key, value := range r.mapping(n, "a case", "name", "events", "rings") {
		switch key.Value {
		case "name":
			c.Name = r.text(value, "name")
		case "events":
			events = value
		case "rings":
			c.rings = r.rings(value, origin)
		}
	}
	switch {
	case len(r.errs) > 0:
		// What is missing may be what is misspelt.
	case c.Name == "":
		r.errorf(n, `the case has no name; write "name:" with a few words`)
	case events == nil || events.Kind != yaml.SequenceNode || len(events.Content) == 0:
		r.errorf(or(events, n), `the case has no events; write "events: [{}]" for the base event as it is`)
	}
	if events == nil || events.Kind != yaml.SequenceNode {
		return c
	}
	total := 0
	for i, e := range events.Content {
		one := r.event(resolve(e), base)
		one.number = i + 1
		total += one.repeat * len(one.records)
		c.events = append(c.events, one)
	}
	if total > maxEvents {
		r.errorf(events, "these are %d events; write at most %d in a case", total, maxEvents)
	}
	return c
}

// event reads an entry of "events".
func (r *reader) event(n *yaml.Node, base map[string]any) event {
	e := event{repeat: 1}
	var file, record, at, every, repeat *yaml.Node
	var with, without []change
	for key, value := range r.mapping(n, "an event", "at", "with", "without", "record", "file", "repeat", "every") {
		switch key.Value {
		case "at":
			at = value
		case "with":
			if value.Kind != yaml.MappingNode {
				r.errorf(value, `"with" must be a map of paths and values, as in {userIdentity.type: Root}`)
				continue
			}
			for path, v := range r.mapping(value, "with") {
				with = append(with, change{path, r.value(v), false})
			}
		case "without":
			for _, path := range r.scalars(value, "without") {
				without = append(without, change{path, nil, true})
			}
		case "record":
			record = value
		case "file":
			file = value
		case "repeat":
			repeat = value
		case "every":
			every = value
		}
	}
	switch {
	case record != nil && file != nil:
		r.errorf(file, `an event has either a "record" or a "file"`)
	case record != nil:
		if v, ok := r.value(record).(map[string]any); ok {
			e.records = []map[string]any{v}
		} else {
			r.errorf(record, "record must be a map, a whole record in place of the base event")
		}
	case file != nil:
		e.records = r.recordsOf(file)
	default:
		own := clone(base).(map[string]any)
		own["eventID"] = numbered{}
		e.records = []map[string]any{own}
	}
	for _, own := range e.records {
		for _, c := range append(with, without...) {
			if err := c.apply(own); err != nil {
				r.errorf(c.path, "%v", err)
			}
			e.sameID = e.sameID || !c.remove && c.path.Value == "eventID"
		}
		if _, ok := r.eventTime(n, own, start); !ok {
			return e
		}
	}
	if at != nil {
		e.at = r.moment(at, "at")
	}
	if repeat != nil {
		count, err := strconv.Atoi(repeat.Value)
		if err != nil || count < 1 || count > maxRepeat {
			r.errorf(repeat, "repeat: %s is not a number of events from 1 to %d", describe(repeat), maxRepeat)
		} else {
			e.repeat = count
		}
	}
	if every != nil {
		if span, err := parseSpan(every.Value); err != nil {
			r.errorf(every, "every: %v", err)
		} else {
			e.every = span
		}
		if repeat == nil {
			r.errorf(every, `"every" is the time between the events of a "repeat", which is not there`)
		}
	}
	return e
}

// recordsOf reads a file beside the test: one record, or a log file of
// CloudTrail, which stands for all of its records.
func (r *reader) recordsOf(n *yaml.Node) []map[string]any {
	name := r.text(n, "file")
	if name == "" {
		return nil
	}
	if !fs.ValidPath(path.Join(r.dir, name)) {
		r.errorf(n, "file: %s is outside of what is read; write the path of a JSON file from the folder of this test", name)
		return nil
	}
	data, err := readFile(r.fsys, path.Join(r.dir, name))
	if err != nil {
		r.errorf(n, "file: %s cannot be read: %v; write the path of a JSON file from the folder of this test", name, withoutPath(err))
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var record map[string]any
	if err := decoder.Decode(&record); err != nil {
		r.errorf(n, "file: %s is not a JSON object: %v", name, err)
		return nil
	}
	list, ok := record["Records"].([]any)
	if !ok {
		return []map[string]any{record}
	}
	var records []map[string]any
	for i, v := range list {
		one, ok := v.(map[string]any)
		if !ok {
			r.errorf(n, "file: %s: entry %d of Records is not an object", name, i+1)
			return nil
		}
		records = append(records, one)
	}
	if len(records) == 0 {
		r.errorf(n, "file: %s has no records in it", name)
	}
	return records
}

// eventTime returns the time of a record; otherwise when it has none.
func (r *reader) eventTime(n *yaml.Node, record map[string]any, otherwise time.Time) (time.Time, bool) {
	v, ok := record["eventTime"]
	if !ok {
		return otherwise, true
	}
	text, _ := v.(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.errorf(n, "eventTime: %v is not a time; write one such as \"2026-03-02T08:00:00Z\"", v)
	}
	return at, err == nil
}

// rings reads what is expected.
func (r *reader) rings(n *yaml.Node, origin time.Time) []ring {
	if n.ShortTag() == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.errorf(n, `"rings" must be a list, as in [{rule: trail_stopped}], or [] for nothing`)
		return nil
	}
	var rings []ring
	for _, c := range n.Content {
		c = resolve(c)
		expected := ring{at: position{c.Line, c.Column}, origin: origin}
		if c.Kind == yaml.ScalarNode && c.ShortTag() == "!!str" {
			expected.rule = c.Value
			rings = append(rings, expected)
			continue
		}
		for key, value := range r.mapping(c, "an entry of rings", "rule", "count", "group", "first_seen", "last_seen") {
			switch key.Value {
			case "rule":
				expected.rule = r.text(value, "rule")
				expected.at = position{value.Line, value.Column}
			case "count":
				count, err := strconv.Atoi(value.Value)
				if err != nil || count < 1 {
					r.errorf(value, "count: %s is not a number of events; what shall not ring is left out of the list", describe(value))
				}
				expected.count = count
			case "group":
				for field, v := range r.mapping(value, "group") {
					expected.group = append(expected.group, groupValue{field.Value, r.text(v, "group"), position{field.Line, field.Column}})
				}
			case "first_seen":
				expected.first = r.moment(value, key.Value)
			case "last_seen":
				expected.last = r.moment(value, key.Value)
			}
		}
		if expected.rule == "" && len(r.errs) == 0 {
			r.errorf(c, `there is no "rule" that shall ring; write its name, its id or its title`)
		}
		rings = append(rings, expected)
	}
	return rings
}

// moment reads an offset such as 90s, or a time.
func (r *reader) moment(n *yaml.Node, what string) *moment {
	text := r.text(n, what)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return &moment{absolute: at}
	}
	span, err := parseSpan(text)
	if err != nil {
		r.errorf(n, "%s: %v, or a time such as \"2026-03-02T08:00:00Z\"", what, err)
		return nil
	}
	return &moment{offset: span}
}

var days = regexp.MustCompile(`^(-?)([0-9]{1,5})([dw])$`)

// parseSpan reads what Go reads, and days and weeks as rules have them.
func parseSpan(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if m := days.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1] + m[2]) // it is one
		unit := 24 * time.Hour
		if m[3] == "w" {
			unit *= 7
		}
		return time.Duration(n) * unit, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time span; write one such as 90s, 5m or 2h", s)
	}
	return d, nil
}

// mapping returns the members of a map. With known keys, others are errors.
func (r *reader) mapping(n *yaml.Node, what string, known ...string) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			if n.ShortTag() != "!!null" || known == nil {
				r.errorf(n, "%s must be a map, not %s", what, describe(n))
			}
			return
		}
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := resolve(n.Content[i])
			switch line, twice := seen[key.Value]; {
			case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
				r.errorf(key, "%s: a key must be a plain string", what)
			case known != nil && !slices.Contains(known, key.Value):
				r.errorf(key, "%s: unknown key %q%s", what, key.Value, spelling.Suggest(key.Value, known))
			case twice:
				r.errorf(key, "%s: key %q is there twice, first in line %d", what, key.Value, line)
			case !yield(key, resolve(n.Content[i+1])):
				return
			}
			seen[key.Value] = key.Line
		}
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func (r *reader) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		r.errorf(n, "%s must be a string, not %s", what, describe(n))
		return ""
	}
	return n.Value
}

// scalars returns a scalar, or the entries of a list of them.
func (r *reader) scalars(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind == yaml.ScalarNode {
		return []*yaml.Node{n}
	}
	if n.Kind != yaml.SequenceNode {
		r.errorf(n, "%s must be a list of paths, not %s", what, describe(n))
		return nil
	}
	var all []*yaml.Node
	for _, c := range n.Content {
		c = resolve(c)
		if r.text(c, what) != "" {
			all = append(all, c)
		}
	}
	return all
}

// value returns what a node stands for in JSON.
func (r *reader) value(n *yaml.Node) any { return r.valueAt(n, 0) }

func (r *reader) valueAt(n *yaml.Node, depth int) any {
	n = resolve(n)
	if r.nodes++; depth > maxDepth || r.nodes > maxNodes {
		if r.nodes <= maxNodes+1 { // say it once
			r.errorf(n, "a record may be %d deep, and a file may have %d values", maxDepth, maxNodes)
		}
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for key, value := range r.mapping(n, "a record") {
			object[key.Value] = r.valueAt(value, depth+1)
		}
		return object
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			list = append(list, r.valueAt(c, depth+1))
		}
		return list
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		return number(n.Value)
	}
	return n.Value
}

// number returns a YAML number as JSON has it, as it is written where JSON
// writes it so, too. What has leading zeros is an account that somebody forgot
// to quote.
func number(s string) any {
	digits := strings.TrimLeft(s, "-")
	if len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789") == "" {
		return s
	}
	if json.Valid([]byte(s)) {
		return json.Number(s)
	}
	if i, err := strconv.ParseInt(s, 0, 64); err == nil { // 0x1f, 0o17, 1_000, +1
		return i
	}
	f, err := strconv.ParseFloat(s, 64)
	if _, invalid := json.Marshal(f); err != nil || invalid != nil {
		return s // .inf, .nan
	}
	return f
}

func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a map"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	}
	return strconv.Quote(n.Value)
}
