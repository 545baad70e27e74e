// Package spelling says which word was meant by one that does not exist.
package spelling

import (
	"fmt"
	"slices"
	"strings"
)

// Suggest completes a sentence about an unknown word: with the nearest known
// one when it is near enough to be meant, or two that are equally near, else
// with all when they are few.
func Suggest(word string, known []string) string {
	var best []string
	nearest := 3
	for _, k := range known {
		d := distance(strings.ToLower(word), strings.ToLower(k))
		if d > nearest || d > 2 || d >= len(k) {
			continue
		}
		if d < nearest {
			best, nearest = nil, d
		}
		if !slices.Contains(best, k) {
			best = append(best, k)
		}
	}
	switch {
	case len(best) == 2 && nearest > 0:
		return fmt.Sprintf("; did you mean %q or %q?", best[0], best[1])
	case len(best) > 0:
		return fmt.Sprintf("; did you mean %q?", best[0])
	case len(known) > 0 && len(known) <= 12:
		return "; write one of " + strings.Join(known, ", ")
	}
	return ""
}

// Near returns the known word that a word is when case and at most so many
// edits are overlooked; empty for one that is known itself, and for one that is
// near to none.
func Near(word string, known []string, edits int) string {
	if slices.Contains(known, word) {
		return ""
	}
	for most := range edits + 1 {
		for _, k := range known {
			if distance(strings.ToLower(word), k) <= most {
				return k
			}
		}
	}
	return ""
}

// distance counts the inserted, deleted, replaced and swapped characters
// between two words (the restricted Damerau-Levenshtein distance).
func distance(a, b string) int {
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
