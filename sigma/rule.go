package sigma

import "time"

// Meta is what a rule says about itself. Detection rules and correlations
// share it.
type Meta struct {
	// ID identifies the rule for ever. A rule without one gets a UUID derived
	// from its name, or from its title when it has no name either: the same
	// file gives the same ID on every run and every machine.
	ID string
	// Name is the readable reference that correlations may use; may be empty.
	Name string
	// Title is never empty.
	Title       string
	Description string
	Status      string
	Author      string
	// Level is never zero after Load for a detection rule; Medium when the
	// rule does not say. A correlation without a level has zero here and takes
	// the highest level of its rules when compiled.
	Level          Level
	Tags           []string
	FalsePositives []string
	References     []string
	// File and Line are where the rule's document starts.
	File string
	Line int
}

// LogSource is which logs a rule is about.
type LogSource struct {
	Category, Product, Service string
}

// Rule is the syntax tree of a detection rule.
type Rule struct {
	Meta
	LogSource LogSource
	// Detections are the named searches in the order of the file.
	Detections []Detection
	// Condition combines them. A list of conditions in the file is an Or.
	Condition Expr
}

// Detection is a named search: it holds when any of its alternatives holds.
// A map in the file is one alternative, a list has one an entry.
type Detection struct {
	Name         string
	Line, Column int
	Alternatives []Alternative
}

// Alternative holds when all of its items hold.
type Alternative []Item

// Item compares a field with values.
type Item struct {
	// Field is a dotted path; empty for keywords, which look at every string
	// of a record.
	Field string
	Op    Op
	// All demands that every value matches, not just one.
	All bool
	// Cased compares case-sensitively.
	Cased bool
	// Flags are the sub-modifiers of OpRegexp, out of "ims".
	Flags        string
	Values       []Value
	Line, Column int
}

// Op is how an item compares.
type Op uint8

// The comparisons of this version.
const (
	OpEqual Op = iota
	OpContains
	OpStartsWith
	OpEndsWith
	OpRegexp
	OpExists
)

// Kind is the YAML type of a value.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Bool
	Number
	String
)

// Value is one value of an item, as the rule spells it.
type Value struct {
	Kind Kind
	// Text is the value's text; "true" or "false" for a Bool, a decimal number
	// for a Number, wildcards and escapes as written for a String.
	Text         string
	Line, Column int
}

// Correlation is the syntax tree of a correlation.
type Correlation struct {
	Meta
	// Type is the correlation type; this version knows "event_count".
	Type string
	// Rules are ids or names of the rules whose matches are counted.
	Rules []string
	// GroupBy are field paths; every combination of their values is counted by
	// itself. Empty: everything is one group.
	GroupBy []string
	// Timespan is the length of the closed window, a whole number of seconds.
	Timespan time.Duration
	// Condition is tested at every matching event.
	Condition Threshold
	// Generate lets the rules alert by themselves too.
	Generate bool

	ruleAt     []position // of each entry of Rules
	timespanAt position
}

type position struct{ line, column int }

// Skipped is a rule that is not for CloudTrail, which is no error.
type Skipped struct {
	Meta
	// Reason says what made it another's.
	Reason string
}

// Collection is what was read from rule files: syntax trees, in the order of
// the files.
type Collection struct {
	Rules        []*Rule
	Correlations []*Correlation
	Skipped      []Skipped
}

// Add appends what is in other. Whether ids collide is checked by Compile.
func (c *Collection) Add(other *Collection) {
	c.Rules = append(c.Rules, other.Rules...)
	c.Correlations = append(c.Correlations, other.Correlations...)
	c.Skipped = append(c.Skipped, other.Skipped...)
}
