package ruletest

import (
	"time"
)

// Case is one case of a file: events, and what rings for them.
type Case struct {
	Name string
	// Line and Column are where the case stands in its file.
	Line, Column int

	origin time.Time // what offsets in rings are from
	events []event
	rings  []ring
}

type position struct{ line, column int }

// ring is an expectation: a rule that matches count records, or a correlation
// that has an episode.
type ring struct {
	rule string // as the test calls it
	at   position
	// count is 0 when it is left out: one match, or any number of events.
	count       int
	group       []groupValue
	first, last *moment
	origin      time.Time
}

// groupValue is an expected value of a group-by field.
type groupValue struct {
	field, value string
	at           position
}
