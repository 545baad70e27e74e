package sigma

import (
	"fmt"
	"strings"

	"github.com/trailbell/trailbell/sigma/internal/spelling"
)

// Error is what is wrong with a rule, or odd about it, and where. Every error of
// Load and Compile is an *Error.
type Error struct {
	// File as Load met it; empty when the error belongs to no file.
	File string
	// Line and Column count from 1; 0 is unknown.
	Line, Column int
	// Rule is the title of the rule, empty when it has none or when the file
	// could not be read that far.
	Rule string
	// Option is "disable", "level" or "placeholders" when what is wrong is Value in this one of
	// the Options, and not a file.
	Option, Value string
	// Msg says what is wrong and what to write instead.
	Msg string
}

// Error formats as FILE:LINE:COLUMN: rule "TITLE": MSG, or as OPTION: MSG,
// leaving out what is unknown.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
			if e.Column > 0 {
				fmt.Fprintf(&b, ":%d", e.Column)
			}
		}
		b.WriteString(": ")
	}
	if e.Rule != "" {
		fmt.Fprintf(&b, "rule %q: ", truncate(e.Rule, 100))
	}
	if e.Option != "" {
		b.WriteString(e.Option + ": ")
	}
	b.WriteString(e.Msg)
	return b.String()
}

// Suggest completes the message of an error about the unknown id or name of a
// rule: "; did you mean …?" with the nearest of those that are known when it is
// near enough to be meant, else "; write one of …" when they are few, else
// nothing.
func Suggest(name string, known []string) string { return suggest(name, known) }

func suggest(word string, known []string) string { return spelling.Suggest(word, known) }
