package alert

import "time"

// Detection returns the alert of a rule on a record with the given identity
// and eventTime (milliseconds since the Unix epoch), read from an object. It
// is complete with its one record: revision 1, state Ended, count 1. The same
// rule and identity give the same id.
func Detection(rule Rule, identity string, eventTime int64, record []byte, from Object, l Limits, now time.Time) Alert {
	a := Alert{
		ID:        DetectionID(rule.ID, identity),
		Revision:  1,
		State:     Ended,
		Kind:      KindDetection,
		Rule:      rule,
		Count:     1,
		FirstSeen: Time(eventTime),
		LastSeen:  Time(eventTime),
		EventIDs:  []string{identity},
		Objects:   []Object{from}, // known even if the record is too large to carry
		Created:   now.UTC(),
		Updated:   now.UTC(),
	}
	a.Describe(record)
	a.AddRecord(record, from, l)
	return a
}
