package sigma_test

import (
	"fmt"
	"log"

	"github.com/trailbell/trailbell/sigma"
)

const rules = `
title: Trail stopped
name: trail_stopped
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventSource: cloudtrail.amazonaws.com
    eventName: [StopLogging, DeleteTrail]
  by_terraform:
    userAgent|contains: terraform
  condition: selection and not by_terraform
level: high
---
title: Many trails stopped
name: many_trails_stopped
correlation:
  type: event_count
  rules: [trail_stopped]
  group-by: [userIdentity.arn]
  timespan: 10m
  condition: {gte: 3}
generate: true
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
	record := []byte(`{"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
		"userAgent": "aws-cli/2", "userIdentity": {"arn": "arn:aws:iam::111122223333:user/mallory"}}`)

	candidates := set.Candidates("cloudtrail.amazonaws.com", "StopLogging")
	for _, rule := range candidates.AppendMatches(nil, record) {
		fmt.Println(rule.Meta().Level, rule.Meta().Title)
		for _, correlation := range rule.Feeds() {
			group, ok := correlation.Group(record, nil)
			fmt.Println("counts for", correlation.Meta().Name, group, ok)
		}
	}
	// Output:
	// high Trail stopped
	// counts for many_trails_stopped [arn:aws:iam::111122223333:user/mallory] true
}

func ExampleParse_error() {
	_, errs := sigma.Parse("rules/trail.yml", []byte(`title: Trail stopped
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName|contians: Logging
  condition: selection
`))
	for _, err := range errs {
		fmt.Println(err)
	}
	// Output:
	// rules/trail.yml:5:5: rule "Trail stopped": selection "selection": unknown modifier "contians"; did you mean "contains"?
}

func ExampleField() {
	record := []byte(`{"resources": [{"ARN": "arn:aws:s3:::one"}, {"ARN": "arn:aws:s3:::two"}]}`)
	for _, value := range sigma.Field(record, "resources.ARN") {
		fmt.Println(value)
	}
	// Output:
	// arn:aws:s3:::one
	// arn:aws:s3:::two
}

func ExampleSet_Explain() {
	collection, errs := sigma.Parse("rules.yml", []byte(rules))
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	set, errs := sigma.Compile(collection, sigma.Options{})
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	e := set.Explain(set.Rules()[0], []byte(`{"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
		"userAgent": "APN/1.0 HashiCorp/1.0 Terraform/1.9"}`))
	fmt.Println(e.Matches, "because", e.Reason())
	for _, part := range e.Condition.Parts {
		fmt.Println(part.Holds, part.Text)
	}
	// Output:
	// false because by_terraform holds, which it must not
	// true selection
	// false not by_terraform
}
