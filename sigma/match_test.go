package sigma

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
)

// compileDetection compiles a rule out of the lines of a detection.
func compileDetection(t testing.TB, detection string) (*Rule, *Set) {
	t.Helper()
	c, errs := Parse("r.yml", []byte(rule(detection)))
	if len(errs) > 0 {
		t.Fatalf("%s\n%v", detection, errs)
	}
	set, errs := Compile(c, Options{Placeholders: referencePlaceholders})
	if len(errs) > 0 {
		t.Fatalf("%s\n%v", detection, errs)
	}
	return c.Rules[0], set
}

// matches runs a record through the index as the decoder's callers do.
func matches(set *Set, record string) bool {
	source, name := typeOf(record)
	return len(set.Candidates(source, name).AppendMatches(nil, []byte(record))) > 0
}

func typeOf(record string) (source, name string) {
	text := func(field string) string {
		if v := gjson.Get(record, field); v.Type == gjson.String {
			return v.Str
		}
		return ""
	}
	return text(sourceField), text(nameField)
}

const sample = `{
	"eventSource": "ec2.amazonaws.com", "eventName": "AuthorizeSecurityGroupIngress",
	"userIdentity": {"type": "IAMUser", "userName": "alice", "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}},
	"readOnly": false, "managementEvent": true, "errorCode": null, "empty": "",
	"requestParameters": {
		"port": 22, "ratio": 0.5, "nothing": [], "blank": {}, "nulls": [null],
		"policy": "{\"Effect\":\"Allow\",\"Action\":\"*\"}",
		"aws:tag/Name": "web", "a.b": {"c.d": "deep"}, "0": "zero", "na*me": "star", "esc\u0061ped": "key",
		"ipPermissions": {"items": [
			{"fromPort": 22, "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}, {"cidrIp": "0.0.0.0/0"}]}},
			{"fromPort": 80, "ipRanges": {}, "note": null}
		]}
	},
	"resources": [{"ARN": "arn:aws:s3:::one"}, {"ARN": "arn:aws:s3:::two"}],
	"list": ["a", 5, true, ["nested"], {"k": "in an object", "n": 7}]
}`

