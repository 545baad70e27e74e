package sigma_test

import (
	"fmt"
	"log"
	"testing/fstest"

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
			for _, hit := range correlation.Hits(nil, []*sigma.CompiledRule{rule}, record) {
				fmt.Println("counts for", correlation.Meta().Name, hit.Key)
			}
		}
	}
	// Output:
	// high Trail stopped
	// counts for many_trails_stopped [arn:aws:iam::111122223333:user/mallory]
}

// A correlation over a correlation: what a record counts for, from the
// outermost level inwards.
func ExampleCompiledCorrelation_Hits() {
	collection, errs := sigma.Parse("rules.yml", []byte(rules+`
---
title: Trails stopped, then a user made
name: stopped_then_made
correlation:
  type: temporal_ordered
  rules: [many_trails_stopped, user_made]
  group-by: [recipientAccountId]
  timespan: 1h
---
title: User made
name: user_made
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: CreateUser}
  condition: selection
`))
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	set, errs := sigma.Compile(collection, sigma.Options{})
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	record := []byte(`{"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
		"recipientAccountId": "111122223333", "userIdentity": {"arn": "arn:aws:iam::111122223333:user/mallory"}}`)
	matched := set.Candidates("cloudtrail.amazonaws.com", "StopLogging").AppendMatches(nil, record)

	chain := set.Correlations()[0]
	fmt.Println(chain.Meta().Name, "of", chain.Rules())
	for _, hit := range chain.Hits(nil, matched, record) {
		for _, count := range hit.Counts {
			fmt.Printf("level %d: group %s, inputs %b\n", count.Level, count.Group, count.Inputs)
		}
	}
	// Output:
	// stopped_then_made of [many_trails_stopped user_made]
	// level 0: group [111122223333], inputs 1
	// level 1: group [arn:aws:iam::111122223333:user/mallory], inputs 1
}

func ExampleFilter() {
	collection, errs := sigma.Parse("rules.yml", []byte(rules+`
---
title: Nobody minds alice
logsource: {product: aws, service: cloudtrail}
filter:
  rules: any
  alice:
    userIdentity.userName: alice
  condition: not alice
`))
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	set, errs := sigma.Compile(collection, sigma.Options{})
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	for _, user := range []string{"alice", "bob"} {
		record := fmt.Appendf(nil, `{"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
			"userIdentity": {"userName": %q}}`, user)
		matched := set.Candidates("cloudtrail.amazonaws.com", "StopLogging").AppendMatches(nil, record)
		fmt.Println(user, len(matched))
	}
	// Output:
	// alice 0
	// bob 1
}

func ExampleLoad() {
	fsys := fstest.MapFS{
		"rules/trail.yml":      {Data: []byte(rules)},
		"rules/trail.test.yml": {Data: []byte("cases: []")},
		"rules/windows.yml":    {Data: []byte("title: Registry\nlogsource: {product: windows}\ndetection: {s: {Image: reg}, condition: s}")},
		"rules/broken.yml":     {Data: []byte("title: Broken\nlogsource: {product: aws}\ndetection: {s: {eventName: x}, condition: t}")},
	}
	collection, errs := sigma.Load(fsys, "rules")
	for _, err := range errs {
		fmt.Println(err)
	}
	fmt.Println(len(collection.Rules), "rule,", len(collection.Correlations), "correlation")
	for _, skipped := range collection.Skipped {
		fmt.Println(skipped.Title+":", skipped.Reason)
	}
	// Output:
	// rules/broken.yml:3:43: rule "Broken": condition: no detection is called "t"; write one of s
	// 1 rule, 1 correlation
	// Registry: its logsource has product "windows", not aws
}

func ExampleSet_Warnings() {
	collection, errs := sigma.Parse("rules.yml", []byte(`title: Trail stopped
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventSource: cloudtrail
  filter_terraform:
    userAgent|contains: terraform
  condition: selection
`))
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	set, errs := sigma.Compile(collection, sigma.Options{})
	if len(errs) > 0 {
		log.Fatal(errs)
	}
	for _, warning := range set.Warnings() {
		fmt.Printf("line %d: %s\n", warning.Line, warning.Msg)
	}
	// Output:
	// line 5: selection "selection": field "eventSource": CloudTrail has no source "cloudtrail"; write the name of a service in full, such as "cloudtrail.amazonaws.com"
	// line 6: selection "filter_terraform": the condition does not use it; write "selection and not filter_terraform"
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
