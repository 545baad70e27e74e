package sigma

import "testing"

func TestWarningsAboutDetections(t *testing.T) {
	// The item starts in line 5, column 5.
	item := func(text string) string { return rule("  sel:\n    " + text + "\n  condition: sel\n") }
	about := func(place, field, msg string) []string {
		return []string{`r.yml:` + place + `: rule "T": selection "sel": ` + field + msg}
	}
	testWarnings(t, []warningCase{
		{"an exception that is not subtracted", rule("  sel: {a: b}\n  filter_ci: {c: d}\n  condition: sel\n"), Options{},
			[]string{`r.yml:5:3: rule "T": selection "filter_ci": the condition does not use it; write "sel and not filter_ci"`}},
		{"an exception beside alternatives", rule("  a: {a: b}\n  b: {a: c}\n  Filter: {c: d}\n  condition: a or b\n"), Options{},
			[]string{`r.yml:6:3: rule "T": selection "Filter": the condition does not use it; write "(a or b) and not Filter"`}},
		{"a selection that is not used", rule("  sel: {a: b}\n  other: {c: d}\n  condition: not sel\n"), Options{},
			[]string{`r.yml:5:3: rule "T": selection "other": the condition does not use it; name it there, or take it out`}},
		{"selections that are used in all ways", rule("  a: {a: b}\n  b_1: {a: b}\n  b_2: {a: b}\n  c: {a: b}\n  condition: [a, not (1 of b_* and c)]\n"), Options{}, nil},
		{"a selection that is put aside", rule("  sel: {a: b}\n  _old: {c: d}\n  condition: 1 of them\n"), Options{}, nil},

		{"a timeframe of Sigma 1", rule("  sel: {a: b}\n  timeframe: 15m\n  condition: sel\n"), Options{},
			[]string{`r.yml:5:3: rule "T": detection: "timeframe" does nothing; to count in time write a correlation document with "timespan", else take it out`}},

		{"the name of a service", item("eventSource: [kms.amazonaws.com, S3]"), Options{},
			about("5:38", `field "eventSource": `, `CloudTrail has no source "S3"; write the name of a service in full, such as "s3.amazonaws.com"`)},
		{"the name of a host", item("eventSource: ec2.aws.com"), Options{},
			about("5:18", `field "eventSource": `, `CloudTrail has no source "ec2.aws.com"; write the name of a service in full, such as "ec2.amazonaws.com"`)},
		{"sources", item("eventSource: [Signin.AmazonAWS.com, signin.amazonaws.com.cn]"), Options{}, nil},
		{"sources by other ways", item("eventSource|startswith: s3\n    eventSource|re: s3\n    eventName: s3"), Options{}, nil},
		{"a source with wildcards", item("eventSource: 's3*'"), Options{}, nil},
		{"a source that a placeholder names", item("eventSource|expand: '%source%'"), Options{Placeholders: map[string][]string{"source": {"s3.amazonaws.com"}}}, nil},
		{"no source", item("eventSource: ''"), Options{}, nil},

		{"a field in another case", item("eventname: x"), Options{},
			about("5:5", "", `no record has a field "eventname", since fields are compared with case; write "eventName"`)},
		{"the first part of a field in another case", item("UserIdentity.sessionContext.attributes|contains: x"), Options{},
			about("5:5", "", `no record has a field "UserIdentity.sessionContext.attributes", since fields are compared with case; write "userIdentity.sessionContext.attributes"`)},
		{"other fields in any case", item("requestParameters.EventName: x\n    eventNames: x\n    Host: x"), Options{}, nil},

		{"fieldref with a wildcard", item("userIdentity.userName|fieldref: 'requestParameters.*'"), Options{},
			about("5:37", `field "userIdentity.userName": `, `modifier "fieldref" takes the name of a field, and "requestParameters.*" is read as one: wildcards mean nothing in it; for a pattern leave "fieldref" out`)},
		{"fieldref in another case", item("userIdentity.userName|fieldref: Useragent"), Options{},
			about("5:37", `field "userIdentity.userName": `, `no record has a field "Useragent", since fields are compared with case; write "userAgent"`)},
		{"fieldref", item("userIdentity.userName|fieldref: requestParameters.userName"), Options{}, nil},

		{"null beside other values", item("errorCode: [x, null]"), Options{},
			about("5:20", `field "errorCode": `, `other engines may refuse null beside other values; write a list of two maps, one of them "errorCode: null"`)},
		{"null alone", item("errorCode: null"), Options{}, nil},
		{"null alone in a list", item("errorCode: [null]"), Options{}, nil},

		{"a boolean of YAML 1.1", item("additionalEventData.MFAUsed: No"), Options{},
			about("5:34", `field "additionalEventData.MFAUsed": `, `No without quotes is text here and a boolean to other engines; write 'No'`)},
		{"text in quotes", item("additionalEventData.MFAUsed: ['No', \"Yes\", none]"), Options{}, nil},
		{"booleans", item("readOnly: [true, False]"), Options{}, nil},

		{"a tab where a backslash was meant", item(`userAgent|contains: "C:\temp"`), Options{},
			about("5:25", `field "userAgent": `, `a backslash in double quotes is an escape, and the value has the control character '\t'; write it in single quotes if a backslash is meant`)},
		{"a word border that is a backspace", item(`userAgent|re: "\bcurl"`), Options{},
			about("5:19", `field "userAgent": `, `a backslash in double quotes is an escape, and the value has the control character '\b'; write it in single quotes if a backslash is meant`)},
		{"backslashes that are meant", item(`userAgent|contains: ['C:\temp', "C:\\temp", "two\nlines", "\u00e9"]`), Options{}, nil},
		{"a keyword", rule("  sel: [\"a\\tb\"]\n  condition: sel\n"), Options{},
			[]string{`r.yml:4:9: rule "T": selection "sel": a backslash in double quotes is an escape, and the value has the control character '\t'; write it in single quotes if a backslash is meant`}},

		{"a network that is another one", item("sourceIPAddress|cidr: [10.0.0.0/8, 192.0.2.1/24]"), Options{},
			about("5:40", `field "sourceIPAddress": `, `192.0.2.1/24 is the network 192.0.2.0/24; write that, or the address without "/24"`)},
		{"networks", item("sourceIPAddress|cidr: [192.0.2.1/32, 192.0.2.1, '2001:db8::/32', '::/0']"), Options{}, nil},
	})
}
