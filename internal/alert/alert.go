// Package alert is the alert as others read it: its fields, its JSON, its ids,
// and what an alert says about the records it came from. The JSON is published
// as docs/alert.schema.json. Fields are added, never renamed.
package alert

import (
	"encoding/json"
	"time"
)

// State says what has become of what an alert reports.
type State string

const (
	// Open: the condition of the correlation held at the group's latest event.
	Open State = "open"
	// Ended: the condition has ceased to hold. A detection, which is complete
	// with its one record, is always ended.
	Ended State = "ended"
	// Superseded: late events showed that this alert and another one report
	// the same episode. The other is named and goes on.
	Superseded State = "superseded"
	// Withdrawn: late events showed that the condition did not hold.
	Withdrawn State = "withdrawn"
)

// Living reports whether an alert in this state stands for something that
// happened and that no other alert stands for.
func (s State) Living() bool { return s == Open || s == Ended }

// Kind says what raised an alert.
type Kind string

const (
	KindDetection   Kind = "detection"   // a rule, on one record
	KindCorrelation Kind = "correlation" // a correlation, on an episode of a group
	KindSystem      Kind = "system"      // Trailbell itself
)

// Alert is one revision of an alert. Revisions of one id are numbered 1, 2, …;
// the latest one holds.
type Alert struct {
	ID       string `json:"id"`
	Revision int    `json:"revision"`
	// AsOf is up to where MATCHES had been read; absent in a detection, which
	// rests on nothing but its record.
	AsOf  AsOf  `json:"as_of,omitzero"`
	State State `json:"state"`
	Kind  Kind  `json:"kind"`
	Rule  Rule  `json:"rule"`
	// Group holds the group-by fields of a correlation with their values. A
	// correlation that groups by nothing has an empty one, a detection none.
	Group map[string]string `json:"group,omitzero"`
	// Count is the true number of contributing events, also when EventIDs
	// does not list all of them.
	Count int `json:"count"`
	// FirstSeen is the eventTime of the earliest contributing event, LastSeen
	// that of the last event at which the condition held. UTC.
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// Account, Region, Actor and SourceIP come from one record: that of a
	// detection, or the first one at which the condition of a correlation
	// held. Values that the group fixes come from the group. SourceIP is
	// sourceIPAddress as it stands, which can be the name of a service.
	Account       string `json:"account,omitempty"`
	Region        string `json:"region,omitempty"`
	Actor         string `json:"actor,omitempty"`
	SourceIP      string `json:"source_ip,omitempty"`
	SourceCountry string `json:"source_country,omitempty"`
	// EventIDs are the identities of the contributing events in order of
	// eventTime, at most Limits.EventIDs; of more, the first and the last ones.
	EventIDs []string `json:"event_ids"`
	// Records are contributing records as CloudTrail wrote them, within Limits.
	Records []json.RawMessage `json:"records"`
	// Objects are the log objects that Records came from.
	Objects []Object `json:"objects"`
	// SupersededBy is the id of the alert that goes on in place of this one.
	SupersededBy string `json:"superseded_by,omitempty"`
	// Created is when revision 1 was made, Updated when this one was. UTC.
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`

	// The rest is what a correlation needs in order to tell which alert
	// belongs to which episode.

	// Anchor is the identity that the id was made from: of the events at
	// which the condition held when the alert opened, the first to arrive.
	Anchor string `json:"anchor,omitempty"`
	// Opened is the AsOf of revision 1.
	Opened AsOf `json:"opened,omitzero"`
	// Held reaches from the first to the last event at which the condition
	// held.
	Held Run `json:"held,omitzero"`
	// Partial says that some of the events had been forgotten by the time of
	// this revision. From there on the alert only gains: its newer identities
	// stand behind the older ones, whatever their eventTime.
	Partial bool `json:"partial,omitempty"`
}

// Rule names the rule behind an alert.
type Rule struct {
	ID             string   `json:"id"`
	Name           string   `json:"name,omitempty"`
	Title          string   `json:"title"`
	Level          string   `json:"level"`
	Tags           []string `json:"tags,omitempty"`
	FalsePositives []string `json:"falsepositives,omitempty"`
	References     []string `json:"references,omitempty"`
}

// Object names a log object.
type Object struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// Run reaches from one event to another in the order of correlations.
type Run struct {
	First Mark `json:"first"`
	Last  Mark `json:"last"`
}

// Mark is the place of an event in the order of correlations: by time, then by
// identity.
type Mark struct {
	Time    time.Time `json:"time"`
	EventID string    `json:"event_id"`
}

// Compare orders marks as correlations order events.
func (m Mark) Compare(o Mark) int {
	if c := m.Time.Compare(o.Time); c != 0 {
		return c
	}
	switch {
	case m.EventID < o.EventID:
		return -1
	case m.EventID > o.EventID:
		return 1
	}
	return 0
}
