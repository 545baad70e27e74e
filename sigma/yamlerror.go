package sigma

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// SyntaxError says what is wrong with a file that is not YAML, and what to write
// instead, when package go.yaml.in/yaml/v3 returned err for its data. That
// package speaks of its own workings about mistakes that are easy to make.
// Tests beside rules and configurations are explained like rules.
func SyntaxError(file string, data []byte, err error) *Error {
	e := &Error{File: file}
	e.Line, e.Msg = splitYAMLError(err)
	at, tab := tabIndent(data)
	switch {
	case strings.Contains(e.Msg, "control characters") && looksUTF16(data):
		e.Line, e.Msg = 0, "the file is UTF-16 without a byte order mark; save it as UTF-8"
	case strings.Contains(e.Msg, "UTF-8"):
		e.Msg = "the file is not UTF-8; save it as UTF-8"
	case strings.Contains(e.Msg, "control characters"):
		e.Line, e.Column = controlCharacter(data)
		e.Msg = "a control character; remove it, or write it as an escape in double quotes"
	case tab && (strings.Contains(e.Msg, "cannot start any token") || strings.Contains(e.Msg, "tab character")):
		e.Line, e.Column, e.Msg = at.line, at.column, "a tab; indent with spaces"
	case strings.Contains(e.Msg, "cannot start any token"):
		e.quoteValue(data, "@`%")
	case strings.Contains(e.Msg, "alphabetic or numeric"):
		e.quoteValue(data, "*&")
	case strings.Contains(e.Msg, "unknown anchor"):
		e.quoteValue(data, "*")
	case strings.Contains(e.Msg, "comment or line break"):
		e.quoteValue(data, ">|")
	case strings.Contains(e.Msg, "tag URI"), strings.Contains(e.Msg, "tag handle"), strings.Contains(e.Msg, "whitespace or line break"):
		e.quoteValue(data, "!")
	case strings.Contains(e.Msg, "unknown escape"), strings.Contains(e.Msg, "hexdecimal"):
		e.Msg = "not YAML: a backslash in double quotes is an escape; write the value in single quotes"
	default:
		e.explainStructure(data, err)
	}
	return e
}

// quoteValue blames the first value that begins with one of some characters:
// in the line of the error, or in the whole file when package yaml names none.
func (e *Error) quoteValue(data []byte, first string) {
	e.Msg = "not YAML: quote a value that starts with " + strings.Join(strings.Split(first, ""), " or ")
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if e.Line > 0 && number != e.Line {
			continue
		}
		at := markedValue.FindSubmatchIndex(line)
		if at == nil || strings.IndexByte(first, line[at[2]]) < 0 {
			continue
		}
		value, _, _ := strings.Cut(string(line[at[2]:]), " #")
		if bytes.ContainsAny(line[:at[2]], "[{") {
			if end := strings.IndexAny(value, ",]}"); end > 0 {
				value = value[:end]
			}
		}
		e.Line, e.Column = number, at[2]+1
		e.Msg = "not YAML: " + quoteHint(strings.TrimSpace(value))
		return
	}
}

func quoteHint(value string) string {
	return fmt.Sprintf("quote a value that starts with '%c', as in '%s'", value[0], shorten(strings.ReplaceAll(value, "'", "''")))
}

// markedValue finds the first character of a value when it is one that means
// something to YAML. What stands in quotes before it hides it.
var markedValue = regexp.MustCompile("^(?:[^'\"#]*(?:[:,-] +|[\\[{] *)|\\s*)([*&!%@`>|])")

// tabIndent finds the first tab that indents a line, or that follows the dash
// of a list.
func tabIndent(data []byte) (position, bool) {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t-"))]
		if i := bytes.IndexByte(indent, '\t'); i >= 0 && len(bytes.TrimSpace(line)) > 0 {
			return position{number, i + 1}, true
		}
	}
	return position{}, false
}

// looksUTF16 reports whether every other byte at the start is zero.
func looksUTF16(data []byte) bool {
	return len(data) >= 4 && (data[0] == 0 && data[2] == 0 || data[1] == 0 && data[3] == 0)
}

func controlCharacter(data []byte) (line, column int) {
	for text := range bytes.Lines(data) {
		line++
		for i, c := range text {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
				return line, i + 1
			}
		}
	}
	return 0, 0
}

// splitYAMLError takes the line number out of an error of package yaml, which
// has it in its text only.
func splitYAMLError(err error) (line int, msg string) {
	msg = strings.TrimPrefix(err.Error(), "yaml: ")
	if after, ok := strings.CutPrefix(msg, "line "); ok {
		if number, rest, ok := strings.Cut(after, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				return n, rest
			}
		}
	}
	return 0, msg
}