// The decided readings of docs/rules.md, one line each.
func TestReadings(t *testing.T) {
	for _, tt := range []struct {
		item string
		want bool
	}{
		// Paths.
		{`userIdentity.type: IAMUser`, true},
		{`userIdentity.sessionContext.attributes.mfaAuthenticated: "false"`, true},
		{`useridentity.type: IAMUser`, false}, // keys are case-sensitive
		{`requestParameters.aws:tag/Name: web`, true},
		{`requestParameters.a.b.c.d: deep`, true},
		{`requestParameters.0: zero`, true},
		{`resources.0.ARN: '*'`, false}, // a number is a key, not an index
		{`requestParameters.na*me: star`, true},
		{`requestParameters.n*me: star`, false},
		{`requestParameters.escaped: key`, true},
		{`requestParameters.#: '*'`, false},
		{`"@this": '*'`, false},
		{`resources.ARN: arn:aws:s3:::two`, true},
		{`requestParameters.ipPermissions.items.ipRanges.items.cidrIp: 0.0.0.0/0`, true},
		{`requestParameters.ipPermissions.items.fromPort: 80`, true},
		{`list: nested`, true},
		// null, absence, existence.
		{`errorCode: null`, true},
		{`readOnly: 0`, false},
		{`managementEvent: '0'`, false},
		{`readOnly|neq: 0`, true},
		{`errorMessage: null`, true},
		{`empty: null`, false},
		{`requestParameters.nothing: null`, false},
		{`requestParameters.blank: null`, false},
		{`requestParameters.nulls: null`, false}, // a list is not null
		{`requestParameters.ipPermissions.items.note: null`, true},
		{`userIdentity.type.more: null`, true},
		{`errorCode|exists: true`, true},
		{`errorCode|exists: false`, false},
		{`errorMessage|exists: false`, true},
		{`errorMessage|exists: true`, false},
		{`errorCode: '*'`, false},
		{`errorMessage: '*'`, false},
		{`empty: '*'`, true},
		{`requestParameters.port: '*'`, true},
		{`requestParameters.nothing: '*'`, true},
		{`requestParameters.blank|contains: '*'`, true},
		{`errorMessage|contains: ''`, false},
		{`errorMessage: ''`, false},
		{`empty: ''`, true},
		{`errorCode: ''`, false},
		{`errorCode: "null"`, false},
		{`errorCode: [null, x]`, true},
		// Strings.
		{`eventName: authorizesecuritygroupingress`, true},
		{`eventName|cased: authorizesecuritygroupingress`, false},
		{`eventName|contains|cased: SecurityGroup`, true},
		{`eventName: Authorize*Ingress`, true},
		{`eventName|contains: [nothing, group]`, true},
		{`eventName|contains|all: [security, group]`, true},
		{`eventName|contains|all: [security, nothing]`, false},
		{`eventName|all|startswith: auth`, true},
		{`eventName|re: 'Security.*Ingress$'`, true},
		{`eventName|re: 'security'`, false},
		{`eventName|re|i: 'security'`, true},
		{`requestParameters.policy|contains: '"Action":"\*"'`, true}, // JSON text as it stands
		{`requestParameters.policy.Action: '*'`, false},
		// Numbers and booleans.
		{`readOnly: false`, true},
		{`readOnly: "false"`, true},
		{`readOnly: true`, false},
		{`managementEvent: "TRUE"`, true},
		{`userIdentity.sessionContext.attributes.mfaAuthenticated: false`, true},
		{`requestParameters.port: 22`, true},
		{`requestParameters.port: "22"`, true},
		{`requestParameters.port: 22.0`, true},
		{`requestParameters.port: 2`, false},
		{`requestParameters.port|startswith: 2`, true},
		{`requestParameters.ratio: .5`, true},
		// Objects and lists.
		{`userIdentity|contains: alice`, true},
		{`userIdentity: alice`, true},
		{`userIdentity|contains: sessionContext`, false}, // a key is no leaf
		{`requestParameters|contains: 10.0.0`, true},
		{`list: a`, true},
		{`list: 5`, true},
		{`list: true`, true},
		{`list: in an object`, true},
		{`list: 7`, false}, // of an object only the strings
		{`list|all: [a, 5, nested]`, true},
	} {
		t.Run(tt.item, func(t *testing.T) {
			r, set := compileDetection(t, "  sel:\n    "+tt.item+"\n  condition: sel\n")
			if got := matches(set, sample); got != tt.want {
				t.Errorf("matches is %v", got)
			}
			record, err := decodeReference([]byte(sample))
			if err != nil {
				t.Fatal(err)
			}
			if got := referenceMatch(r, record); got != tt.want {
				t.Errorf("the reference evaluator says %v", got)
			}
		})
	}
}

func TestDetectionsAndConditions(t *testing.T) {
	for _, tt := range []struct {
		name, detection string
		want            bool
	}{
		{"all items of a map", "  sel: {eventName|startswith: Auth, readOnly: false}\n  condition: sel\n", true},
		{"one item of a map fails", "  sel: {eventName|startswith: Auth, readOnly: true}\n  condition: sel\n", false},
		{"any map of a list", "  sel: [{eventName: x}, {readOnly: false}]\n  condition: sel\n", true},
		{"no map of a list", "  sel: [{eventName: x}, {readOnly: true}]\n  condition: sel\n", false},
		{"any keyword", "  words: [nothing, ALICE]\n  condition: words\n", true},
		{"no keyword", "  words: [nothing, at all]\n  condition: words\n", false},
		{"a keyword inside a string", "  words: securitygroup\n  condition: words\n", true},
		{"a keyword in text with escapes", "  words: '\"Effect\":\"Allow\"'\n  condition: words\n", true},
		{"keywords look at strings, not at keys", "  words: [managementEvent]\n  condition: words\n", false},
		{"keywords look at strings, not at numbers", "  words: [22]\n  condition: words\n", false},
		{"all keywords", "  words: {'|all': [alice, web]}\n  condition: words\n", true},
		{"all keywords but one", "  words: {'|all': [alice, nothing]}\n  condition: words\n", false},
		{"a keyword or a map", "  sel: [nothing, {readOnly: false}]\n  condition: sel\n", true},
		{"not an absent field", "  sel: {eventName: '*'}\n  not_there: {errorMessage: x}\n  condition: sel and not not_there\n", true},
		{"1 of", "  sel_a: {eventName: x}\n  sel_b: {readOnly: false}\n  condition: 1 of sel_*\n", true},
		{"all of", "  sel_a: {eventName: x}\n  sel_b: {readOnly: false}\n  condition: all of sel_*\n", false},
		{"them leaves out an underscore", "  sel: {readOnly: false}\n  _x: {eventName: x}\n  condition: all of them\n", true},
		{"a list of conditions is any of them", "  a: {eventName: x}\n  b: {readOnly: false}\n  condition: [a, b]\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, set := compileDetection(t, tt.detection)
			if got := matches(set, sample); got != tt.want {
				t.Errorf("matches is %v", got)
			}
			record, err := decodeReference([]byte(sample))
			if err != nil {
				t.Fatal(err)
			}
			if got := referenceMatch(r, record); got != tt.want {
				t.Errorf("the reference evaluator says %v", got)
			}
		})
	}
}

