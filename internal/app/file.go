package app

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trailbell/trailbell/sigma"
)

// ReadFile changes c by a YAML file. A key that does not exist and a value that
// does not fit are errors with file, line, key and what to write. Relative paths
// of rules are from the directory of the file.
func (c *Config) ReadFile(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w; check --config", err)
	}
	if err := c.parse(path, data); err != nil {
		return err
	}
	for i, rules := range c.Correlator.Rules.Paths {
		if _, said := c.origin.lines["correlator.rules.paths"]; said && !filepath.IsAbs(rules) {
			c.Correlator.Rules.Paths[i] = filepath.Join(filepath.Dir(path), rules)
		}
	}
	for _, e := range c.invalid() {
		c.origin.wrong[e] = true
	}
	return nil
}

// origin is the file that a configuration was read from, for errors.
type origin struct {
	path  string
	lines map[string]int // of the keys
	// wrong is what was invalid when nothing but the file had been read. What
	// is invalid later and not in here was given elsewhere.
	wrong map[invalid]bool
}

// place is where a value was set, as PATH:LINE: in front of an error; empty for
// one that is not from a file.
func (o *origin) place(e invalid) string {
	if o == nil || !o.wrong[e] {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", o.path, o.line(e))
}

// line is that of a key, or of the nearest above that is in the file.
func (o *origin) line(e invalid) int {
	for key := e.key; key != ""; key = key[:max(strings.LastIndexAny(key, ".["), 0)] {
		if line, ok := o.lines[key]; ok {
			return line
		}
	}
	return 1
}

func (c *Config) parse(path string, data []byte) error {
	r := reader{file: path, lines: map[string]int{}}
	c.origin = &origin{path: path, lines: r.lines, wrong: map[invalid]bool{}}
	c.Correlator.Rules.origin = c.origin
	var doc, second yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(data))
	if err := documents.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // empty, or comments only
	} else if err != nil {
		return sigma.SyntaxError(path, data, err)
	}
	switch err := documents.Decode(&second); {
	case err == nil:
		return fmt.Errorf("%s:%d: a second YAML document begins here; put everything into one", path, second.Line)
	case !errors.Is(err, io.EOF):
		return sigma.SyntaxError(path, data, err)
	}
	r.read(doc.Content[0], reflect.ValueOf(c).Elem(), "")
	if c.DataDir == "" {
		c.DataDir = stateDir() // said to be the default
	}
	return errors.Join(r.errs...)
}

// reader fills a value from a YAML tree. The library's own strict mode knows
// the line of an unknown key but not its path, and nothing of our values.
type reader struct {
	file  string
	lines map[string]int // of each key that was met
	errs  []error
}

func (r *reader) fail(n *yaml.Node, key, format string, args ...any) {
	if key != "" {
		key += ": "
	}
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %s%s", r.file, n.Line, key, fmt.Sprintf(format, args...)))
}

func (r *reader) read(n *yaml.Node, v reflect.Value, key string) {
	r.lines[key] = n.Line
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Tag == "!!null" {
		return // "key:" with nothing behind it leaves the default
	}
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if n.Kind != yaml.ScalarNode {
			r.fail(n, key, "expected a single value")
		} else if err := t.UnmarshalText([]byte(n.Value)); err != nil {
			r.fail(n, key, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		r.readStruct(n, v, key)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.read(n, v.Elem(), key)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			r.fail(n, key, "expected a list, as in [a, b]")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, c := range n.Content {
			r.read(c, v.Index(i), fmt.Sprintf("%s[%d]", key, i))
		}
	case reflect.Map:
		r.readMap(n, v, key)
	default:
		if err := n.Decode(v.Addr().Interface()); err != nil {
			r.fail(n, key, "%q is not %s", n.Value, expected(v.Kind()))
		}
	}
}

func expected(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	}
	return "a text"
}

func (r *reader) readStruct(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, key, "expected keys with values")
		return
	}
	fields := map[string]reflect.Value{}
	collect(v, fields)
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		path := k.Value
		if key != "" {
			path = key + "." + k.Value
		}
		f, ok := fields[k.Value]
		if !ok {
			r.fail(k, path, "there is no such key%s", suggest(k.Value, fields))
			continue
		}
		if line, twice := seen[k.Value]; twice {
			r.fail(k, path, "was set in line %d already", line)
			continue
		}
		seen[k.Value] = k.Line
		r.read(value, f, path)
	}
}

// readMap reads a map whose keys are the user's own, with the line of each.
func (r *reader) readMap(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, key, "expected keys with values")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		path := key + "." + k.Value
		if line, twice := seen[k.Value]; twice {
			r.fail(k, path, "was set in line %d already", line)
			continue
		}
		seen[k.Value] = k.Line
		element := reflect.New(v.Type().Elem()).Elem()
		r.read(value, element, path)
		v.SetMapIndex(reflect.ValueOf(k.Value), element)
	}
}

// collect finds the fields of a struct by their keys.
func collect(v reflect.Value, fields map[string]reflect.Value) {
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			collect(v.Field(i), fields)
		case name != "" && name != "-":
			fields[name] = v.Field(i)
		}
	}
}

// suggest names the key that was probably meant, else all there are.
func suggest(key string, fields map[string]reflect.Value) string {
	var all []string
	best, least := "", 3
	for name := range fields {
		all = append(all, name)
		if d := distance(key, name); d < least {
			best, least = name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	slices.Sort(all)
	return "; there are " + strings.Join(all, ", ")
}

// distance is the number of single-character edits between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
