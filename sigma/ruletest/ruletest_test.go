package ruletest_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/ruletest"
)

const stopped = `title: Trail stopped
name: trail_stopped
id: 3f6f3f9e-2f5c-4f0e-8a58-0d8f4a6f7b11
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventSource: cloudtrail.amazonaws.com, eventName: [StopLogging, DeleteTrail]}
  number: {count: 5}
  long: {big: 12345678901234567890}
  typed: {on: true, off: null}
  listed: {list.x: third}
  terraform: {userAgent|contains: terraform}
  condition: (selection or number or long or typed or listed) and not terraform
---
title: Many trails stopped
name: many_trails_stopped
correlation:
  type: event_count
  rules: [trail_stopped]
  group-by: [recipientAccountId, region]
  timespan: 10m
  condition: {gte: 3}
`

const base = `event: {eventTime: "2026-03-02T08:00:00Z", eventSource: cloudtrail.amazonaws.com, eventName: StopLogging, recipientAccountId: 012345678901, region: eu}
`

// run runs tests beside the rules above and says how each case came out.
func run(t *testing.T, files map[string]string) string {
	t.Helper()
	fsys := fstest.MapFS{"trail/stopped.yml": {Data: []byte(stopped)}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	c, errs := sigma.Load(fsys, ".")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	tests, errs := ruletest.Load(fsys, ".")
	runner, more := ruletest.New(c, sigma.Options{})
	if len(more) > 0 {
		t.Fatal(more)
	}
	var b strings.Builder
	for _, err := range errs {
		fmt.Fprintln(&b, err)
	}
	for r := range runner.Results(t.Context(), tests) {
		if r.Passed() {
			fmt.Fprintf(&b, "ok %s\n", r.Case)
			continue
		}
		fmt.Fprintf(&b, "FAIL %s:%d:%d %s\n", r.File, r.Line, r.Column, r.Case)
		if r.Err != nil {
			fmt.Fprintf(&b, "  %v\n", r.Err)
		}
		for _, d := range r.Differences {
			fmt.Fprintf(&b, "  %s\n", d)
		}
	}
	untested, silent := runner.Unrung(tests)
	for _, m := range untested {
		fmt.Fprintf(&b, "untested %s\n", m.Title)
	}
	for _, m := range silent {
		fmt.Fprintf(&b, "silent %s\n", m.Title)
	}
	return b.String()
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCases(t *testing.T) {
	for _, tc := range []struct{ name, events, want string }{
		{"the base as it is", "events: [{}], rings: [{rule: trail_stopped}]", "ok\n"},
		{"the short form", "events: [{}], rings: [trail_stopped]", "ok\n"},
		{"by id", "events: [{}], rings: [3f6f3f9e-2f5c-4f0e-8a58-0d8f4a6f7b11]", "ok\n"},
		{"by title", "events: [{}], rings: [Trail stopped]", "ok\n"},
		{"nothing rings", "events: [{with: {eventName: StartLogging}}]", "ok\n"},
		{"nothing rings, in words", "events: [{with: {eventName: StartLogging}}], rings: []", "ok\n"},
		{"what is not listed must not ring", "events: [{}]",
			"FAIL\n  trail_stopped: want nothing, got 1 match (no. 1)\n"},
		{"what is listed must", "events: [{with: {userAgent: terraform}}], rings: [trail_stopped]",
			"FAIL\n  trail_stopped: want 1 match, got nothing, since of no. 1 terraform holds, which it must not\n"},
		{"another count", "events: [{}, {without: eventName}, {}], rings: [{rule: trail_stopped, count: 3}]",
			"FAIL\n  trail_stopped: want 3 matches, got 2 matches (no. 1, 3)\n"},

		{"a number stays a number", "events: [{with: {eventName: x, count: 5}}], rings: [trail_stopped]", "ok\n"},
		{"a long one too", "events: [{with: {eventName: x, big: 12345678901234567890}}], rings: [trail_stopped]", "ok\n"},
		{"another long one", "events: [{with: {eventName: x, big: 12345678901234567891}}]", "ok\n"},
		{"a boolean and null", "events: [{with: {eventName: x, on: true, off: null}}], rings: [trail_stopped]", "ok\n"},
		{"another boolean", "events: [{with: {eventName: x, on: false, off: null}}]", "ok\n"},
		{"not null", "events: [{with: {eventName: x, on: true, off: ''}}]", "ok\n"},

		{"a path through a list", "events: [{with: {eventName: x, list: [{x: first}, {x: second}], list.1.x: third}}], rings: [trail_stopped]", "ok\n"},
		{"behind its end", "events: [{with: {eventName: x, list: [], list.0.x: third}}], rings: [trail_stopped]", "ok\n"},
		{"out of it", "events: [{with: {eventName: x, list: [{x: third}]}, without: [list.0]}]", "ok\n"},
		{"out of an entry", "events: [{with: {eventName: x, list: [{x: third}]}, without: [list.0.x]}]", "ok\n"},

		{"a whole record", "events: [{record: {eventSource: cloudtrail.amazonaws.com, eventName: DeleteTrail}}], rings: [trail_stopped]", "ok\n"},
		{"a whole record has nothing of the base", "events: [{record: {eventName: DeleteTrail}}]", "ok\n"},
		{"a record with changes", "events: [{record: {}, with: {count: 5}}], rings: [trail_stopped]", "ok\n"},
		{"a file", "events: [{file: delete.json}], rings: [trail_stopped]", "ok\n"},
		{"a log file", "events: [{file: log.json}], rings: [{rule: trail_stopped, count: 2, first_seen: '2026-03-02T09:00:00Z', last_seen: '2026-03-02T09:00:30Z'}]", "ok\n"},

		{"an episode", "events: [{}, {at: 5m}, {at: 10m}], rings: [{rule: trail_stopped, count: 3}, {rule: many_trails_stopped, count: 3, group: {recipientAccountId: '012345678901', region: eu}, first_seen: 0s, last_seen: 10m}]", "ok\n"},
		{"out of order", "events: [{at: 10m}, {}, {at: 5m}], rings: [{rule: trail_stopped, count: 3}, many_trails_stopped]", "ok\n"},
		{"one second too far apart", "events: [{}, {at: 5m}, {at: 601s}], rings: [{rule: trail_stopped, count: 3}]", "ok\n"},
		{"absolute times", "events: [{at: '2026-03-03T00:00:00Z'}, {at: '2026-03-03T02:05:00+02:00'}, {at: '2026-03-03T00:10:00Z'}], rings: [{rule: trail_stopped, count: 3}, {rule: many_trails_stopped, first_seen: '2026-03-03T00:00:00Z', last_seen: 16h10m}]", "ok\n"},
		{"other times", "events: [{}, {at: 5m}, {at: 10m}], rings: [{rule: trail_stopped, count: 3}, {rule: many_trails_stopped, last_seen: 11m}]",
			"FAIL\n  many_trails_stopped: want an episode to 11m, got an episode of 3 events (no. 1 to 3) for recipientAccountId=012345678901, region=eu from 0s to 10m\n"},
		{"a repeat", "events: [{repeat: 3, every: 5m}], rings: [{rule: trail_stopped, count: 3}, {rule: many_trails_stopped, count: 3}]", "ok\n"},
		{"a repeat that is too slow", "events: [{repeat: 3, every: 301s}], rings: [{rule: trail_stopped, count: 3}]", "ok\n"},
		{"a repeat at once", "events: [{repeat: 3}], rings: [{rule: trail_stopped, count: 3}, many_trails_stopped]", "ok\n"},
		{"repeats of a record", "events: [{file: delete.json, repeat: 3, with: {region: eu, recipientAccountId: '1'}}], rings: [{rule: trail_stopped, count: 3}, many_trails_stopped]", "ok\n"},
		{"a duplicate counts once", "events: [{repeat: 2}, {repeat: 5, with: {eventID: one}}], rings: [{rule: trail_stopped, count: 3}, {rule: many_trails_stopped, count: 3}]", "ok\n"},
		{"a duplicate that does not do", "events: [{}, {repeat: 5, with: {eventID: one}}], rings: [{rule: trail_stopped, count: 2}]", "ok\n"},
		{"an update of a record is that record", "events: [{}, {with: {eventID: a}}, {with: {eventID: b, addendum: {reason: UPDATED_DATA, originalEventID: a}}}], rings: [{rule: trail_stopped, count: 2}]", "ok\n"},
		{"two episodes", "events: [{repeat: 3}, {at: 1h}, {at: 2h, repeat: 4}], rings: [{rule: trail_stopped, count: 8}, {rule: many_trails_stopped, count: 4}, {rule: many_trails_stopped}]", "ok\n"},
		{"two episodes, the one that is told more of last", "events: [{repeat: 3}, {at: 1h}, {at: 2h, repeat: 4}], rings: [{rule: trail_stopped, count: 8}, {rule: many_trails_stopped}, {rule: many_trails_stopped, count: 3}]", "ok\n"},
		{"one of two groups", "events: [{repeat: 3}, {repeat: 4, with: {region: us}}], rings: [{rule: trail_stopped, count: 7}, {rule: many_trails_stopped, group: {region: us}}]",
			"FAIL\n  many_trails_stopped: want nothing, got an episode of 3 events (no. 1) for recipientAccountId=012345678901, region=eu from 0s to 0s\n"},
		{"another group", "events: [{repeat: 3}], rings: [{rule: trail_stopped, count: 3}, {rule: many_trails_stopped, count: 3, group: {region: us}}]",
			"FAIL\n  many_trails_stopped: want an episode of 3 events for region=us, got an episode of 3 events (no. 1) for recipientAccountId=012345678901, region=eu from 0s to 0s\n"},
		{"times of a rule", "events: [{at: 5m}, {at: 10m}, {with: {region: us}}], rings: [{rule: trail_stopped, count: 3, first_seen: 0s, last_seen: 10m}]", "ok\n"},
		{"a record without a group", "events: [{repeat: 3, without: region}], rings: [{rule: trail_stopped, count: 3}]", "ok\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := run(t, map[string]string{
				"trail/stopped.test.yml": base + "cases: [{name: case, " + tc.events + "}]\n",
				"trail/delete.json":      `{"eventID": "d", "eventSource": "cloudtrail.amazonaws.com", "eventName": "DeleteTrail"}`,
				"trail/log.json": `{"Records": [{"eventID": "1", "eventTime": "2026-03-02T09:00:30Z", "eventSource": "cloudtrail.amazonaws.com", "eventName": "DeleteTrail"},
					{"eventID": "2", "eventTime": "2026-03-02T09:00:00Z", "eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging"}, {"eventTime": "2026-03-02T09:00:00Z"}]}`,
			})
			got = strings.ReplaceAll(strings.ReplaceAll(got, "FAIL trail/stopped.test.yml:2:9 case", "FAIL"), "ok case", "ok")
			got, _, _ = strings.Cut(got, "silent ")
			expect(t, got, tc.want)
		})
	}
}

