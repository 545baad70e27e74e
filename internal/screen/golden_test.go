package screen_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/screen"
)

var update = flag.Bool("update", false, "write what is shown to testdata/*.golden")

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

var rules = map[string]alert.Rule{
	"login":   {ID: "r1", Title: "Console login failure", Level: "medium"},
	"root":    {ID: "r2", Title: "Root console login without MFA", Level: "critical"},
	"launch":  {ID: "r3", Title: "EC2 instances launched", Level: "low"},
	"group":   {ID: "r4", Title: "Security group opened to the world", Level: "medium"},
	"trail":   {ID: "r5", Title: "CloudTrail trail stopped or deleted", Level: "high"},
	"address": {ID: "r6", Title: "Console brute force from one address", Level: "high"},
	"account": {ID: "r7", Title: "Console brute force against one account", Level: "medium"},
	"long":    {ID: "r8", Title: "A rule whose author could not decide what to leave out of its title and so left in all of it, and then some more", Level: "informational"},
}

// identities as CloudTrail writes them
const (
	alice  = `{"type":"IAMUser","principalId":"AIDAEXAMPLE","accountId":"111122223333","arn":"arn:aws:iam::111122223333:user/alice","userName":"alice"}`
	keyed  = `{"type":"IAMUser","principalId":"AIDAEXAMPLE","accountId":"111122223333","accessKeyId":"AKIAIOSFODNN7EXAMPLE","arn":"arn:aws:iam::111122223333:user/alice","userName":"alice"}`
	root   = `{"type":"Root","principalId":"111122223333","accountId":"111122223333","arn":"arn:aws:iam::111122223333:root"}`
	nobody = `{"type":"IAMUser","accountId":"111122223333","accessKeyId":"","userName":"HIDDEN_DUE_TO_SECURITY_REASONS"}`
	deploy = `{"type":"AssumedRole","principalId":"AROAEXAMPLE:i-0a1b2c3d4e5f60718","accountId":"444455556666","arn":"arn:aws:sts::444455556666:assumed-role/platform-continuous-deployment-production/i-0a1b2c3d4e5f60718"}`
)

// record is a record with the fields that every one has; rest is the inside of
// an object.
func record(name, who, address, rest string) string {
	return fmt.Sprintf(`{"eventVersion":"1.09","userIdentity":%s,"eventTime":"2026-11-24T12:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"%s","awsRegion":"eu-west-1","sourceIPAddress":"%s","userAgent":"aws-cli/2.17.0",%s,"recipientAccountId":"111122223333"}`,
		who, name, address, rest)
}

func detection(rule, record string) alert.Alert {
	return alert.Detection(rules[rule], "e1", noon.UnixMilli(), []byte(record), alert.Object{Bucket: "trail", Key: "a.json.gz"}, alert.DefaultLimits(), noon)
}

func correlation(rule string, group map[string]string, count int, records ...string) alert.Alert {
	a := alert.Alert{
		ID: alert.CorrelationID("0123456789abcdef", "e5"), Revision: 1, State: alert.Open, Kind: alert.KindCorrelation,
		Rule: rules[rule], Group: group, Count: count, FirstSeen: noon, LastSeen: noon.Add(359 * time.Second),
	}
	a.Describe([]byte(records[0]))
	for _, r := range records {
		a.AddRecord([]byte(r), alert.Object{Bucket: "trail", Key: "a.json.gz"}, alert.DefaultLimits())
	}
	return a
}

func failure(address, message string) string {
	return record("ConsoleLogin", nobody, address, `"errorMessage":`+message+`,"requestParameters":null,"responseElements":{"ConsoleLogin":"Failure"},"additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"No"}`)
}

func failures(n int, address func(int) string) []string {
	var out []string
	for i := range n {
		message := `"No username found in supplied account"`
		if i == 2 {
			message = "null" // as some of them are
		}
		out = append(out, failure(address(i), message))
	}
	return out
}

func sameAddress(int) string    { return "198.51.100.7" }
func otherAddress(i int) string { return fmt.Sprintf("198.51.100.%d", i+1) }

