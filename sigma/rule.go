package sigma

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

// top is where the keys at the top of a document are, and what is odd there.
type top struct {
	id, name position
	oddities []oddity
}

// oddity is what a warning says about a document as it is written.
type oddity struct {
	at  position
	msg string
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

	timeframeAt position // of a "timeframe" of Sigma 1, which is not read
	top         top
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
	// Key is how the rule spells field and modifiers, for people; may be empty.
	Key string
	// Field is a dotted path; empty for keywords, which look at every string
	// of a record.
	Field string
	Op    Op
	// Part is what of a point in time is compared; zero compares the value
	// itself.
	Part TimePart
	// All demands that every value matches, not just one.
	All bool
	// Cased compares case-sensitively.
	Cased bool
	// Negated turns the item around: the field is there and does not match.
	Negated bool
	// FieldRef says that the values are paths of other fields, to compare with.
	FieldRef bool
	// Flags are the sub-modifiers of OpRegexp, out of "ims".
	Flags string
	// Transforms change each value before it is compared, in this order.
	Transforms   []Transform
	Values       []Value
	Line, Column int
}

// Op is how an item compares.
type Op uint8

// The comparisons.
const (
	OpEqual Op = iota
	OpContains
	OpStartsWith
	OpEndsWith
	OpRegexp
	OpExists
	OpCIDR
	OpLT
	OpLTE
	OpGT
	OpGTE
)

// TimePart is a part of a point in time.
type TimePart uint8

// The parts of a point in time, in the offset that the record writes it with.
const (
	Minute TimePart = iota + 1
	Hour
	Day
	Week // of ISO 8601
	Month
	Year
)

// Transform changes a value. One value may become several, of which any may
// match.
type Transform uint8

// The transforms.
const (
	// Windash lets each dash or slash that starts an option be any of them.
	Windash Transform = iota + 1
	// Expand puts the values of placeholders in.
	Expand
	// UTF16LE, UTF16BE and UTF16 encode; the last is UTF-16LE after a byte
	// order mark.
	UTF16LE
	UTF16BE
	UTF16
	// Base64 encodes the value as a whole.
	Base64
	// Base64Offset encodes the value as it looks inside of a longer text, where
	// it may start at any of three places.
	Base64Offset
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
	Text string
	// Quote is the quotation mark around the value in the file, ' or ", or the
	// sign of a block, | or >; 0 is none.
	Quote        byte
	Line, Column int
}

type position struct{ line, column int }

// Skipped is a rule, a correlation or a filter that is not for CloudTrail, which is no error.
type Skipped struct {
	Meta
	// Reason says what made it another's.
	Reason string

	misspelt *oddity // nil when it looks meant
}

// Collection is what was read from rule files: syntax trees, in the order of
// the files.
type Collection struct {
	Rules        []*Rule
	Correlations []*Correlation
	Filters      []*Filter
	Skipped      []Skipped
	// Broken are the documents that have errors, as far as they could be read:
	// what refers to one can say so.
	Broken []Meta
}

// Add appends what is in other. Whether ids collide is checked by Compile.
func (c *Collection) Add(other *Collection) {
	c.Rules = append(c.Rules, other.Rules...)
	c.Correlations = append(c.Correlations, other.Correlations...)
	c.Filters = append(c.Filters, other.Filters...)
	c.Skipped = append(c.Skipped, other.Skipped...)
	c.Broken = append(c.Broken, other.Broken...)
}
