package correlate_test

import (
	"fmt"
	"log"
	"time"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/correlate"
)

const rules = `
title: Console login failure
name: console_login_failure
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: ConsoleLogin, responseElements.ConsoleLogin: Failure}
  condition: selection
level: low
---
title: Console brute force
name: console_brute_force
correlation:
  type: event_count
  rules: [console_login_failure]
  group-by: [sourceIPAddress]
  timespan: 6m
  condition: {gte: 3}
generate: true
level: high
`

func Example() {
	collection, errs := sigma.Parse("rules.yml", []byte(rules))
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	set, errs := sigma.Compile(collection, sigma.Options{})
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	failure := []byte(`{"eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin",
		"sourceIPAddress": "203.0.113.7", "responseElements": {"ConsoleLogin": "Failure"}}`)
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

	c := correlate.New(set)
	// The one in the middle comes last, and the first comes twice.
	for _, minute := range []int{0, 6, 0, 3} {
		at := start.Add(time.Duration(minute) * time.Minute)
		for _, rule := range c.Add(failure, at, fmt.Sprintf("event at minute %d", minute)) {
			fmt.Println(rule.Meta().Name, "at minute", minute)
		}
	}
	for _, e := range c.Episodes() {
		fmt.Println(e.Correlation.Meta().Name, e.Group, len(e.Events), "events,", e.Last.Sub(e.First))
	}
	// Output:
	// console_login_failure at minute 0
	// console_login_failure at minute 6
	// console_login_failure at minute 3
	// console_brute_force [203.0.113.7] 3 events, 6m0s
}
