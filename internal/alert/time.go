package alert

import "time"

// Times that RFC 3339 cannot write become the nearest that it can: a record
// may claim any eventTime, and its alert must still be writable.
var (
	earliest = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)
)

// Time turns milliseconds since the Unix epoch into a time of an alert, in UTC
// and within the years 0 to 9999.
func Time(millis int64) time.Time {
	t := time.UnixMilli(millis).UTC()
	switch {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return t
}
