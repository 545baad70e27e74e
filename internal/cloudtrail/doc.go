// Package cloudtrail knows the format of AWS CloudTrail logs: the keys of
// their objects, the borders of the records inside them, and the few fields of
// a record that every stage needs. It is pure: no network, no queue, no clock.
package cloudtrail