func TestMistakesAreRefusedWithTheirPlace(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "cases: [{name: a, event: [{}]}]", `1:19: a case: unknown key "event"; did you mean "events"?`},
		{"unknown key of an event", "cases: [{name: a, events: [{whith: {a: b}}]}]", `1:29: an event: unknown key "whith"; did you mean "with"?`},
		{"unknown key at the top", "event: {}\ncase: []", `2:1: a test: unknown key "case"; did you mean "cases"?`},
		{"unknown key of an expectation", "cases: [{name: a, events: [{}], rings: [{rule: trail_stopped, groups: {}}]}]", `1:63: an entry of rings: unknown key "groups"; did you mean "group"?`},
		{"no cases", "event: {}", `1:1: there are no cases; write "cases:" with at least one`},
		{"an empty file", "", `there are no cases; write "cases:" with at least one`},
		{"no name", "cases: [{events: [{}]}]", `1:9: the case has no name; write "name:" with a few words`},
		{"a name twice", "cases:\n- {name: a, events: [{}]}\n- {name: a, events: [{}]}", `3:3: the name "a" is that of the case in line 2, too; give it another`},
		{"no events", "cases: [{name: a, events: []}]", `1:27: the case has no events; write "events: [{}]" for the base event as it is`},
		{"not a time", "cases: [{name: a, events: [{at: soon}]}]", `1:33: at: "soon" is not a time span; write one such as 90s, 5m or 2h, or a time such as "2026-03-02T08:00:00Z"`},
		{"not an eventTime", "event: {eventTime: today}\ncases: [{name: a, events: [{}]}]", `1:8: eventTime: today is not a time; write one such as "2026-03-02T08:00:00Z"`},
		{"removing what is not there", "cases: [{name: a, events: [{without: [a.b]}]}]", `1:39: without: the record has no a.b`},
		{"setting inside of a string", "event: {a: x}\ncases: [{name: a, events: [{with: {a.b: c}}]}]", `2:36: a.b cannot be set: a is x, which has nothing in it`},
		{"no index", "event: {a: [1]}\ncases: [{name: a, events: [{with: {a.b: c}}]}]", `2:36: a.b: a is a list of 1; write an index from 0 to 1 instead of "b", the last for a new entry`},
		{"a path with a hole", "cases: [{name: a, events: [{with: {a..b: c}}]}]", `1:36: "a..b" is not a path; write names and indexes with one dot between, as in requestParameters.items.0.name`},
		{"a file that is not there", "cases: [{name: a, events: [{file: no.json}]}]", `1:35: file: no.json cannot be read: file does not exist; write the path of a JSON file from the folder of this test`},
		{"a file outside", "cases: [{name: a, events: [{file: ../../etc/passwd}]}]", `1:35: file: ../../etc/passwd is outside of what is read; write the path of a JSON file from the folder of this test`},
		{"a file that is no record", "cases: [{name: a, events: [{file: stopped.yml}]}]", `1:35: file: stopped.yml is not a JSON object: invalid character 'i' in literal true (expecting 'r')`},
		{"both", "cases: [{name: a, events: [{file: a.json, record: {}}]}]", `1:35: an event has either a "record" or a "file"`},
		{"a repeat of none", "cases: [{name: a, events: [{repeat: 0}]}]", `1:37: repeat: "0" is not a number of events from 1 to 10000`},
		{"every without a repeat", "cases: [{name: a, events: [{every: 5s}]}]", `1:36: "every" is the time between the events of a "repeat", which is not there`},
		{"too many", "cases: [{name: a, events: [" + strings.Repeat("{repeat: 10000}, ", 11) + "]}]", `1:27: these are 110000 events; write at most 20000 in a case`},
		{"a count of none", "cases: [{name: a, events: [{}], rings: [{rule: trail_stopped, count: 0}]}]", `1:70: count: "0" is not a number of events; what shall not ring is left out of the list`},
		{"no rule", "cases: [{name: a, events: [{}], rings: [{count: 1}]}]", `1:41: there is no "rule" that shall ring; write its name, its id or its title`},
		{"rings as a map", "cases: [{name: a, events: [{}], rings: {rule: trail_stopped}}]", `1:40: "rings" must be a list, as in [{rule: trail_stopped}], or [] for nothing`},
		{"a key twice", "cases: [{name: a, name: b, events: [{}]}]", `1:19: a case: key "name" is there twice, first in line 1`},
		{"a tab", "cases:\n  - name: a\n\t- name: b\n", `3:1: a tab; indent with spaces`},
		{"not YAML", "cases: [", `1:8: not YAML: a list or a map in brackets is not closed, or has a value that needs quotes; write the "]" or "}", and quote values that have brackets, braces or commas in them`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := run(t, map[string]string{"trail/stopped.test.yml": tc.text})
			got, _, _ = strings.Cut(got, "silent ")
			got = strings.TrimPrefix(strings.TrimSuffix(got, "\n"), "trail/stopped.test.yml:")
			expect(t, strings.TrimPrefix(got, " "), tc.want)
		})
	}
}