// night is a stream of alerts of every kind.
func night() []alert.Alert {
	byAddress := map[string]string{"recipientAccountId": "111122223333", "sourceIPAddress": "198.51.100.7"}
	byAccount := map[string]string{"recipientAccountId": "111122223333"}
	open := correlation("address", byAddress, 5, failures(5, sameAddress)...)
	open.SourceCountry = "NL"
	grown := correlation("account", byAccount, 137, failures(20, otherAddress)...)
	grown.Revision, grown.LastSeen = 4, noon.Add(26*time.Hour)
	ended := open
	ended.Revision, ended.State, ended.Count = 7, alert.Ended, 9
	superseded := open
	superseded.Revision, superseded.State, superseded.SupersededBy = 3, alert.Superseded, alert.CorrelationID("0123456789abcdef", "e1")
	withdrawn := open
	withdrawn.Revision, withdrawn.State = 2, alert.Withdrawn
	spread := correlation("account", byAccount, 6, append(failures(5, otherAddress), failure("198.51.100.7", `"Failed authentication"`),
		strings.Replace(failure("198.51.100.7", `"Failed authentication"`), "HIDDEN_DUE_TO_SECURITY_REASONS", "alice", 1))...)
	byUser := correlation("long", map[string]string{"userIdentity.userName": "alice", "requestParameters.bucketName": "a bucket"}, 3,
		record("PutBucketPolicy", alice, "198.51.100.7", `"requestParameters":{"bucketName":"a bucket"}`),
		record("PutBucketAcl", alice, "198.51.100.7", `"requestParameters":{"bucketName":"a bucket"}`),
		record("DeleteBucketPolicy", alice, "198.51.100.7", `"requestParameters":{"bucketName":"a bucket"}`))
	return []alert.Alert{
		detection("login", failure("198.51.100.7", `"No username found in supplied account"`)),
		detection("root", record("ConsoleLogin", root, "198.51.100.7", `"responseElements":{"ConsoleLogin":"Success"},"additionalEventData":{"MFAUsed":"No"}`)),
		open, grown, ended, superseded, withdrawn, spread, byUser,
		detection("launch", record("RunInstances", deploy, "cloudformation.amazonaws.com",
			`"requestParameters":{"instancesSet":{"items":[{"imageId":"ami-0123456789abcdef0","minCount":1,"maxCount":5}]},"instanceType":"p2.xlarge"},`+
				`"responseElements":{"instancesSet":{"items":[{"instanceId":"i-0000000000000000a"},{"instanceId":"i-0000000000000000b"},{"instanceId":"i-0000000000000000c"},{"instanceId":"i-0000000000000000d"},{"instanceId":"i-0000000000000000e"}]}}`)),
		detection("launch", record("RunInstances", alice, "198.51.100.7",
			`"errorCode":"Client.UnauthorizedOperation","errorMessage":"You are not authorized to perform this operation. Encoded authorization failure message: T-kSWIRFn32",`+
				`"requestParameters":{"instancesSet":{"items":[{"imageId":"ami-0123456789abcdef0","minCount":1,"maxCount":10}]},"instanceType":"p2.xlarge","clientToken":"5dd59182"},"responseElements":null`)),
		detection("launch", record("TerminateInstances", alice, "198.51.100.7", `"requestParameters":{"instancesSet":{"items":[{"instanceId":"i-0000000000000000a"},{"instanceId":"i-0000000000000000b"}]}}`)),
		detection("group", record("AuthorizeSecurityGroupIngress", alice, "198.51.100.7",
			`"requestParameters":{"groupId":"sg-0123456789abcdef0","ipPermissions":{"items":[`+
				`{"ipProtocol":"tcp","fromPort":443,"toPort":443,"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8"}]}},`+
				`{"ipProtocol":"tcp","fromPort":22,"toPort":22,"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8"},{"cidrIp":"0.0.0.0/0"}]},"ipv6Ranges":{"items":[{"cidrIpv6":"::/0"}]}}]}}`)),
		detection("group", record("AuthorizeSecurityGroupIngress", alice, "198.51.100.7",
			`"requestParameters":{"groupName":"default","ipProtocol":"udp","fromPort":0,"toPort":1023,"cidrIp":"0.0.0.0/0","ipPermissions":{}}`)),
		detection("trail", record("DeleteTrail", keyed, "198.51.100.7", `"requestParameters":{"name":"management"}`)),
		detection("trail", strings.Replace(record("UpdateTrail", `{"type":"AssumedRole","accessKeyId":"ASIAIOSFODNN7EXAMPLE","arn":"arn:aws:sts::111122223333:assumed-role/Deploy/terraform"}`,
			"198.51.100.7", `"requestParameters":{"name":"management"}`), "aws-cli/2.17.0", "APN/1.0 HashiCorp/1.0 Terraform/1.9.2 (+https://www.terraform.io)", 1)),
		correlation("long", map[string]string{"userIdentity.userName": "alice"}, 2,
			record("PutBucketPolicy", keyed, "198.51.100.7", `"requestParameters":{"bucketName":"a bucket"}`),
			record("PutBucketPolicy", strings.Replace(keyed, "AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE", 1), "198.51.100.7", `"requestParameters":{"bucketName":"a bucket"}`)),
		detection("trail", record("StopLogging", alice, "198.51.100.7", `"requestParameters":{"name":"arn:aws:cloudtrail:eu-west-1:111122223333:trail/organisation-wide-audit-trail"}`)),
		detection("long", record("CreateTags", alice, "198.51.100.7", `"requestParameters":{"resourcesSet":{"items":[{"resourceId":"i-1"},{"resourceId":"i-2"}]},"tagSet":{"items":[{"key":"Owner","value":"the night shift"}]}}`)),
		{
			ID: "s", Revision: 1, State: alert.Open, Kind: alert.KindSystem, Rule: alert.Rule{ID: "r9", Title: "No log object for an hour", Level: "high"},
			FirstSeen: noon, LastSeen: noon.Add(time.Hour), Account: "111122223333", Region: "eu-west-1", Count: 1,
		},
	}
}

