package sigma

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// header makes a detection rule of the lines that matter to a test; the
// detection starts in line 4.
const header = "title: T\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n"

func rule(detection string) string { return header + detection }

func TestErrorsSayWhereAndWhatToWrite(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"a misspelt modifier", rule("  sel:\n    eventName|contians: x\n  condition: sel\n"),
			`r.yml:5:5: rule "T": selection "sel": unknown modifier "contians"; did you mean "contains"?`},
		{"a modifier without a name", rule("  sel:\n    eventName|: x\n  condition: sel\n"),
			`r.yml:5:5: rule "T": selection "sel": "eventName|" has nothing after a "|"`},
		{"two places at once", rule("  sel:\n    eventName|startswith|endswith: x\n  condition: sel\n"),
			`r.yml:5:5: rule "T": selection "sel": modifier "endswith" cannot be combined with "startswith"; write two items, or "contains" for text anywhere`},
		{"a flag without a regular expression", rule("  sel:\n    eventName|i: x\n  condition: sel\n"),
			`r.yml:5:5: rule "T": selection "sel": modifier "i" belongs after "re", as in "field|re|i"`},
		{"a regular expression that is none", rule("  sel:\n    eventName|re: '('\n  condition: sel\n"),
			"r.yml:5:19: rule \"T\": selection \"sel\": field \"eventName\": \"(\" is not a regular expression that Go can match: missing closing ): `(`"},
		{"exists with a word", rule("  sel:\n    errorCode|exists: yes please\n  condition: sel\n"),
			`r.yml:5:23: rule "T": selection "sel": field "errorCode": modifier "exists" takes true or false, not "yes please"`},
		{"null with a string modifier", rule("  sel:\n    errorCode|contains: null\n  condition: sel\n"),
			`r.yml:5:25: rule "T": selection "sel": field "errorCode": null stands for an absent field and takes no string modifier; write '' for an empty string`},
		{"a nested map", rule("  sel:\n    userIdentity:\n      type: Root\n  condition: sel\n"),
			`r.yml:6:7: rule "T": selection "sel": field "userIdentity": a value must be a string, a number, true, false or null, not a map; for a nested field write "userIdentity.name: value"`},
		{"an empty list of values", rule("  sel:\n    eventName: []\n  condition: sel\n"),
			`r.yml:5:16: rule "T": selection "sel": field "eventName" has an empty list of values, which nothing can match`},
		{"a field twice", rule("  sel:\n    eventName: a\n    eventName: b\n  condition: sel\n"),
			`r.yml:6:5: rule "T": selection "sel": key "eventName" is there twice, first in line 5; write a list of values, or use the modifier "all"`},
		{"a field with two dots", rule("  sel:\n    a..b: x\n  condition: sel\n"),
			`r.yml:5:5: rule "T": selection "sel": field "a..b" has an empty part; write names with one dot between, as in "userIdentity.type"`},
		{"an empty selection", rule("  sel: {}\n  condition: sel\n"),
			`r.yml:4:8: rule "T": selection "sel" is empty; write fields and values, or remove it`},
		{"a condition over nothing of that name", rule("  selection: {a: b}\n  condition: selektion\n"),
			`r.yml:5:14: rule "T": condition: no detection is called "selektion"; did you mean "selection"?`},
		{"a condition that ends early, in quotes", rule("  sel: {a: b}\n  condition: 'sel and'\n"),
			`r.yml:5:22: rule "T": condition: the condition ends where a detection is expected`},
		{"an aggregation of Sigma 1", rule("  sel: {a: b}\n  condition: sel | count() > 5\n"),
			`r.yml:5:18: rule "T": condition: "|" is not part of Sigma 2 conditions; write a correlation document to count events`},
		{"no condition", rule("  sel: {a: b}\n"),
			`r.yml:4:3: rule "T": detection: there is no "condition"; write "condition: selection" with the name of a detection`},
		{"an empty condition", rule("  sel: {a: b}\n  condition: ''\n"),
			`r.yml:5:15: rule "T": condition: the condition is empty; write the name of a detection, as in "condition: selection"`},
		{"a level that is none", "level: hihg\n" + rule("  sel: {a: b}\n  condition: sel\n"),
			`r.yml:1:8: rule "T": level: "hihg" is not a level; did you mean "high"?`},
		{"no title", "logsource: {product: aws}\ndetection: {sel: {a: b}, condition: sel}\n",
			`r.yml:1:1: the rule has no "title"`},
		{"no logsource", "title: T\ndetection: {sel: {a: b}, condition: sel}\n",
			`r.yml:1:1: rule "T": the rule has no "logsource"; write "logsource: {product: aws, service: cloudtrail}"`},
		{"not YAML", "title: T\n  bad: [\n",
			`r.yml:2: not YAML: mapping values are not allowed in this context`},
		{"a filter document", "title: F\nfilter: {rules: any}\n",
			`r.yml:2:9: rule "F": filter documents are not supported by this version; put the exception into the rule, as in "condition: selection and not exception"`},
		{"a merge key", rule("  sel: &a {x: y}\n  other:\n    <<: *a\n  condition: sel\n"),
			`r.yml:6:5: rule "T": selection "other": YAML merge keys are not part of Sigma; write the members out`},
		{"a list", "- a\n", `r.yml:1:1: a rule must be a map, not a list`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, errs := Parse("r.yml", []byte(tt.file))
			if len(errs) != 1 || errs[0].Error() != tt.want {
				t.Fatalf("errors:\n%v\nwant:\n%s", errs, tt.want)
			}
			if len(c.Rules) != 0 {
				t.Errorf("the broken rule was loaded")
			}
		})
	}
}