func TestFieldShowsWhatRulesSee(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"userIdentity.userName", `["alice"]`},
		{"resources.ARN", `["arn:aws:s3:::one" "arn:aws:s3:::two"]`},
		{"requestParameters.a.b.c.d", `["deep"]`},
		{"requestParameters.nulls", `[[null]]`},
		{"errorCode", `[null]`},
		{"errorMessage", `[]`},
		{"userIdentity.type.more", `[]`},
	} {
		var raw []string
		for _, v := range Field([]byte(sample), tt.path) {
			raw = append(raw, v.Raw)
		}
		if got := fmt.Sprint(raw); got != tt.want {
			t.Errorf("Field(%s) is %s, want %s", tt.path, got, tt.want)
		}
	}
}

func TestFieldsOfHostileRecords(t *testing.T) {
	// More lists inside each other than a path fans out over.
	deep := `{"a":` + strings.Repeat("[", 5000) + `{"b":1}` + strings.Repeat("]", 5000) + `}`
	if got := Field([]byte(deep), "a.b"); len(got) != 0 {
		t.Errorf("a field under 5000 lists is %v", got)
	}
	for _, record := range []string{``, `{`, `{"a"`, `{"a":`, `{"a":{`, `{"a":{"b`, `{"a":{"b"}`, `[`, `{"a":["`, `{"\`, `"`, `{"a":[1,{"b`, "{\"a\":{\"x\":\"\\", `{:1}`} {
		if got := Field([]byte(record), "a.b"); len(got) != 0 {
			t.Errorf("a field of the broken record %q is %v", record, got)
		}
	}
}

func TestGroup(t *testing.T) {
	for _, tt := range []struct {
		fields string
		want   []string // nil: it does not count
	}{
		{"[userIdentity.userName, eventSource]", []string{"alice", "ec2.amazonaws.com"}},
		{"[requestParameters.port, readOnly]", []string{"22", "false"}},
		{"[resources.ARN]", []string{`["arn:aws:s3:::one","arn:aws:s3:::two"]`}},
		{"[requestParameters.nulls]", []string{`[null]`}},
		{"[empty]", []string{""}},
		{"[]", []string{}},
		{"[userIdentity.userName, errorCode]", nil},    // a JSON null
		{"[userIdentity.userName, errorMessage]", nil}, // absent
	} {
		c, errs := Parse("r.yml", []byte(rule("  sel: {eventName: '*'}\n  condition: sel\n")+
			"name: r\n---\ntitle: C\ncorrelation: {type: event_count, rules: [r], group-by: "+tt.fields+", timespan: 5m, condition: {gte: 2}}\n"))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		set, errs := Compile(c, Options{})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		var got []string
		for _, hit := range set.Correlations()[0].Hits(nil, set.Rules(), []byte(sample)) {
			got = append([]string{}, hit.Key...)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.fields, diff)
		}
	}
}