// hostile is an alert out of a record that tries to write to the terminal and to
// deceive its reader.
func hostile() alert.Alert {
	a := detection("login", record(`ConsoleLogin\u001b[2J`, `{"arn":"arn:aws:iam::111122223333:user/eve\u001b]0;title\u0007\u202e\u2066ecila\u200b\r\nHIGH      All is well"}`,
		"198.51.100.7 in 999999999999", `"requestParameters":{"\u009b31m":"\u0000","名前":"値 \ufeff\u3164","long":"`+strings.Repeat("長", 400)+`"}`))
	a.Rule.Title = "Title\nwith \x1b[31mlines\u2028and \xff"
	a.Rule.Level = "hi\ngh\t\t\t\t\t\t\t\t"
	return a
}

func shown(l screen.Look, alerts ...alert.Alert) string {
	var b strings.Builder
	for i := range alerts {
		b.WriteString(l.Alert(&alerts[i]))
	}
	return b.String()
}

func TestAlert(t *testing.T) {
	tests := map[string]string{
		"night-60":     shown(screen.Look{Width: 60}, night()...),
		"night-80":     shown(screen.Look{}, night()...),
		"night-120":    shown(screen.Look{Width: 120}, night()...),
		"night-color":  shown(screen.Look{Color: true}, night()...),
		"hostile-80":   shown(screen.Look{}, hostile()),
		"tiny-24":      shown(screen.Look{Width: 10}, night()[2:4]...),
		"without-more": shown(screen.Look{}, alert.Alert{}, alert.Alert{State: alert.Open, Records: []json.RawMessage{json.RawMessage(`null`), json.RawMessage(`[1]`)}}),
	}
	for name, got := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; write it with go test ./internal/screen -update", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-%s +shown):\n%s", path, diff)
			}
		})
	}
}