func TestCorrelationErrors(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"a type of a later version", "{type: value_count, rules: [x], timespan: 5m, condition: {gte: 1, field: a}}",
			`correlation.type: "value_count" is not supported by this version, which counts events only; write event_count`},
		{"a misspelt type", "{type: event_cuont, rules: [x], timespan: 5m, condition: {gte: 1}}",
			`correlation.type: "event_cuont" is not a correlation type; did you mean "event_count"?`},
		{"no type", "{rules: [x], timespan: 5m, condition: {gte: 1}}", `correlation: there is no "type"; write "type: event_count"`},
		{"a misspelt key", "{type: event_count, rules: [x], group_by: [a], timespan: 5m, condition: {gte: 1}}",
			`correlation: unknown key "group_by"; did you mean "group-by"?`},
		{"no rules", "{type: event_count, timespan: 5m, condition: {gte: 1}}", `correlation: there are no "rules"; write a list of ids or names of rules`},
		{"no timespan", "{type: event_count, rules: [x], condition: {gte: 1}}", `correlation: there is no "timespan"; write one such as "timespan: 5m"`},
		{"a timespan without a unit", "{type: event_count, rules: [x], timespan: 360, condition: {gte: 1}}",
			`correlation.timespan: "360" is not a timespan; write a number and a unit out of s, m, h, d, w, as in "5m"`},
		{"a timespan of two units", "{type: event_count, rules: [x], timespan: 1h30m, condition: {gte: 1}}",
			`correlation.timespan: "1h30m" is not a timespan; write a number and a unit out of s, m, h, d, w, as in "5m"`},
		{"no time at all", "{type: event_count, rules: [x], timespan: 0s, condition: {gte: 1}}",
			`correlation.timespan: "0s" is no time at all; write a number and a unit out of s, m, h, d, w, as in "5m"`},
		{"more time than a number holds", "{type: event_count, rules: [x], timespan: 99999999999w, condition: {gte: 1}}",
			`correlation.timespan: "99999999999w" is too long`},
		{"no condition", "{type: event_count, rules: [x], timespan: 5m}", `correlation: there is no "condition"; write one such as "condition: {gte: 5}"`},
		{"an empty condition", "{type: event_count, rules: [x], timespan: 5m, condition: {}}",
			`correlation.condition: there is no comparison; write one such as {gte: 5}`},
		{"an unknown comparison", "{type: event_count, rules: [x], timespan: 5m, condition: {get: 5}}",
			`correlation.condition: unknown comparison "get"; did you mean "gt"?`},
		{"a count that is none", "{type: event_count, rules: [x], timespan: 5m, condition: {gte: -1}}",
			`correlation.condition: "-1" is not a count; write a whole number, 0 or more`},
		{"a range without a number in it", "{type: event_count, rules: [x], timespan: 5m, condition: {gt: 4, lt: 5}}",
			`correlation.condition: no count can be gt: 4, lt: 5`},
		{"aliases", "{type: event_count, rules: [x], timespan: 5m, condition: {gte: 1}, aliases: {}}",
			`correlation: "aliases" are not supported by this version; group by a field that all rules have`},
		{"a field twice in group-by", "{type: event_count, rules: [x], group-by: [a, a], timespan: 5m, condition: {gte: 1}}",
			`correlation.group-by: field "a" is there twice`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := Parse("r.yml", []byte("title: C\ncorrelation: "+tt.body+"\n"))
			if len(errs) != 1 {
				t.Fatalf("errors: %v", errs)
			}
			got := errs[0].(*Error)
			if got.Msg != tt.want || got.Line != 2 || got.Rule != "C" {
				t.Errorf("got  %v\nwant r.yml:2:…: rule \"C\": %s", got, tt.want)
			}
		})
	}
}