func TestACaseThatNamesNoRuleFails(t *testing.T) {
	for rings, want := range map[string]string{
		"[trail_stoped]":                                     `5:11: no rule has the name, id or title "trail_stoped"; did you mean "trail_stopped"?`,
		"[trail_stopped, Trail stopped]":                     `5:26: rule "Trail stopped" is listed twice; write its "count"`,
		"[{rule: trail_stopped, group: {region: eu}}]":       `5:41: group: "trail_stopped" is a rule; only a correlation has groups`,
		"[{rule: many_trails_stopped, group: {rejion: eu}}]": `5:47: group: correlation "many_trails_stopped" does not group by "rejion"; did you mean "region"?`,
		"[same]": `5:11: several rules have the title "same"; write the name or the id of one`,
		"[iis]":  `5:11: rule "iis" cannot ring: its logsource has product "windows", not aws`,
	} {
		t.Run(rings, func(t *testing.T) {
			got := run(t, map[string]string{
				"trail/stopped.test.yml": base + "cases:\n- name: a\n  events: [{repeat: 3}]\n  rings: " + rings,
				"same.yml":               "title: same\nid: a\nlogsource: {product: aws}\ndetection: {s: {eventName: z}, condition: s}\n---\ntitle: same\nid: b\nlogsource: {product: aws}\ndetection: {s: {eventName: z}, condition: s}\n",
				"iis.yml":                "title: IIS\nname: iis\nlogsource: {product: windows}\n",
			})
			got, _, _ = strings.Cut(got, "untested ")
			got, _, _ = strings.Cut(got, "silent ")
			expect(t, got, "FAIL trail/stopped.test.yml:3:3 a\n  trail/stopped.test.yml:"+want+"\n")
		})
	}
}

