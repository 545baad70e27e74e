package alert

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Limits bound what an alert carries.
type Limits struct {
	Records     int
	RecordBytes int // of all records together
	EventIDs    int
}

// DefaultLimits are 20 records, 256 KiB of them, and 10,000 identities.
func DefaultLimits() Limits { return Limits{Records: 20, RecordBytes: 256 << 10, EventIDs: 10_000} }

// MaxEventIDBytes bounds the identities together, as JSON writes them, since that
// of a record without an eventID is as long as the key of its object.
const MaxEventIDBytes = 1 << 20

// AddRecord adds a record as evidence, with the object that it came from. It
// reports false, and adds nothing, if the record would exceed a limit or is not
// valid JSON. The record is copied; bytes that are not UTF-8 become U+FFFD,
// so that an alert can be read by anything that reads JSON.
func (a *Alert) AddRecord(record []byte, from Object, l Limits) bool {
	record = bytes.ToValidUTF8(record, []byte("\uFFFD"))
	size := len(record)
	for _, r := range a.Records {
		size += len(r)
	}
	if len(a.Records) >= l.Records || size > l.RecordBytes || !json.Valid(record) {
		return false
	}
	a.Records = append(a.Records, record)
	if !slices.Contains(a.Objects, from) {
		a.Objects = append(a.Objects, from)
	}
	return true
}

// ClipEventIDs returns the identities that an alert lists of all in order: all
// of them if there are at most limit and at most MaxEventIDBytes, else as many
// of the first and of the last as fit, half and half. Both ends tell most: how
// it began, and how it stands. Clipping what has been clipped changes nothing.
func ClipEventIDs(all []string, limit int) []string {
	size := 0
	for _, id := range all {
		size += encoded(id)
	}
	if len(all) <= limit && size <= MaxEventIDBytes {
		return all
	}
	head, tail, size := 0, len(all), 0
	for n := 0; n < limit && head < tail; n++ {
		next := all[head]
		if n%2 == 1 {
			next = all[tail-1]
		}
		if size += encoded(next); size > MaxEventIDBytes {
			break
		}
		if n%2 == 1 {
			tail--
		} else {
			head++
		}
	}
	return append(slices.Clone(all[:head]), all[tail:]...)
}

// encoded is how many bytes JSON takes for a text, at most.
func encoded(s string) int {
	n := 0
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			n += len(`\u0000`)
		} else {
			n++
		}
	}
	return n
}

// cutText is the length in bytes of a text that Cut leaves.
const cutText = 1024

// Cut returns the alert without its records, and with no more than the beginning
// of each text that its records gave it: so it fits where the whole does not.
func (a Alert) Cut() Alert {
	for _, text := range []*string{&a.Account, &a.Region, &a.Actor, &a.SourceIP, &a.SourceCountry} {
		*text = beginning(*text)
	}
	group := a.Group
	if group != nil {
		a.Group = make(map[string]string, len(group))
	}
	for field, value := range group {
		a.Group[field] = beginning(value)
	}
	a.Records, a.Objects = nil, nil
	return a
}

func beginning(text string) string {
	if len(text) <= cutText {
		return text
	}
	return strings.ToValidUTF8(text[:cutText], "") + "…"
}
