package sigma

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Random rules on random records: an explanation comes to the answer of the
// matcher, its parts add up, and it is never without a reason.
func TestExplainAgreesWithTheMatcher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawRule(t, "rule")
		for i := range rapid.IntRange(0, 2).Draw(t, "filters") {
			filter := strings.Replace(drawRule(t, fmt.Sprintf("filter %d", i)), "detection:", "filter:\n  rules: any", 1)
			text += "---\n" + filter
		}
		c, errs := Parse("r.yml", []byte(text))
		if len(errs) > 0 {
			t.Fatalf("%s\n%v", text, errs)
		}
		set, errs := Compile(c, Options{Placeholders: referencePlaceholders})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		record, err := json.Marshal(drawRecord(t))
		if err != nil {
			t.Fatal(err)
		}
		rule := set.Rules()[0]
		e := set.Explain(rule, record)
		candidates := set.Candidates(typeOf(string(record)))
		if matches := len(candidates.AppendMatches(nil, record)) > 0; e.Matches != matches {
			t.Fatalf("%s\non %s\nmatches: %v, the explanation says %v", text, record, matches, e.Matches)
		}
		if tried := candidates.Len() > 0; tried == (e.RuledOut != nil) {
			t.Fatalf("%s\non %s\ntried: %v, the explanation says %v", text, record, tried, e.RuledOut)
		}
		if (e.Reason() == "") != e.Matches {
			t.Fatalf("%s\non %s\nmatches: %v, because %q", text, record, e.Matches, e.Reason())
		}
		addUp(t, e.Condition)
	})
}

func addUp(t *rapid.T, p Part) {
	all, some := true, false
	for _, q := range p.Parts {
		all, some = all && q.Holds, some || q.Holds
		addUp(t, q)
	}
	want := some
	switch {
	case p.Kind == PartItem:
		if len(p.Wanted) == 0 {
			t.Fatalf("%q wants nothing", p.Text)
		}
		return
	case p.Kind == PartNot:
		want = !some
	case p.Kind == PartAnd, p.Kind == PartEntry, p.Kind == PartOf && strings.HasPrefix(p.Text, "all"),
		p.Kind == PartDetection && p.Parts[0].Kind != PartEntry:
		want = all
	}
	if p.Holds != want {
		t.Fatalf("%s %q holds: %v, its parts %+v", p.Kind, p.Text, p.Holds, p.Parts)
	}
}

const explained = `title: Rule
logsource: {product: aws}
detection:
  selection:
    eventSource: [ec2.amazonaws.com, iam.amazonaws.com]
    eventName: [RunInstances, CreateUser]
  alternatives:
    - userIdentity.type: Root
    - userIdentity.userName|startswith: [adm, root]
    - {userIdentity.type: IAMUser, sourceIPAddress: 192.0.2.1}
  exception:
    userAgent|contains|all: [terraform, linux]
  same: {a|fieldref: b.c}
  condition: selection and alternatives and not exception
`