func TestTestsStandBesideTheirRules(t *testing.T) {
	expect(t, run(t, map[string]string{"other.test.yml": "cases: [{name: a, events: [{}]}]", "iis.yml": "title: IIS\nlogsource: {product: windows}", "iis.test.yml": "cases: [{name: b, events: [{}]}]"}),
		`FAIL iis.test.yml:1:9 b
  iis.test.yml:1:9: nothing in iis.yml can ring: its logsource has product "windows", not aws
FAIL other.test.yml:1:9 a
  other.test.yml:1:9: no rule was read from other.yml; if there is no such file, rename this one: the tests of NAME.yml are in NAME.test.yml beside it
untested Trail stopped
untested Many trails stopped
`)
}

func TestWhatNoTestMakesRing(t *testing.T) {
	expect(t, run(t, map[string]string{"trail/stopped.test.yaml": base + "cases: [{name: a, events: [{}], rings: [trail_stopped]}]"}),
		"ok a\nsilent Many trails stopped\n")
	// Another file may do it.
	expect(t, run(t, map[string]string{
		"trail/stopped.test.yaml": base + "cases: [{name: a, events: [{}], rings: [trail_stopped]}]",
		"more.yml":                "title: More\nlogsource: {product: aws}\ndetection: {s: {eventName: StopLogging}, condition: s}",
		"more.test.yml":           base + "cases: [{name: b, events: [{repeat: 3}], rings: [{rule: More, count: 3}, many_trails_stopped]}]",
	}), "ok b\nok a\n")
}

