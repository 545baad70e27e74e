package window

import "math"

// Definition is what is asked of a window, made once for all groups of one
// correlation.
type Definition struct{ definition }

// definition is what a group, which has it as a part, does not export.
type definition struct {
	timespan  int64
	condition Condition
}

// Define returns the definition of windows that are timespan milliseconds long,
// both ends included. At an event the condition is tested on the window that
// ends there. Its slices must not be changed. Define panics if the condition
// has an operator or a measure that does not exist.
func Define(timespan int64, c Condition) *Definition {
	d := &Definition{definition{timespan, c}}
	newMeasure(&d.definition)
	return d
}

// NewGroup returns an empty group of windows that are so defined.
func (d *Definition) NewGroup() *Group {
	return &Group{sequence: sequence{definition: &d.definition}, forgotten: none, oldest: math.MaxInt64}
}

// New returns an empty group with a definition of its own; see [Define].
func New(timespan int64, c Condition) *Group { return Define(timespan, c).NewGroup() }
