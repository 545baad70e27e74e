// Package correlator runs the rules over the records and keeps the alerts.
//
//	EVENTS -> matcher -> ALERTS    detections: one rule, one record
//	             |
//	             +-----> MATCHES -> window owner -> ALERTS    correlations
//
// Matching has no state, and any number of matchers share the work. Windows
// have: their state is a fold over MATCHES, and one owner of each partition keeps
// ALERTS equal to it, see [Run].
package correlator
