package cloudtrail

import "fmt"

// FormatError says that what was given is not CloudTrail's format. The same
// bytes always give the same error, so that trying again does not help.
type FormatError struct {
	// Offset is where it was noticed, in bytes from the start of what was
	// given: the decompressed object for Open and Cutter, the record for
	// Decode.
	Offset uint64
	// Reason is one line without any content of the object.
	Reason string
}

// Error gives reason and offset.
func (e *FormatError) Error() string {
	return fmt.Sprintf("%s (at byte %d)", e.Reason, e.Offset)
}
