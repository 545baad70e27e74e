package correlate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/correlate"
)

const pulls = `
title: Pull
name: pull
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: Pull}, condition: selection}
---
title: Many pulls
name: many
correlation: {type: event_count, rules: [pull], timespan: 5m, condition: {gte: 3}}
---
title: A pull
name: any
correlation: {type: event_count, rules: [pull], timespan: 5m, condition: {gte: 1}}
---
title: Outer
name: outer
correlation:
  type: %s
  rules: [many, any]
  timespan: 5m
  aliases: {size: {many: in, any: out}}
  condition: {field: size, %s}
`

// A correlation that is counted and does not hold at a record adds no value of
// it, in whatever field it has it.
func TestOnlyWhatOccursAddsValues(t *testing.T) {
	for _, tt := range []struct {
		kind, condition string
		records, rings  int
	}{
		{"value_sum", "gte: 7", 1, 1}, // out alone
		{"value_sum", "gte: 8", 1, 0},
		{"value_sum", "gte: 23", 3, 1}, // and in of the third alone
		{"value_sum", "gte: 24", 3, 0},
		{"value_count", "gte: 2", 2, 0},
		{"value_count", "gte: 2", 3, 1},
	} {
		collection, errs := sigma.Parse("rules.yml", fmt.Appendf(nil, pulls, tt.kind, tt.condition))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		set, errs := sigma.Compile(collection, sigma.Options{})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		c := correlate.New(set)
		for i := range tt.records {
			c.Add([]byte(`{"eventName": "Pull", "in": 2, "out": 7}`), time.Unix(int64(i), 0), fmt.Sprint(i))
		}
		if got := len(c.Episodes()); got != tt.rings {
			t.Errorf("%s, %s: %d records ring %d times, want %d", tt.kind, tt.condition, tt.records, got, tt.rings)
		}
	}
}