func TestARuleFileHoldsItsOwnTests(t *testing.T) {
	expect(t, run(t, map[string]string{
		"trail/stopped.yml": stopped + "---\n" + base + "cases:\n  - {name: a, events: [{}], rings: [trail_stopped]}\n---\ncases:\n  - {name: b, events: [{}]}\n  - {name: c, events: [{with: {count: 5}}]}\n",
	}), "ok a\nok b\nFAIL trail/stopped.yml:29:5 c\n  trail_stopped: want nothing, got 1 match (no. 1)\nsilent Many trails stopped\n")
}

func TestLoadPathOfARuleFileReadsTheTestsBesideIt(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yml": stopped, "a.test.yml": base + "cases: [{name: a, events: [{}]}]",
		"b.yml": stopped, "b.test.yml": base + "cases: [{name: b, events: [{}]}]", ".c.test.yml": "not: read",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for root, want := range map[string]string{"a.yml": "a.test.yml", "a.test.yml": "a.test.yml", "": "a.test.yml b.test.yml"} {
		files, errs := ruletest.LoadPath(filepath.Join(dir, root))
		var got []string
		for _, f := range files {
			got = append(got, filepath.Base(f.Path))
		}
		if len(errs) > 0 || strings.Join(got, " ") != want {
			t.Errorf("LoadPath(%q) = %q, %v", root, got, errs)
		}
	}
	if _, errs := ruletest.LoadPath(filepath.Join(dir, "none")); len(errs) != 1 || !strings.HasSuffix(errs[0].Error(), "none: cannot be read: no such file or directory") {
		t.Error(errs)
	}
}

