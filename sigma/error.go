package sigma

import (
	"fmt"
	"strings"
)

// Error is what is wrong with a rule and where. Every error of Load, and every
// error of Compile that belongs to a place in a file, is an *Error.
type Error struct {
	// File as Load met it; empty when the error belongs to no file.
	File string
	// Line and Column count from 1; 0 is unknown.
	Line, Column int
	// Rule is the title of the rule, empty when it has none or when the file
	// could not be read that far.
	Rule string
	// Msg says what is wrong and what to write instead.
	Msg string
}

// Error formats as FILE:LINE:COLUMN: rule "TITLE": MSG, leaving out what is
// unknown.
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
		fmt.Fprintf(&b, "rule %q: ", e.Rule)
	}
	b.WriteString(e.Msg)
	return b.String()
}

// suggest completes a sentence about an unknown word: with the nearest known
// one when it is near enough to be meant, else with all when they are few.
func suggest(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	if len(known) > 0 && len(known) <= 12 {
		return "; write one of " + strings.Join(known, ", ")
	}
	return ""
}

// editDistance counts the inserted, deleted, replaced and swapped characters
// between two words (the restricted Damerau-Levenshtein distance).
func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 64
	}
	var before, last, row [65]int
	for j := range len(y) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
