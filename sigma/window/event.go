package window

import (
	"cmp"
	"strings"
)

// Event is one record that matches the correlation of a group.
type Event struct {
	// Time is the record's eventTime in milliseconds since the Unix epoch.
	Time int64
	// ID is the identity of the record. Two events with one ID are one event.
	ID string
	// Seq is the position in the log that the event came with, ascending in
	// the order of arrival. Several events of one position differ in Index.
	Seq   uint64
	Index uint32
	// Stored is when the log stored the event, in milliseconds since the Unix
	// epoch, within 4,000 years of it. Only forgetting looks at it.
	Stored int64
	// Evidence says where the record can be read again.
	Evidence Ref
	// Inputs says which inputs of the condition the event stands for: bit i is
	// input i. 0 is read as 1, the first input alone. Only Rules and
	// OrderedRules look at it; with another measure it comes back as 0.
	Inputs uint64
	// Values are hashes for the measure Values, and millionths for Sum,
	// Average and Percentile; with another measure they come back as nil. They
	// need not be sorted.
	Values []int64
}

// Ref names a record by the sequence of its event batch and its position in
// the columns of this batch.
type Ref struct {
	Sequence uint64
	Record   uint32
}

// Compare orders events as correlations see them: by time, then by identity.
func (e Event) Compare(o Event) int {
	if c := cmp.Compare(e.Time, o.Time); c != 0 {
		return c
	}
	return strings.Compare(e.ID, o.ID)
}