const language = `title: A
name: a
logsource: {product: aws}
detection: {s: {eventName: A}, condition: s}
---
title: B
name: b
logsource: {product: aws}
detection: {s: {eventName: B}, condition: s}
---
title: Both
name: both
correlation: {type: temporal, rules: [a, b], group-by: [who], timespan: 1m, aliases: {who: {a: from, b: to}}}
---
title: In order
name: in_order
correlation: {type: temporal_ordered, rules: [a, b], timespan: 1m}
---
title: Many targets
name: many_targets
correlation: {type: value_count, rules: a, group-by: [from], timespan: 1m, condition: {field: target, gte: 3}}
---
title: Much
name: much
correlation: {type: value_sum, rules: a, timespan: 1m, condition: {field: bytes, gt: 99.5}}
---
title: Burst
name: burst
correlation: {type: event_count, rules: a, timespan: 10s, condition: {gte: 2}}
---
title: Burst and then B
name: burst_then_b
correlation: {type: temporal_ordered, rules: [burst, b], timespan: 1m}
`

// Late, twice and out of order: each type of correlation has the episodes that
// the definition gives it, also one that others count and that would not alert
// by itself.
func TestEveryCorrelationTypeRings(t *testing.T) {
	for _, tc := range []struct{ name, events, want string }{
		{"temporal with an alias", "{with: {eventName: B, to: eve}}, {at: -60s, with: {from: eve}}, {at: 1s, with: {from: bob}}",
			"{rule: a, count: 2}, {rule: b}, {rule: both, count: 2, group: {who: eve}, first_seen: -60s, last_seen: 0s}, in_order"},
		{"a second too far apart", "{with: {eventName: B, to: eve}}, {at: -61s, with: {from: eve}}", "a, b"},
		{"in order, the first arrives last", "{at: 60s, with: {eventName: B}}, {at: 61s, with: {eventName: B}}, {}",
			"a, {rule: b, count: 2}, {rule: in_order, count: 2, last_seen: 60s}"},
		{"not in order", "{}, {at: -1s, with: {eventName: B}}", "a, b"},
		{"distinct values", "{with: {from: eve, target: x}}, {at: 1s, with: {from: eve, target: y}}, {at: 2s, with: {from: eve, target: y}}, {at: 30s, with: {from: eve, target: z}}",
			"{rule: a, count: 4}, {rule: burst, count: 3}, {rule: many_targets, count: 4, group: {from: eve}}"},
		{"two values twice", "{repeat: 2, every: 30s, with: {from: eve, target: x}}, {at: 15s, repeat: 2, every: 30s, with: {from: eve, target: y}}", "{rule: a, count: 4}"},
		{"a sum", "{at: 20s, with: {bytes: 60}}, {at: 20s, with: {bytes: 60, eventID: x}}, {with: {bytes: '39.6'}}, {at: 20s, with: {bytes: 60, eventID: x}}, {at: 20s, without: [eventName]}",
			"{rule: a, count: 3}, {rule: burst, count: 2}, {rule: much, count: 3}"},
		{"a sum that is too small", "{with: {bytes: 99.5}}", "a"},
		{"a chain, the outer event before the inner", "{at: 50s, with: {eventName: B}}, {at: 5s}, {}",
			"{rule: a, count: 2}, b, {rule: burst, count: 2, last_seen: 5s}, {rule: burst_then_b, count: 2, first_seen: 5s, last_seen: 50s}, {rule: in_order, count: 3}"},
		{"a chain whose inner does not hold", "{at: 50s, with: {eventName: B}}, {at: 11s}, {}", "{rule: a, count: 2}, b, {rule: in_order, count: 3}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := run(t, map[string]string{
				"language.yml":      language,
				"language.test.yml": "event: {eventName: A}\ncases:\n- name: case\n  events: [" + tc.events + "]\n  rings: [" + tc.want + "]\n",
			})
			got, _, _ = strings.Cut(got, "untested ")
			expect(t, got, "ok case\n")
		})
	}
}

