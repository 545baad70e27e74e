package sigma

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// explainStructure explains errors about how lines, colons, quotes and brackets
// fit together. Package yaml names the line where the surrounding map begins,
// which is often far above.
func (e *Error) explainStructure(data []byte, err error) {
	text := yamlText{lines: strings.Split(string(data), "\n")}
	opened := e.Line // for what has to be closed
	if line := firstLineWith(data, err); line > 0 {
		e.Line = line
	}
	if e.Line < 1 || e.Line > len(text.lines) {
		e.Line = min(1, len(text.lines))
	}
	line := text.at(e.Line)
	switch {
	case strings.Contains(e.Msg, "mapping values are not allowed"):
		e.strayColon(text)
	case strings.Contains(e.Msg, "could not find expected ':'"):
		for e.Line > 1 && (blank(line) || hasKey(line)) {
			e.Line--
			line = text.at(e.Line)
		}
		e.missingColon(line)
	case strings.Contains(e.Msg, "block sequence entries"):
		e.Column = strings.Index(line, "- ") + 1
		e.Msg = "not YAML: write the entries of a list on lines of their own below the key, or in brackets, as in [a, b]"
	case strings.Contains(e.Msg, "end of stream"), strings.Contains(e.Msg, "document indicator"):
		if e.Line = opened; !strings.ContainsAny(text.at(opened), `'"`) {
			e.Line = 1 // which package yaml never names
		}
		e.Column = strings.IndexAny(text.at(e.Line), `'"`) + 1
		e.Msg = "not YAML: a quotation mark is not closed; write it again at the end of the value"
	case strings.Contains(e.Msg, "',' or"), strings.Contains(e.Msg, "node content"):
		e.Column = strings.IndexAny(line, "[{") + 1
		e.Msg = `not YAML: a list or a map in brackets is not closed, or has a value that needs quotes; write the "]" or "}", and quote values that have brackets, braces or commas in them`
	case strings.Contains(e.Msg, "did not find expected"):
		e.misplaced(line)
	default:
		e.Msg = "not YAML: " + e.Msg
	}
}

// strayColon explains a second colon in a line, or one where no key can be.
func (e *Error) strayColon(text yamlText) {
	line, above := text.at(e.Line), text.above(e.Line)
	first := separator.FindStringIndex(line)
	if first == nil {
		e.Msg = "not YAML: a colon where no key can be; quote the value"
		return
	}
	value := strings.TrimSpace(line[first[1]:])
	if separator.MatchString(value) && !strings.ContainsAny(value[:1], `'"[{`) {
		value, _, _ = strings.Cut(value, " #")
		e.Column = strings.Index(line, value) + 1
		e.Msg = fmt.Sprintf("not YAML: quote a value that has a colon and a space in it, as in '%s'", shorten(strings.ReplaceAll(strings.TrimSpace(value), "'", "''")))
		return
	}
	over, before := text.at(above), text.above(above)
	// What is no key goes on with the value before it, if there is one.
	if above > 0 && !hasKey(over) && (strings.Contains(over, ":") || before == 0 || strings.HasSuffix(strings.TrimSpace(text.at(before)), ":")) {
		e.Line = above
		e.missingColon(over)
		return
	}
	e.Column = indentOf(line) + 1
	e.Msg = "not YAML: this line is indented deeper than the key above, which has a value already; indent both alike"
}

// missingColon explains a line that is no key with a value.
func (e *Error) missingColon(line string) {
	e.Column = indentOf(line) + 1
	word := strings.TrimSpace(line)
	if key, value, ok := strings.Cut(word, ":"); ok {
		e.Column += len(key)
		e.Msg = fmt.Sprintf("not YAML: write a space after the colon, as in \"%s: %s\"", shorten(key), shorten(value))
		return
	}
	e.Msg = fmt.Sprintf("not YAML: %q is neither a key nor a value here; write a colon behind a key, as in \"%s:\"", shorten(word), shorten(word))
}

// misplaced explains a line that does not fit to those above it.
func (e *Error) misplaced(line string) {
	e.Column = indentOf(line) + 1
	if at := afterQuotes.FindStringSubmatchIndex(line); at != nil {
		e.Column = at[2] + 1
		e.Msg = `not YAML: the quotation mark before this ends the value; quote the whole value, and write '' for a ' in single quotes`
		return
	}
	if at := afterBrackets.FindStringSubmatchIndex(line); at != nil {
		e.Column = at[2] + 1
		value, _, _ := strings.Cut(line[at[2]:], " #")
		e.Msg = "not YAML: " + quoteHint(strings.TrimSpace(value))
		return
	}
	dash := strings.HasPrefix(strings.TrimSpace(line)+" ", "- ")
	switch {
	case dash && strings.Contains(e.Msg, "key"):
		e.Msg = "not YAML: the entry of a list where a key is expected; indent the list below the key that it belongs to, and give that key no other value"
	case !dash && strings.Contains(e.Msg, "'-'"):
		e.Msg = "not YAML: a key where the next entry of a list is expected; indent it like the keys of the entry above, or like the key of the list"
	default:
		e.Msg = "not YAML: the indentation of this line is that of no line above; indent it like those that it belongs to"
	}
}

var (
	// separator ends a key.
	separator = regexp.MustCompile(`:(\s|$)`)
	// afterQuotes finds what follows a value in quotes.
	afterQuotes = regexp.MustCompile(`^[^'"#]*(?::|-)\s+(?:'(?:[^']|'')*'|"(?:[^"\\]|\\.)*")\s*([^\s#:,\]}])`)
	// afterBrackets finds a value that begins like a list or a map and goes on
	// behind its end.
	afterBrackets = regexp.MustCompile(`^[^'"#\[{]*(?::|-)\s+([\[{][^\[\]{}]*[\]}]+\s*[^\s#,:].*|[\[{][^\[\]{}]*[\]}]{2,}.*)`)
)

// yamlText is a file by its lines, which count from 1. Line 0 is empty.
type yamlText struct{ lines []string }

func (t yamlText) at(line int) string {
	if line < 1 || line > len(t.lines) {
		return ""
	}
	return strings.TrimRight(t.lines[line-1], "\r")
}

// above is the nearest line above with more than a comment, or 0.
func (t yamlText) above(line int) int {
	for line--; line > 0 && blank(t.at(line)); line-- {
	}
	return max(line, 0)
}

func blank(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

func hasKey(line string) bool { return separator.MatchString(line) }

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// firstLineWith returns the line at which package yaml meets an error: the
// beginning of the file up to that line has it, and one line less has not.
func firstLineWith(data []byte, err error) int {
	var ends []int
	for i, c := range data {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		ends = append(ends, len(data))
	}
	found := sort.Search(len(ends), func(i int) bool {
		got := decodeAll(data[:ends[i]])
		return got != nil && got.Error() == err.Error()
	})
	if found == len(ends) {
		return 0
	}
	return found + 1
}

func decodeAll(data []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		if err := decoder.Decode(&root); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
