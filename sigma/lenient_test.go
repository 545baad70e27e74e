package sigma

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What only people read costs nobody a rule, whatever form it has.
func TestMetadataIsReadInAnyForm(t *testing.T) {
	const rule = `title: T
logsource: {product: aws}
detection: {sel: {eventName: a}, condition: sel}
level:
status: [test, stable]
author:
  name: me
description: {What: it does}
tags: {attack: t1078}
falsepositives:
  - Unlikely: by a person
  - plain
  - [one, two]
  -
references: https://example.com
`
	set, errs := compileText(t, rule, Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	got := *set.Rules()[0].Meta()
	want := Meta{
		ID: got.ID, Title: "T", File: "r.yml", Line: 1, Level: Medium,
		Status: "test, stable", Author: "name: me", Description: "What: it does",
		Tags:           []string{"attack: t1078"},
		FalsePositives: []string{"Unlikely: by a person", "plain", "one, two"},
		References:     []string{"https://example.com"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var warnings []string
	for _, w := range set.Warnings() {
		warnings = append(warnings, w.Error())
	}
	const write = `; write one text, in quotes if it has a colon in it`
	said := []string{
		`r.yml:5:9: rule "T": status: a list is read as "test, stable"` + write,
		`r.yml:7:3: rule "T": author: a map is read as "name: me"` + write,
		`r.yml:8:14: rule "T": description: a map is read as "What: it does"` + write,
		`r.yml:9:7: rule "T": tags: a map is read as "attack: t1078"` + write,
		`r.yml:11:5: rule "T": falsepositives: a map is read as "Unlikely: by a person"` + write,
		`r.yml:13:5: rule "T": falsepositives: a list is read as "one, two"` + write,
	}
	if diff := cmp.Diff(said, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestAnEmptyLevelIsLeftOut(t *testing.T) {
	for _, level := range []string{"", "null", "~", "''"} {
		set, errs := compileText(t, small("a", "level: "+level+"\n"), Options{})
		if len(errs) > 0 || set.Rules()[0].Meta().Level != Medium || len(set.Warnings()) > 0 {
			t.Errorf("level %q: %v, %v", level, errs, set.Warnings())
		}
	}
	for _, level := range []string{"!high", "&high", "[]", "{}"} {
		if _, errs := Parse("r.yml", []byte(small("a", "level: "+level+"\n"))); len(errs) == 0 {
			t.Errorf("level %s is no error", level)
		}
	}
}

func TestAnEmptyConditionOfATemporalTypeIsLeftOut(t *testing.T) {
	text := small("a", "") + small("b", "") + "---\ntitle: C\ncorrelation:\n  type: temporal\n  rules: [a, b]\n  timespan: 5m\n  group-by: []\n  condition:\n  generate: true\n"
	set, errs := compileText(t, text, Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if got := set.Correlations()[0].Condition(); got != "gte: 2" {
		t.Errorf("condition %q", got)
	}
	if _, errs := Parse("r.yml", []byte(strings.Replace(text, "temporal", "event_count", 1))); len(errs) != 1 {
		t.Errorf("of another type: %v", errs)
	}
}

func TestAFilterForAListOfAny(t *testing.T) {
	for _, rules := range []string{"[any]", "[ANY]", "[all]", "[]", "any"} {
		c, errs := Parse("r.yml", []byte(filtering("f", rules, "not sel")))
		if len(errs) > 0 || !c.Filters[0].Any || len(c.Filters[0].Rules) > 0 {
			t.Errorf("%s: %v", rules, errs)
		}
	}
	c, errs := Parse("r.yml", []byte(filtering("f", "[any, a]", "not sel")))
	if len(errs) > 0 || c.Filters[0].Any || len(c.Filters[0].Rules) != 2 {
		t.Errorf("a list with more: %v", errs)
	}
}

func TestYAML12(t *testing.T) {
	c, errs := Parse("r.yml", []byte("%YAML 1.2\n"+small("a", "")+"...\n%YAML 1.2\n"+small("b", "")))
	if len(errs) > 0 || len(c.Rules) != 2 || c.Rules[1].Line != 10 {
		t.Errorf("%d rules, errors %v", len(c.Rules), errs)
	}
}

func TestPlaceholdersThatNoRuleCanName(t *testing.T) {
	_, errs := compileText(t, small("a", ""), Options{Placeholders: map[string][]string{
		"Admin_1": {"x"}, "größe": {"x"}, "%admins%": {"x"}, "two words": {"x"}, "": {"x"},
	}})
	const write = `; write letters, digits and "_" only, without percent signs`
	want := []string{
		`placeholders: no rule can name ""` + write,
		`placeholders: no rule can name "%admins%"` + write,
		`placeholders: no rule can name "two words"` + write,
	}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