// What stands beside a filter is about the rules that it is for.
func TestTestsOfAFilter(t *testing.T) {
	const filter = "title: Not by the office\nlogsource: {product: aws}\nfilter: {rules: %s, office: {ip|cidr: 192.0.2.0/24}, condition: not office}\n"
	const cases = base + "cases:\n- {name: elsewhere, events: [{with: {ip: 198.51.100.1}}], rings: [trail_stopped]}\n" +
		"- {name: office, events: [{with: {ip: 192.0.2.1}}]}\n- {name: wrong, events: [{with: {ip: 198.51.100.1}}]}\n"
	for _, rules := range []string{"[trail_stopped]", "[3f6f3f9e-2f5c-4f0e-8a58-0d8f4a6f7b11]", "any"} {
		got := run(t, map[string]string{"office.yml": fmt.Sprintf(filter, rules), "office.test.yml": cases})
		got, _, _ = strings.Cut(got, "untested ")
		expect(t, got, "ok elsewhere\nok office\nFAIL office.test.yml:5:3 wrong\n  trail_stopped: want nothing, got 1 match (no. 1)\n")
	}
}

func TestABrokenRuleCannotRing(t *testing.T) {
	fsys := fstest.MapFS{
		"a.yml":      {Data: []byte("title: A\nname: a\nlogsource: {product: aws}\ndetection: {s: {x: y}, condition: z}\n")},
		"a.test.yml": {Data: []byte("cases: [{name: one, events: [{}], rings: [a]}]\n")},
		"b.yml":      {Data: []byte("title: B\nname: b\nlogsource: {product: aws}\ndetection: {s: {x: y}, condition: s}\n")},
		"b.test.yml": {Data: []byte("cases: [{name: two, events: [{with: {x: y}}], rings: [b, a]}]\n")},
	}
	c, errs := sigma.Load(fsys, ".")
	if len(errs) != 1 {
		t.Fatal(errs)
	}
	files, errs := ruletest.Load(fsys, ".")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	runner, _ := ruletest.New(c, sigma.Options{})
	if errs := runner.Check(files); len(errs) > 0 {
		t.Errorf("a check repeats that it is broken: %v", errs)
	}
	results := slices.Collect(runner.Results(t.Context(), files))
	for i, want := range []string{
		"a.test.yml:1:9: nothing in a.yml can ring: it is broken; see its error",
		`b.test.yml:1:58: rule "a" cannot ring: it is broken; see its error`,
	} {
		if got := results[i].Err; got == nil || got.Error() != want {
			t.Errorf("got  %v\nwant %s", got, want)
		}
	}
}