func explain(t *testing.T, text, record string) Explanation {
	t.Helper()
	c, errs := Parse("r.yml", []byte(text))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, errs := Compile(c, Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return set.Explain(set.Rules()[0], []byte(record))
}

func TestExplainShowsEveryPart(t *testing.T) {
	e := explain(t, explained, `{"eventSource": "iam.amazonaws.com", "eventName": "createuser", "userIdentity": {"type": "IAMUser", "userName": "root"}, "userAgent": ["terraform", 5]}`)
	want := Part{Kind: PartAnd, Text: "selection and alternatives and (not exception)", Holds: true, Parts: []Part{
		{Kind: PartDetection, Text: "selection", Line: 4, Holds: true, Parts: []Part{
			{Kind: PartItem, Text: "eventSource", Line: 5, Holds: true, Found: []string{`"iam.amazonaws.com"`},
				Wanted: []Wanted{{Text: "ec2.amazonaws.com"}, {Text: "iam.amazonaws.com", Holds: true}}},
			{Kind: PartItem, Text: "eventName", Line: 6, Holds: true, Found: []string{`"createuser"`},
				Wanted: []Wanted{{Text: "RunInstances"}, {Text: "CreateUser", Holds: true}}},
		}},
		{Kind: PartDetection, Text: "alternatives", Line: 7, Holds: true, Parts: []Part{
			{Kind: PartEntry, Line: 8, Parts: []Part{
				{Kind: PartItem, Text: "userIdentity.type", Line: 8, Found: []string{`"IAMUser"`}, Wanted: []Wanted{{Text: "Root"}}},
			}},
			{Kind: PartEntry, Line: 9, Holds: true, Parts: []Part{
				{Kind: PartItem, Text: "userIdentity.userName|startswith", Line: 9, Holds: true, Found: []string{`"root"`},
					Wanted: []Wanted{{Text: "adm"}, {Text: "root", Holds: true}}},
			}},
			{Kind: PartEntry, Line: 10, Parts: []Part{
				{Kind: PartItem, Text: "userIdentity.type", Line: 10, Holds: true, Found: []string{`"IAMUser"`}, Wanted: []Wanted{{Text: "IAMUser", Holds: true}}},
				{Kind: PartItem, Text: "sourceIPAddress", Line: 10, Wanted: []Wanted{{Text: "192.0.2.1"}}},
			}},
		}},
		{Kind: PartNot, Text: "not exception", Holds: true, Parts: []Part{
			{Kind: PartDetection, Text: "exception", Line: 11, Parts: []Part{
				{Kind: PartItem, Text: "userAgent|contains|all", Line: 12, All: true, Found: []string{`["terraform", 5]`},
					Wanted: []Wanted{{Text: "terraform", Holds: true}, {Text: "linux"}}},
			}},
		}},
	}}
	want.Text = e.Condition.Text // what it is written like is the condition's own test
	if diff := cmp.Diff(want, e.Condition); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !e.Matches || e.RuledOut != nil || e.Reason() != "" {
		t.Errorf("%+v", e)
	}
}

func TestReasonNamesWhatDecided(t *testing.T) {
	for _, tc := range []struct{ record, want string }{
		{`{"eventSource": "s3.amazonaws.com", "eventName": "RunInstances"}`, "eventSource is s3.amazonaws.com, the rule wants ec2.amazonaws.com or iam.amazonaws.com"},
		{`{"eventSource": "ec2.amazonaws.com", "eventName": "StopInstances"}`, "eventName is StopInstances, the rule wants CreateUser or RunInstances"},
		{`{"eventName": "RunInstances"}`, "selection: eventSource wants ec2.amazonaws.com or iam.amazonaws.com, the field is absent"},
		{`{"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "userIdentity": {"type": "IAMUser"}}`,
			`alternatives: none of its 3 entries holds; of that in line 10, sourceIPAddress wants 192.0.2.1, the field is absent`},
		{`{"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "userIdentity": {"type": "Root"}, "userAgent": "terraform on linux"}`,
			"exception holds, which it must not"},
	} {
		if e := explain(t, explained, tc.record); e.Reason() != tc.want || e.Matches {
			t.Errorf("%s\n got %q\nwant %q", tc.record, e.Reason(), tc.want)
		}
	}
	for condition, want := range map[string]string{
		"same":                       "same: a|fieldref wants b.c (5 and 6), the record has 7",
		"1 of a*":                    "alternatives: none of its 3 entries holds; of that in line 8, userIdentity.type wants Root, the field is absent",
		"same or exception":          "none of same and exception holds; same: a|fieldref wants b.c (5 and 6), the record has 7",
		"all of them":                "selection: eventSource wants ec2.amazonaws.com or iam.amazonaws.com, the field is absent",
		"not (not same)":             "same: a|fieldref wants b.c (5 and 6), the record has 7",
		"not (1 of s* or not same)":  "same: a|fieldref wants b.c (5 and 6), the record has 7",
		"exception and alternatives": "exception: userAgent|contains|all wants terraform and linux, the field is absent",
	} {
		text := explained[:strings.Index(explained, "  condition")] + "  condition: " + condition + "\n"
		if got := explain(t, text, `{"a": 7, "b": [{"c": 5}, {"c": 6}]}`); got.Reason() != want {
			t.Errorf("%s\n got %q\nwant %q", condition, got.Reason(), want)
		}
	}
}

func TestAFilterIsAReason(t *testing.T) {
	text := explained + `---
title: Not from the office
logsource: {product: aws}
filter:
  rules: [Rule]
  office: {sourceIPAddress|cidr: 192.0.2.0/24}
  users: {eventName: CreateUser}
  condition: not office and users
`
	text = strings.Replace(text, "title: Rule\n", "title: Rule\nname: Rule\n", 1)
	e := explain(t, text, `{"eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "userIdentity": {"type": "Root"}, "sourceIPAddress": "192.0.2.7"}`)
	if want := `filter "Not from the office": office holds, which it must not`; e.Matches || e.Reason() != want {
		t.Errorf("got %q, want %q", e.Reason(), want)
	}
	// It narrows what the rule is tried on.
	if got := e.Rule.Names(); len(got) != 1 || got[0] != "CreateUser" {
		t.Errorf("tried on %v", got)
	}
}

func TestExplanationsAreBounded(t *testing.T) {
	var values, found []string
	for i := range 1000 {
		values = append(values, fmt.Sprintf("value%d", i))
		found = append(found, fmt.Sprintf(`{"f": %q}`, strings.Repeat("é", 300)))
	}
	text := "title: R\nlogsource: {product: aws}\ndetection: {s: {l.f: [" + strings.Join(values, ", ") + "]}, condition: s}"
	e := explain(t, text, `{"l": [`+strings.Join(found, ",")+`]}`)
	item := e.Condition.Parts[0]
	if len(item.Wanted) != maxWanted || item.MoreWanted != 1000-maxWanted || len(item.Found) != maxFound || item.MoreFound != 1000-maxFound {
		t.Errorf("%d and %d wanted, %d and %d found", len(item.Wanted), item.MoreWanted, len(item.Found), item.MoreFound)
	}
	if n := len([]rune(item.Found[0])); n != maxFoundText+1 {
		t.Errorf("a value is shown with %d characters", n)
	}
	if r := e.Reason(); len(r) > 2000 || !strings.HasPrefix(r, "s: l.f wants value0, value1, value2 or 48 more, the record has ") {
		t.Errorf("the reason is %d bytes: %.200s", len(r), r)
	}
}

func TestPinsAreSpelledAsInTheRule(t *testing.T) {
	rule := explain(t, explained, `{}`).Rule
	if diff := cmp.Diff([]string{"ec2.amazonaws.com", "iam.amazonaws.com"}, rule.Sources()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"CreateUser", "RunInstances"}, rule.Names()); diff != "" {
		t.Error(diff)
	}
	open := explain(t, "title: R\nlogsource: {product: aws}\ndetection: {s: {eventName|contains: Delete}, condition: s}", `{}`).Rule
	if open.Sources() != nil || open.Names() != nil {
		t.Errorf("pinned to %v and %v", open.Sources(), open.Names())
	}
}

func TestAnExplanationHasTheFilters(t *testing.T) {
	set, errs := compileText(t, small("a", "")+filtering("f", "any", "not sel"), Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	e := set.Explain(set.Rules()[0], []byte(`{"eventName": "a", "userAgent": "terraform/1.9"}`))
	if e.Matches || e.Reason() != `filter "Filter f": sel holds, which it must not` || e.Condition.Text != "sel and not sel" {
		t.Errorf("matches: %v, because %q in %q", e.Matches, e.Reason(), e.Condition.Text)
	}
	if e := set.Explain(set.Rules()[0], []byte(`{"eventName": "a"}`)); !e.Matches || e.Condition.Parts[1].Filter != "Filter f" {
		t.Errorf("does not match, because %q", e.Reason())
	}
}
