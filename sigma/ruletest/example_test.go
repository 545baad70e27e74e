package ruletest_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/ruletest"
)

func Example() {
	rules := fstest.MapFS{
		"trail.yml": {Data: []byte(`
title: Trail stopped
name: trail_stopped
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventSource: cloudtrail.amazonaws.com, eventName: [StopLogging, DeleteTrail]}
  condition: selection
`)},
		"trail.test.yml": {Data: []byte(`
event: {eventSource: cloudtrail.amazonaws.com, eventName: StopLogging}
cases:
  - name: logging is stopped
    events: [{}]
    rings: [{rule: trail_stopped}]
  - name: a trail is changed
    events:
      - with: {eventName: UpdateTrail}
    rings: [{rule: trail_stopped}]
`)},
	}
	collection, errs := sigma.Load(rules, ".")
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	tests, errs := ruletest.Load(rules, ".")
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	runner, errs := ruletest.New(collection, sigma.Options{})
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	for r := range runner.Results(context.Background(), tests) {
		fmt.Printf("%s:%d %s: %v\n", r.File, r.Line, r.Case, r.Passed())
		for _, d := range r.Differences {
			fmt.Println("   ", d)
		}
	}
	// Output:
	// trail.test.yml:4 logging is stopped: true
	// trail.test.yml:7 a trail is changed: false
	//     trail_stopped: want 1 match, got nothing, since of no. 1 eventName is UpdateTrail, the rule wants DeleteTrail or StopLogging
}
