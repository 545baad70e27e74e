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
		{"a merge key without a map", rule("  sel: {x: y, <<: word}\n  condition: sel\n"),
			`r.yml:4:19: rule "T": selection "sel": what is merged must be a map, not "word"`},
		{"a map merged into itself", rule("  sel: &a {x: y, <<: *a}\n  condition: sel\n"),
			`r.yml:4:8: rule "T": selection "sel": what is merged: more than 16 merge keys follow each other`},
		{"a list", "- a\n", `r.yml:1:1: a rule is a map that begins with "title: …", not a list; several rules of a file are separated by lines of "---"`},
		{"a word", "rules\n", `r.yml:1:1: a rule is a map that begins with "title: …", not "rules"; several rules of a file are separated by lines of "---"`},
		{"a tab", "title: T\ndetection:\n\tsel: {a: b}\n", `r.yml:3:1: a tab; indent with spaces`},
		{"a tab after spaces", "title: T\ndetection:\n  sel:\n  \ta: b\n", `r.yml:4:3: a tab; indent with spaces`},
		{"a tab after a dash", "title: T\nx:\n  -\ta\n  -\tb\n", `r.yml:3:4: a tab; indent with spaces`},
		{"a tab that ends a list", "title: T\nx:\n  - a\n\t- b\n", `r.yml:4:1: a tab; indent with spaces`},
		{"a value that begins with @", "title: @T\n", `r.yml:1:8: not YAML: quote a value that starts with '@', as in '@T'`},
		{"a value that begins with %", rule("  sel:\n    eventName|expand: %name%\n"), `r.yml:5:23: not YAML: quote a value that starts with '%', as in '%name%'`},
		{"a value that begins with a backquote", rule("  sel:\n    eventName: `x` y # z\n"), "r.yml:5:16: not YAML: quote a value that starts with '`', as in '`x` y'"},
		{"a value that begins with *", rule("  sel:\n    eventName: *Get*\n"), `r.yml:5:16: not YAML: quote a value that starts with '*', as in '*Get*'`},
		{"a list with one that begins with *", rule("  sel:\n    eventName:\n      - Put*\n      - *Object, or it's parts\n"), `r.yml:7:9: not YAML: quote a value that starts with '*', as in '*Object, or it''s parts'`},
		{"a list in brackets with one that begins with *", rule("  sel: {eventName: [Put*, *Object, x]}\n"), `r.yml:4:27: not YAML: quote a value that starts with '*', as in '*Object'`},
		{"one that begins with * after one in quotes", rule("  sel:\n    eventName: ['*Put', *Get*]\n"), `r.yml:5: not YAML: quote a value that starts with * or &`},
		{"an alias that is none", rule("  sel:\n    eventSource: x\n    eventName: *Get\n"), `r.yml:6:16: not YAML: quote a value that starts with '*', as in '*Get'`},
		{"a star alone", "title: *\n", `r.yml:1:8: not YAML: quote a value that starts with '*', as in '*'`},
		{"a value that begins with &", rule("  sel:\n    eventName: & x\n"), `r.yml:5:16: not YAML: quote a value that starts with '&', as in '& x'`},
		{"a value that is an anchor", rule("  sel:\n    eventName: &x\n  condition: sel\n"), `r.yml:5:16: rule "T": selection "sel": field "eventName": quote a value that starts with '&', as in '&x'`},
		{"a value that is a tag", rule("  sel:\n    eventName: !x y\n  condition: sel\n"), `r.yml:5:16: rule "T": selection "sel": field "eventName": quote a value that starts with '!', as in '!x y'`},
		{"a tag that is none", rule("  sel:\n    eventName: !x{y}\n  condition: sel\n"), `r.yml:5:16: not YAML: quote a value that starts with '!', as in '!x{y}'`},
		{"a value that begins with >", rule("  sel:\n    eventName: > x\n"), `r.yml:5:16: not YAML: quote a value that starts with '>', as in '> x'`},
		{"a title that is a tag", "title: !T\n" + header[9:] + "  sel: {a: b}\n  condition: sel\n", `r.yml:1:8: title: quote a value that starts with '!', as in '!T'`},
		{"a collection of Sigma 1", "action: global\ntitle: T\nlevel: high\n---\nlogsource: {product: aws}\ndetection: {sel: {a: b}, condition: sel}\n---\nlogsource: {product: aws}\n",
			`r.yml:1:1: "action: global" is of Sigma 1, and this file is read no further; write title, logsource and detection into each rule, and an "id" of its own`},
		{"a regular expression in double quotes", "title: \"\\d\"\n", `r.yml: not YAML: a backslash in double quotes is an escape; write the value in single quotes`},
		{"a Windows path in double quotes", "title: \"C:\\Users\"\n", `r.yml: not YAML: a backslash in double quotes is an escape; write the value in single quotes`},
		{"a control character", "title: T\nname: a\x01\n", `r.yml:2:8: a control character; remove it, or write it as an escape in double quotes`},
		{"Latin 1", "title: T\xe4\n", `r.yml: the file is not UTF-8; save it as UTF-8`},
		{"UTF-16 without a mark", "t\x00i\x00t\x00l\x00e\x00:\x00 \x00T\x00", `r.yml: the file is UTF-16 without a byte order mark; save it as UTF-8`},
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

