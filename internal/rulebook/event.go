package rulebook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/trailbell/trailbell/internal/cloudtrail"
)

// Event is a record to be explained.
type Event struct {
	Record []byte
	// Number of the record, from 1, and how many there were to choose from.
	Number, Of int
	// First are the first ten of those, as "eventID  eventTime  eventName".
	First []string
}

// Choice says which of several records to take.
type Choice struct {
	// EventID is that of the record; empty is any.
	EventID string
	// Prefer, without an EventID, chooses the first record that it likes, or
	// else the very first. Nil likes all.
	Prefer func(record []byte) bool
}

// Bounds of what is looked at and said.
const (
	maxFirst = 10
	// maxLookup is far above what lookup-events returns in one page, which is 50
	// events.
	maxLookup = 32 << 20
)

// ReadEvent reads a record as a scan would read it: from a log file of
// CloudTrail, compressed or not, from lines of records, or a record alone; and
// what `aws cloudtrail lookup-events` prints, where each record is JSON text in
// a string. The name is for errors.
func ReadEvent(r io.Reader, name string, choice Choice) (Event, error) {
	content, err := cloudtrail.Open(r, cloudtrail.OpenOptions{})
	if err != nil {
		return Event{}, inFile(name, err)
	}
	defer func() { _ = content.Close() }()
	head, err := io.ReadAll(io.LimitReader(content, maxLookup))
	if err != nil {
		return Event{}, inFile(name, err)
	}
	chooser := chooser{Choice: choice}
	bad := ""
	if records := lookedUp(head); len(records) > 0 {
		for _, record := range records {
			chooser.consider([]byte(record))
		}
	} else if bad, err = chooser.cut(io.MultiReader(bytes.NewReader(head), content)); err != nil {
		return Event{}, inFile(name, err)
	}
	e := chooser.Event
	switch {
	case chooser.invalid > 0 && e.Record == nil:
		return Event{}, fmt.Errorf("%s: record %d is not valid JSON", name, chooser.invalid)
	case e.Record != nil:
		return e, nil
	case e.Of > 0:
		return Event{}, fmt.Errorf("%s: none of %s has the eventID %q", name, count(e.Of, "record", "records"), choice.EventID)
	case bad != "":
		return Event{}, fmt.Errorf("%s: there is no record in it: %s", name, bad)
	}
	return Event{}, fmt.Errorf("%s: there is no record in it", name)
}

// inFile says of a file what package cloudtrail says of an object in a bucket.
func inFile(name string, err error) error {
	if format, ok := errors.AsType[*cloudtrail.FormatError](err); ok {
		return fmt.Errorf("%s: %s (at byte %d)", name, strings.Replace(format.Reason, "the object", "the file", 1), format.Offset)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// lookedUp returns the records in the output of lookup-events, or in one event
// of it; none when it is something else.
func lookedUp(text []byte) []string {
	if !gjson.ValidBytes(text) {
		return nil
	}
	root := gjson.ParseBytes(text)
	events := root.Get("Events").Array()
	if len(events) == 0 {
		events = []gjson.Result{root}
	}
	var records []string
	for _, e := range events {
		if record := e.Get("CloudTrailEvent"); record.Type == gjson.String {
			records = append(records, record.Str)
		}
	}
	return records
}

// chooser looks at records one by one.
type chooser struct {
	Choice
	Event
	invalid int  // the number of the first record asked for that is not JSON
	decided bool // no other record can be better
}

// cut looks at the records of a log file. It returns a reason why something in
// it is no record, too.
func (c *chooser) cut(r io.Reader) (bad string, err error) {
	cutter := cloudtrail.NewCutter(r, cloudtrail.CutterOptions{Bad: func(b cloudtrail.BadRecord) error {
		bad = b.Reason
		return nil
	}})
	for {
		slice, err := cutter.Next()
		if err == io.EOF {
			return bad, nil
		}
		if err != nil {
			return bad, err
		}
		for i := range slice.Starts {
			c.consider(slice.Record(i))
		}
	}
}

func (c *chooser) consider(record []byte) {
	c.Of++
	found := gjson.GetManyBytes(record, "eventID", "eventTime", "eventName")
	if len(c.First) < maxFirst {
		c.First = append(c.First, fmt.Sprintf("%s  %s  %s", found[0], found[1], found[2]))
	}
	if c.decided || c.EventID != "" && found[0].String() != c.EventID {
		return
	}
	if !gjson.ValidBytes(record) {
		if c.invalid == 0 {
			c.invalid = c.Of
		}
		c.decided = c.Prefer == nil || c.EventID != ""
		return
	}
	c.decided = c.EventID != "" || c.Prefer == nil || c.Prefer(record)
	if c.decided || c.Record == nil {
		c.Record, c.Number = slices.Clone(record), c.Of
	}
}
