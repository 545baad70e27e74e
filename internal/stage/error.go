package stage

import (
	"errors"
	"time"
)

// permanentError is an error that the same input will always cause.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks err as one that the same input will always cause. The input
// becomes a dead letter with err's text as the reason; the text must not hold
// the content of a record.
func Permanent(err error) error { return &permanentError{err} }

type retryError struct {
	err   error
	after time.Duration
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// RetryAfter marks err as one that is worth another try after d.
func RetryAfter(d time.Duration, err error) error { return &retryError{err, d} }

func isPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// delay says how long to wait before the next try.
func delay(err error, tries int) time.Duration {
	var r *retryError
	if errors.As(err, &r) {
		return r.after
	}
	const first, most = time.Second, time.Minute
	if tries > 6 {
		return most
	}
	return min(first<<tries, most)
}
