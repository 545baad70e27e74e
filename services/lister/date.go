package lister

import "time"

// date is a day as it stands in a key, YYYY/MM/DD: later days are greater, and
// the empty one is before all.
type date string

const dateLayout = "2006/01/02"

func dateOf(t time.Time) date { return date(t.UTC().Format(dateLayout)) }

// valid says whether d is a day, for what comes out of a store.
func (d date) valid() bool {
	_, err := time.Parse(dateLayout, string(d))
	return err == nil
}

// next is the day after a valid one.
func (d date) next() date {
	t, _ := time.Parse(dateLayout, string(d)) // d is valid
	return dateOf(t.AddDate(0, 0, 1))
}
