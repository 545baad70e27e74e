package alert

import (
	"cmp"
	"time"
)

// AsOf says up to where a log had been read when an alert was written: the
// newest message that concerns the alert's group. Of two revisions of a group
// the one with the higher AsOf knows more.
type AsOf struct {
	// Epoch is the creation time of the log. Sequences of different epochs
	// cannot be compared: a log that is created anew counts from 1.
	Epoch    time.Time `json:"epoch"`
	Sequence uint64    `json:"sequence"`
}

// IsZero reports whether a is absent.
func (a AsOf) IsZero() bool { return a.Sequence == 0 && a.Epoch.IsZero() }

// SameEpoch reports whether a and o speak of one log.
func (a AsOf) SameEpoch(o AsOf) bool { return a.Epoch.Equal(o.Epoch) }

// Compare orders by epoch, then by sequence.
func (a AsOf) Compare(o AsOf) int {
	if c := a.Epoch.Compare(o.Epoch); c != 0 {
		return c
	}
	return cmp.Compare(a.Sequence, o.Sequence)
}
