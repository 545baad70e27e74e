package window

// Condition is what is tested on the window that ends at an event: a measure
// of its events compared with bounds, or, for Rules and OrderedRules, terms of
// which any may hold. With neither bounds nor terms it always holds.
type Condition struct {
	Measure Measure
	// Percentile is 0 to 100 and read by the measure Percentile only.
	Percentile int
	// Bounds are compared with the measure; all must hold.
	Bounds []Bound
	// Terms are alternatives; read by the measures Rules and OrderedRules, for
	// which they replace the bounds.
	Terms []Term
}

// Measure is what is measured of the events in a window.
type Measure uint8

// The measures.
const (
	// Events is the number of events.
	Events Measure = iota
	// Values is the number of distinct values of the events.
	Values
	// Rules is the number of distinct inputs that the events stand for.
	Rules
	// OrderedRules is the length of the longest sequence of inputs 0, 1, 2, …
	// in ascending order that occurs in the window, each step at an event of
	// its own and none before the step that precedes it.
	OrderedRules
	// Sum is the sum of all values, in millionths.
	Sum
	// Average is the mean of all values, in millionths.
	Average
	// Percentile is the value below which Condition.Percentile percent of the
	// values are, in millionths, interpolated linearly between the two order
	// statistics around rank Percentile/100*(n-1).
	Percentile
)

// Bound compares a measure with a number.
type Bound struct {
	Op Op
	// Value is a count for Events, Values, Rules and OrderedRules, and
	// millionths for Sum, Average and Percentile.
	Value int64
}

// Op is a comparison.
type Op uint8

// The comparisons: the measure is greater than, at least, less than, at most,
// equal to, different from the value of the bound.
const (
	GT Op = iota
	GTE
	LT
	LTE
	EQ
	NEQ
)

// Term is a conjunction over the inputs of a condition.
type Term struct {
	// Need are inputs, by the number of their bit, that must all occur in the
	// window; for OrderedRules in this order, in which an input may be there
	// several times.
	Need []int
	// Absent are the bits of inputs none of which may occur.
	Absent uint64
}