func TestAllErrorsOfARuleAreReported(t *testing.T) {
	_, errs := Parse("r.yml", []byte(rule("  a:\n    x|foo: 1\n    y|bar: 2\n  condition: b\n")))
	var lines []int
	for _, err := range errs {
		lines = append(lines, err.(*Error).Line)
	}
	if diff := cmp.Diff([]int{5, 6, 7}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestLoadReadsATree(t *testing.T) {
	good := func(title string) string {
		return strings.Replace(rule("  sel: {a: b}\n  condition: sel\n"), "title: T", "title: "+title, 1)
	}
	fsys := fstest.MapFS{
		"rules/a.yml":               {Data: []byte(good("A") + "---\n" + good("A2") + "---\n")},
		"rules/a.test.yml":          {Data: []byte("cases: []\n")},
		"rules/broken.yml":          {Data: []byte(rule("  sel: {a|nope: b}\n  condition: sel\n"))},
		"rules/deep/er/b.yaml":      {Data: []byte(good("B"))},
		"rules/..2026/c.yml":        {Data: []byte(good("hidden by its folder"))},
		"rules/.d.yml":              {Data: []byte(good("hidden"))},
		"rules/readme.md":           {Data: []byte("# not a rule")},
		"rules/empty.yml":           {Data: nil},
		"rules/large.yml":           {Data: []byte("# " + strings.Repeat("x", MaxFileSize))},
		"rules/windows/process.yml": {Data: []byte("title: W\nlevel: who knows\nlogsource: {product: windows}\ndetection: {s: {a|later: b}, condition: s}\n")},
	}
	c, errs := Load(fsys, "rules")
	var titles, skipped, messages []string
	for _, r := range c.Rules {
		titles = append(titles, r.Title)
	}
	for _, s := range c.Skipped {
		skipped = append(skipped, s.Title+": "+s.Reason)
	}
	for _, err := range errs {
		messages = append(messages, err.Error())
	}
	if diff := cmp.Diff([]string{"A", "A2", "B"}, titles); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`W: its logsource has product "windows", not aws`}, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		`rules/broken.yml:4:9: rule "T": selection "sel": unknown modifier "nope"; the most used are contains, startswith, endswith, all, re, cidr and exists`,
		"rules/large.yml: cannot be read: the file is larger than 1048576 bytes; split it",
	}, messages); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestLoadPathNamesFilesAsAsked(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/x.yml", rule("  sel: {a|nope: b}\n  condition: sel\n"))
	for _, asked := range []string{dir, dir + "/x.yml"} {
		_, errs := LoadPath(asked)
		if len(errs) != 1 || errs[0].(*Error).File != dir+"/x.yml" {
			t.Errorf("LoadPath(%s): %v", asked, errs)
		}
	}
	_, errs := LoadPath(dir + "/none")
	if len(errs) != 1 || errs[0].Error() != dir+"/none: cannot be read: no such file or directory" {
		t.Errorf("a path that is not there: %v", errs)
	}
}