func TestTheContextEndsTheRun(t *testing.T) {
	fsys := fstest.MapFS{
		"a.yml":      {Data: []byte("title: A\nname: a\nlogsource: {product: aws}\ndetection: {s: {x: y}, condition: s}\n")},
		"a.test.yml": {Data: []byte("cases: [{name: one, events: [{}]}, {name: two, events: [{}]}, {name: three, events: [{repeat: 1000}]}]\n")},
	}
	c, _ := sigma.Load(fsys, ".")
	files, _ := ruletest.Load(fsys, ".")
	runner, errs := ruletest.New(c, sigma.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ran []string
	for r := range runner.Results(ctx, files) {
		if ran = append(ran, r.Case); len(ran) == 2 {
			cancel()
		}
	}
	if diff := cmp.Diff([]string{"one", "two"}, ran); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A check says what running would, of each case once.
func TestCheck(t *testing.T) {
	fsys := fstest.MapFS{
		"a.yml":        {Data: []byte("title: A\nname: stopped\nlogsource: {product: aws}\ndetection: {s: {x: y}, condition: s}\n")},
		"a.test.yml":   {Data: []byte("cases:\n- {name: right, events: [{}]}\n- {name: wrong, events: [{}], rings: [stoped]}\n")},
		"a-2.test.yml": {Data: []byte("cases:\n- {name: one, events: [{}]}\n- {name: two, events: [{}]}\n")},
	}
	c, _ := sigma.Load(fsys, ".")
	files, _ := ruletest.Load(fsys, ".")
	runner, _ := ruletest.New(c, sigma.Options{})
	var got []string
	for _, err := range runner.Check(files) {
		got = append(got, err.Error())
	}
	want := []string{
		"a-2.test.yml:2:3: no rule was read from a-2.yml; if there is no such file, rename this one: the tests of NAME.yml are in NAME.test.yml beside it",
		`a.test.yml:3:39: no rule has the name, id or title "stoped"; did you mean "stopped"?`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a configuration does to rules is no matter of tests: they are about the
// rules. It may speak of rules that are not among those that are tested.
func TestWhatIsDisabledIsTestedAllTheSame(t *testing.T) {
	fsys := fstest.MapFS{
		"stopped.yml":      {Data: []byte(stopped)},
		"stopped.test.yml": {Data: []byte(base + "cases: [{name: a, events: [{repeat: 3}], rings: [{rule: trail_stopped, count: 3}, many_trails_stopped]}]")},
	}
	c, errs := sigma.Load(fsys, ".")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	files, errs := ruletest.Load(fsys, ".")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	runner, errs := ruletest.New(c, sigma.Options{
		Disable: []string{"trail_stopped", "many_trails_stopped", "another"}, Level: map[string]sigma.Level{"another": sigma.Low},
	})
	results := slices.Collect(runner.Results(t.Context(), files))
	if len(errs) > 0 || len(results) != 1 || !results[0].Passed() {
		t.Errorf("%+v, %v", results, errs)
	}
}

// A pipe is not waited for. What is wrong with a rule file is said with the rules.
func TestWhatIsNoFileIsNotOpened(t *testing.T) {
	_, errs := ruletest.Load(fstest.MapFS{"r.yml": {Mode: fs.ModeNamedPipe}, "s.test.yml": {Mode: fs.ModeNamedPipe}}, ".")
	if len(errs) != 1 || errs[0].Error() != "s.test.yml: cannot be read: it is not a regular file" {
		t.Errorf("%v", errs)
	}
}
