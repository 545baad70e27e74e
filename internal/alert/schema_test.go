package alert_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/trailbell/trailbell/internal/alert"
)

const schemaFile = "../../docs/alert.schema.json"

var (
	noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

	bruteForce = alert.Rule{
		ID: "4d1c4c6f-5b57-4f6e-9a4e-0b2f3c9f2f10", Name: "console_brute_force", Title: "Console brute force", Level: "high",
		Tags: []string{"attack.t1110"}, FalsePositives: []string{"A forgotten password"}, References: []string{"https://example.com"},
	}
	object = alert.Object{Bucket: "trail", Key: "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/24/a.json.gz"}
)

// correlation is an alert with every field set.
func correlation() alert.Alert {
	asOf := alert.AsOf{Epoch: noon.Add(-time.Hour), Sequence: 12}
	return alert.Alert{
		ID: alert.CorrelationID("group", "e5"), Revision: 2, AsOf: asOf, State: alert.Superseded, Kind: alert.KindCorrelation,
		Rule: bruteForce, Group: map[string]string{"recipientAccountId": "111122223333"}, Count: 5,
		FirstSeen: noon, LastSeen: noon.Add(time.Minute), Account: "111122223333", Region: "eu-west-1",
		Actor: "alice", SourceIP: "198.51.100.7", SourceCountry: "NL", EventIDs: []string{"e1", "e2", "e3", "e4", "e5"},
		Records: []json.RawMessage{json.RawMessage(`{"eventID":"e1"}`)}, Objects: []alert.Object{object},
		SupersededBy: "group-0", Created: noon, Updated: noon, Anchor: "e5", Opened: asOf,
		Held: alert.Run{
			First: alert.Mark{Time: noon.Add(time.Minute), EventID: "e5"},
			Last:  alert.Mark{Time: noon.Add(time.Minute), EventID: "e5"},
		},
		Partial: true,
	}
}

func detection() alert.Alert {
	record := []byte(`{"userIdentity":{"type":"Root","arn":"arn:aws:iam::111122223333:root"},"awsRegion":"us-east-1","recipientAccountId":"111122223333","sourceIPAddress":"198.51.100.7"}`)
	return alert.Detection(bruteForce, "e1", noon.UnixMilli(), record, object, alert.DefaultLimits(), noon)
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, data []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestAlertsFollowTheirSchema(t *testing.T) {
	schema := compile(t)
	open := correlation()
	open.State, open.SupersededBy = alert.Open, ""
	everything := open
	everything.Group = nil
	tests := map[string]alert.Alert{
		"superseded correlation": correlation(),
		"open correlation":       open,
		"without group-by":       everything,
		"detection":              detection(),
		"system alert":           {ID: "x", Revision: 1, State: alert.Open, Kind: alert.KindSystem, Rule: bruteForce, FirstSeen: noon, LastSeen: noon, Created: noon, Updated: noon},
		"absurd times":           alert.Detection(bruteForce, "e1", 1<<62, []byte(`{}`), object, alert.DefaultLimits(), noon),
	}
	for name, a := range tests {
		t.Run(name, func(t *testing.T) {
			data, err := a.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, schema, data); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := compile(t)
	tests := map[string]func(*alert.Alert){
		"revision 0":                            func(a *alert.Alert) { a.Revision = 0 },
		"an unknown state":                      func(a *alert.Alert) { a.State = "closed" },
		"an unknown kind":                       func(a *alert.Alert) { a.Kind = "guess" },
		"an unknown level":                      func(a *alert.Alert) { a.Rule.Level = "severe" },
		"superseded by nobody":                  func(a *alert.Alert) { a.SupersededBy = "" },
		"open and superseded by somebody":       func(a *alert.Alert) { a.State = alert.Open },
		"a correlation without as_of":           func(a *alert.Alert) { a.AsOf = alert.AsOf{} },
		"a time that is not UTC":                func(a *alert.Alert) { a.Created = a.Created.In(time.FixedZone("", 3600)) },
		"more records than an alert may carry ": func(a *alert.Alert) { a.Records = slices.Repeat(a.Records, 21) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			a := correlation()
			spoil(&a)
			data, err := a.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, schema, data); err == nil {
				t.Errorf("accepted: %s", data)
			}
		})
	}
}

// Whoever adds a field must add it to the published schema as well.
func TestSchemaNamesEveryField(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]struct {
			Properties map[string]any
		}
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	var properties, rule []string
	for p := range schema.Properties {
		properties = append(properties, p)
	}
	for p := range schema.Properties["rule"].Properties {
		rule = append(rule, p)
	}
	slices.Sort(properties)
	slices.Sort(rule)
	if diff := cmp.Diff(fields(alert.Alert{}), properties); diff != "" {
		t.Errorf("alert (-fields +schema):\n%s", diff)
	}
	if diff := cmp.Diff(fields(alert.Rule{}), rule); diff != "" {
		t.Errorf("rule (-fields +schema):\n%s", diff)
	}
}

func fields(v any) []string {
	var names []string
	for i, t := 0, reflect.TypeOf(v); i < t.NumField(); i++ {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