func TestLogSourceDecides(t *testing.T) {
	for _, tt := range []struct {
		source string
		ours   bool
	}{
		{"{product: aws, service: cloudtrail}", true},
		{"{product: AWS, service: CloudTrail}", true},
		{"{product: aws}", true},
		{"{service: cloudtrail}", true},
		{"{product: aws, service: cloudtrail, definition: data events}", true},
		{"{product: aws, service: guardduty}", false},
		{"{product: azure, service: activitylogs}", false},
		{"{product: aws, category: firewall}", false},
		{"{category: process_creation}", false},
	} {
		c, errs := Parse("r.yml", []byte("title: T\nlogsource: "+tt.source+"\ndetection: {sel: {a: b}, condition: sel}\n"))
		if len(errs) != 0 || (len(c.Rules) == 1) != tt.ours || (len(c.Skipped) == 1) == tt.ours {
			t.Errorf("%s: %d rules, %d skipped, %v", tt.source, len(c.Rules), len(c.Skipped), errs)
		}
	}
}

func TestMetaIsRead(t *testing.T) {
	c, errs := Parse("r.yml", []byte(`
title: T
id: 0e95725d-7320-415d-80f7-004da920fc11
name: n
description: |
  two
  lines
status: test
author: me
level: high
tags: [attack.t1078, attack.t1098]
falsepositives: one
references:
  - https://example.com/
an_unknown_key: {is: allowed}
logsource: {product: aws}
detection: {sel: {a: b}, condition: sel}
`))
	if len(errs) != 0 || len(c.Rules) != 1 {
		t.Fatal(errs)
	}
	want := Meta{
		ID: "0e95725d-7320-415d-80f7-004da920fc11", Name: "n", Title: "T", Description: "two\nlines\n", Status: "test", Author: "me", Level: High,
		Tags: []string{"attack.t1078", "attack.t1098"}, FalsePositives: []string{"one"}, References: []string{"https://example.com/"},
		File: "r.yml", Line: 2,
	}
	if diff := cmp.Diff(want, c.Rules[0].Meta); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Alerts are compared across runs and machines by these ids.
func TestDerivedIDsStayTheSame(t *testing.T) {
	for _, tt := range []struct{ head, want string }{
		{"title: T\n", "e527214b-88c5-5087-bf41-f02df19a6611"},
		{"title: T\nname: n\n", "841ab761-4d78-5e6e-a799-dd652982637a"},
		{"title: another\nname: n\n", "841ab761-4d78-5e6e-a799-dd652982637a"},
	} {
		c, _ := Parse("r.yml", []byte(tt.head+"logsource: {product: aws}\ndetection: {sel: {a: b}, condition: sel}\n"))
		if got := c.Rules[0].ID; got != tt.want {
			t.Errorf("%q: id %s, want %s", tt.head, got, tt.want)
		}
	}
}

func TestAliasesAreFollowedWithinABound(t *testing.T) {
	c, errs := Parse("r.yml", []byte(rule("  sel: {eventName: &names [a, b]}\n  other: {eventSource: *names}\n  condition: sel\n")))
	if len(errs) != 0 || len(c.Rules[0].Detections[1].Alternatives[0][0].Values) != 2 {
		t.Errorf("an alias for a list of values: %v", errs)
	}
	bomb := "  list: {a: &v [" + strings.Repeat("x,", 1000) + "x]}\n"
	bomb += "  many: [" + strings.Repeat("{a: *v},", 1000) + "{a: *v}]\n  condition: list\n"
	_, errs = Parse("r.yml", []byte(rule(bomb)))
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "more than 200000 values") {
		t.Errorf("a small file that stands for a million values: %v", errs)
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