func TestFilesOfOtherEditorsAreRead(t *testing.T) {
	text := rule("  sel: {eventName: é}\n  condition: sel\n")
	utf16le := "\xff\xfe"
	for _, r := range text {
		utf16le += string([]byte{byte(r), byte(r >> 8)})
	}
	for name, file := range map[string]string{
		"Windows line ends":      strings.ReplaceAll(text, "\n", "\r\n"),
		"a byte order mark":      "\ufeff" + text,
		"UTF-16 with a mark":     utf16le,
		"documents of all kinds": "---\r\n" + text + "---\r\n\r\n---\r\ncases: []\r\n",
	} {
		c, errs := Parse("r.yml", []byte(file))
		if len(errs) > 0 || len(c.Rules) != 1 || c.Rules[0].Detections[0].Alternatives[0][0].Values[0].Text != "é" {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

func TestADirectoryThatHoldsNoRules(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.test.yml", "cases: []\n")
	_, errs := LoadPath(dir)
	if len(errs) != 1 || errs[0].Error() != dir+": no *.yml or *.yaml in or below this directory" {
		t.Errorf("errors: %v", errs)
	}
}

func TestLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/real", rule("  sel: {a: b}\n  condition: sel\n"))
	for link, target := range map[string]string{"file.yml": "real", "loop.yml": "loop.yml", "tree": ".", "dangling": "nowhere", "gone.yml": "nowhere"} {
		if err := os.Symlink(target, dir+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	c, errs := LoadPath(dir)
	var messages []string
	for _, err := range errs {
		messages = append(messages, strings.ReplaceAll(err.Error(), dir, "DIR"))
	}
	if diff := cmp.Diff([]string{
		"DIR/gone.yml: cannot be read: no such file or directory",
		"DIR/loop.yml: cannot be read: too many levels of symbolic links",
		"DIR/tree: a link to a directory, which is not followed; name the directory itself beside the other paths, or replace the link",
	}, messages); diff != "" || len(c.Rules) != 1 {
		t.Errorf("%d rules, errors (-want +got):\n%s", len(c.Rules), diff)
	}
}

func TestBrokenDocumentsAreRemembered(t *testing.T) {
	c, _ := Parse("r.yml", []byte("id: one\n"+rule("  sel: {a|nope: b}\n  condition: sel\n")+"---\ntitle: C\nname: two\ncorrelation: {}\n"))
	var names []string
	for _, m := range c.Broken {
		names = append(names, m.Title+" "+m.ID[:3]+" "+m.Name)
	}
	if diff := cmp.Diff([]string{"T one ", "C " + c.Broken[1].ID[:3] + " two"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
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
		{"{product: aws, service: cloudtrail, category: cloud}", true},
		{"{service: cloudtrail, category: cloud}", false},
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

func TestMergeKeysBringWhatIsNotThere(t *testing.T) {
	c, errs := Parse("r.yml", []byte(rule("  a: &a {x: one, y: two}\n  b: &b {y: three, z: four}\n  sel:\n    <<: [*a, *b]\n    x: own\n  condition: sel and a and b\n")))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	got := map[string]string{}
	for _, item := range c.Rules[0].Detections[2].Alternatives[0] {
		got[item.Field] = item.Values[0].Text
	}
	if diff := cmp.Diff(map[string]string{"x": "own", "y": "two", "z": "four"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
