package ruletest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// event is an entry of "events" with all of its changes made, but for what
// differs between its repeats.
type event struct {
	// number counts the entries of the case from 1.
	number  int
	records []map[string]any
	at      *moment
	repeat  int
	every   time.Duration
	// sameID says that the test gave the eventID, so that repeats are
	// duplicates.
	sameID bool
}

// moment is an offset to a time, or a time.
type moment struct {
	offset   time.Duration
	absolute time.Time
}

func (m *moment) from(origin time.Time) time.Time {
	switch {
	case m == nil:
		return origin
	case m.absolute.IsZero():
		return origin.Add(m.offset)
	}
	return m.absolute
}

// numbered stands for an eventID that is given when the records of a case are
// counted.
type numbered struct{}

// delivery is one record as it arrives.
type delivery struct {
	event  int // the number of its entry
	record []byte
	time   time.Time
	id     string
}

// deliveries makes the records of a case, in the order of arrival.
func (c *Case) deliveries() ([]delivery, error) {
	var all []delivery
	for _, e := range c.events {
		for i := range e.repeat {
			for _, record := range e.records {
				d, err := e.deliver(record, i, len(all)+1)
				if err != nil {
					return nil, fmt.Errorf("event %d: %w", e.number, err)
				}
				all = append(all, d)
			}
		}
	}
	return all, nil
}

// deliver makes repeat i of a record, which is number n of the case.
func (e *event) deliver(record map[string]any, i, n int) (delivery, error) {
	d := delivery{event: e.number, time: start}
	if text, ok := record["eventTime"].(string); ok {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return d, err // the reader has looked at it
		}
		d.time = at
	}
	d.time = e.at.from(d.time).Add(time.Duration(i) * e.every)

	final := make(map[string]any, len(record)+2)
	for key, value := range record {
		final[key] = value
	}
	if _, ok := record["eventTime"]; !ok || e.at != nil || e.every != 0 {
		final["eventTime"] = d.time.UTC().Format(time.RFC3339Nano)
	}
	switch id := record["eventID"].(type) {
	case numbered:
		final["eventID"] = fmt.Sprintf("event-%04d", n)
	case string:
		if i > 0 && !e.sameID {
			final["eventID"] = fmt.Sprintf("%s-%d", id, i+1)
		}
	}
	d.id = identity(final, n)
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // group values may be JSON text
	err := encoder.Encode(final)
	d.record = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return d, err
}

// identity is the eventID of a record; of an addendum that updates an earlier
// record the eventID of that one; of a record that has neither its place, which
// is its number here.
func identity(record map[string]any, n int) string {
	if addendum, ok := record["addendum"].(map[string]any); ok && addendum["reason"] == "UPDATED_DATA" {
		if id, ok := addendum["originalEventID"].(string); ok && id != "" {
			return id
		}
	}
	if id, ok := record["eventID"].(string); ok && id != "" {
		return id
	}
	return fmt.Sprintf("record-%04d", n)
}

// change sets or removes what a dotted path leads to. A part that is a number
// is an index where the path is at a list, and a key where it is not.
type change struct {
	path   *yaml.Node
	value  any
	remove bool
}

func (c change) apply(record map[string]any) error {
	parts := strings.Split(c.path.Value, ".")
	for _, part := range parts {
		if part == "" {
			return fmt.Errorf("%q is not a path; write names and indexes with one dot between, as in requestParameters.items.0.name", c.path.Value)
		}
	}
	if c.remove {
		_, err := remove(record, parts, 0)
		return err
	}
	_, err := set(record, parts, 0, clone(c.value))
	return err
}

// set returns the value with parts[k:] set in it.
func set(value any, parts []string, k int, to any) (any, error) {
	if k == len(parts) {
		return to, nil
	}
	switch value := value.(type) {
	case nil:
		return set(map[string]any{}, parts, k, to)
	case map[string]any:
		child, err := set(value[parts[k]], parts, k+1, to)
		value[parts[k]] = child
		return value, err
	case []any:
		i, err := index(value, parts, k)
		if err != nil {
			return value, err
		}
		if i == len(value) {
			value = append(value, nil)
		}
		value[i], err = set(value[i], parts, k+1, to)
		return value, err
	}
	return value, fmt.Errorf("%s cannot be set: %s is %v, which has nothing in it", strings.Join(parts, "."), strings.Join(parts[:k], "."), value)
}

// remove returns the value without what parts[k:] lead to in it.
func remove(value any, parts []string, k int) (any, error) {
	missing := fmt.Errorf("without: the record has no %s", strings.Join(parts, "."))
	last := k == len(parts)-1
	switch value := value.(type) {
	case map[string]any:
		child, ok := value[parts[k]]
		switch {
		case !ok:
			return value, missing
		case last:
			delete(value, parts[k])
			return value, nil
		}
		child, err := remove(child, parts, k+1)
		value[parts[k]] = child
		return value, err
	case []any:
		i, err := index(value, parts, k)
		switch {
		case err != nil:
			return value, err
		case i == len(value):
			return value, missing
		case last:
			return append(value[:i], value[i+1:]...), nil
		}
		value[i], err = remove(value[i], parts, k+1)
		return value, err
	}
	return value, missing
}

// index reads parts[k] as an index of a list; one behind the end is where a
// new entry goes.
func index(list []any, parts []string, k int) (int, error) {
	i, err := strconv.Atoi(parts[k])
	if err != nil || i < 0 || i > len(list) {
		return 0, fmt.Errorf("%s: %s is a list of %d; write an index from 0 to %d instead of %q, the last for a new entry",
			strings.Join(parts, "."), strings.Join(parts[:k], "."), len(list), len(list), parts[k])
	}
	return i, nil
}

// clone copies objects and lists.
func clone(value any) any {
	switch value := value.(type) {
	case map[string]any:
		object := make(map[string]any, len(value))
		for key, v := range value {
			object[key] = clone(v)
		}
		return object
	case []any:
		list := make([]any, len(value))
		for i, v := range value {
			list[i] = clone(v)
		}
		return list
	}
	return value
}
