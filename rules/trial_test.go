package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/trailbell/trailbell/sigma"
)

// trial is a file NAME.test.yml beside a rule file NAME.yml.
type trial struct {
	// Event is the base record of every event of the file.
	Event map[string]any `yaml:"event"`
	Cases []trialCase    `yaml:"cases"`
}

// trialCase says what rings for some events. A rule of the file beside that is
// not listed must not ring. A rule of another file is looked at only when it is
// listed, and so is a rule that a correlation of the file counts.
type trialCase struct {
	Name   string       `yaml:"name"`
	Events []trialEvent `yaml:"events"`
	Rings  []ring       `yaml:"rings"`
}

// trialEvent is the base record with changes.
type trialEvent struct {
	// At is added to the base's eventTime.
	At time.Duration `yaml:"at"`
	// With sets values by dotted paths.
	With map[string]any `yaml:"with"`
	// Without removes values by dotted paths.
	Without []string `yaml:"without"`
}

// ring is a rule that matches Count events (1 when left out), or a correlation
// that has an episode of Count events for a group.
type ring struct {
	Rule  string            `yaml:"rule"`
	Count int               `yaml:"count"`
	Group map[string]string `yaml:"group"`
}

func (r ring) String() string {
	fields := make([]string, 0, len(r.Group))
	for field, value := range r.Group {
		fields = append(fields, field+"="+value)
	}
	sort.Strings(fields)
	return fmt.Sprintf("%s x%d %s", r.Rule, r.Count, strings.Join(fields, " "))
}

func readTrial(data []byte) (*trial, error) {
	var t trial
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&t); err != nil {
		return nil, err
	}
	if len(t.Cases) == 0 {
		return nil, fmt.Errorf("there are no cases")
	}
	return &t, nil
}

// event is one record of a case, as the pipeline would know it.
type event struct {
	time   time.Time
	id     string
	record []byte
}

func (t *trial) event(i int, change trialEvent) (event, error) {
	record, err := cloneMap(t.Event)
	if err != nil {
		return event{}, err
	}
	record["eventID"] = fmt.Sprintf("event-%d", i)
	for path, value := range change.With {
		set(record, strings.Split(path, "."), value)
	}
	for _, path := range change.Without {
		if !remove(record, strings.Split(path, ".")) {
			return event{}, fmt.Errorf("without: the record has no %s", path)
		}
	}
	at, err := time.Parse(time.RFC3339, fmt.Sprint(record["eventTime"]))
	if err != nil {
		return event{}, err
	}
	at = at.Add(change.At)
	record["eventTime"] = at.Format(time.RFC3339)
	data, err := json.Marshal(record)
	return event{at, record["eventID"].(string), data}, err
}

func cloneMap(m map[string]any) (map[string]any, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	clone := map[string]any{}
	return clone, json.Unmarshal(data, &clone)
}

func set(record map[string]any, path []string, value any) {
	if len(path) == 1 {
		record[path[0]] = value
		return
	}
	child, ok := record[path[0]].(map[string]any)
	if !ok {
		child = map[string]any{}
		record[path[0]] = child
	}
	set(child, path[1:], value)
}

func remove(record map[string]any, path []string) bool {
	value, ok := record[path[0]]
	if len(path) == 1 {
		delete(record, path[0])
		return ok
	}
	child, ok := value.(map[string]any)
	return ok && remove(child, path[1:])
}

// run returns what rings for the events of a case.
func run(set *sigma.Set, events []event) []ring {
	counts := map[string]int{}
	groups := map[*sigma.CompiledCorrelation]map[string][]event{}
	values := map[string][]string{}
	for _, e := range events {
		var hot struct{ EventSource, EventName string }
		if err := json.Unmarshal(e.record, &hot); err != nil {
			panic(err) // it was made by this file
		}
		for _, rule := range set.Candidates(hot.EventSource, hot.EventName).AppendMatches(nil, e.record) {
			counts[rule.Meta().Name]++
			for _, c := range rule.Feeds() {
				group, ok := c.Group(e.record, nil)
				if !ok {
					continue
				}
				key := strings.Join(group, "\x00")
				values[key] = group
				if groups[c] == nil {
					groups[c] = map[string][]event{}
				}
				groups[c][key] = append(groups[c][key], e)
			}
		}
	}
	var rings []ring
	for name, count := range counts {
		rings = append(rings, ring{Rule: name, Count: count})
	}
	for c, byGroup := range groups {
		for key, events := range byGroup {
			for _, size := range episodes(c, events) {
				r := ring{Rule: c.Meta().Name, Count: size, Group: map[string]string{}}
				for i, field := range c.GroupBy() {
					r.Group[field] = values[key][i]
				}
				rings = append(rings, r)
			}
		}
	}
	return rings
}

// episodes returns the number of events of each maximal run of consecutive
// events at which the condition holds for the closed window that ends there.
// It is slow and plain: the window engine has tests of its own.
func episodes(c *sigma.CompiledCorrelation, events []event) []int {
	slices.SortFunc(events, func(a, b event) int {
		if d := a.time.Compare(b.time); d != 0 {
			return d
		}
		return strings.Compare(a.id, b.id)
	})
	events = slices.CompactFunc(events, func(a, b event) bool { return a.id == b.id })
	var sizes []int
	inside := map[string]bool{} // of the open episode
	for i, last := range events {
		var window []string
		for _, e := range events[:i+1] {
			if last.time.Sub(e.time) <= c.Timespan() {
				window = append(window, e.id)
			}
		}
		if !c.Holds(len(window)) {
			inside = map[string]bool{}
			continue
		}
		if len(inside) == 0 {
			sizes = append(sizes, 0)
		}
		for _, id := range window {
			inside[id] = true
		}
		sizes[len(sizes)-1] = len(inside)
	}
	return sizes
}
