package alert_test

import (
	"testing"

	"github.com/trailbell/trailbell/internal/alert"
)

func TestActorOf(t *testing.T) {
	tests := []struct{ name, identity, want string }{
		{"an arn says it all", `{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/alice","userName":"alice"}`, "arn:aws:iam::111122223333:user/alice"},
		{"a failed root sign-in has an arn and no user name", `{"type":"Root","principalId":"111122223333","arn":"arn:aws:iam::111122223333:root","accountId":"111122223333","accessKeyId":""}`, "arn:aws:iam::111122223333:root"},
		{"root without an arn", `{"type":"Root","principalId":"111122223333","accountId":"111122223333"}`, "root"},
		{"a failed sign-in of an IAM user has no arn", `{"type":"IAMUser","principalId":"AIDAEXAMPLE","accountId":"111122223333","accessKeyId":"","userName":"bob"}`, "bob"},
		{"a hidden user name yields to the principal", `{"type":"IAMUser","principalId":"AIDAEXAMPLE","userName":"HIDDEN_DUE_TO_SECURITY_REASONS"}`, "AIDAEXAMPLE"},
		{"a hidden user name is better than nothing", `{"type":"IAMUser","accountId":"111122223333","accessKeyId":"","userName":"HIDDEN_DUE_TO_SECURITY_REASONS"}`, "HIDDEN_DUE_TO_SECURITY_REASONS"},
		{"a SAML user", `{"type":"SAMLUser","principalId":"idp:carol","userName":"carol","identityProvider":"idp"}`, "carol"},
		{"an Identity Center user", `{"type":"IdentityCenterUser","accountId":"111122223333","onBehalfOf":{"userId":"544894e8-80c1-707f-60e3-3ba6510dfac1"}}`, "544894e8-80c1-707f-60e3-3ba6510dfac1"},
		{"a service", `{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}`, "ec2.amazonaws.com"},
		{"another account", `{"type":"AWSAccount","principalId":"AROAEXAMPLE:session","accountId":"444455556666"}`, "AROAEXAMPLE:session"},
		{"an account is all that is known", `{"type":"Unknown","accountId":"111122223333"}`, "111122223333"},
		{"null", `null`, ""},
		{"fields of other types", `{"type":7,"arn":{"a":1},"userName":["x"]}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := alert.ActorOf([]byte(`{"userIdentity":` + tt.identity + `}`)); got != tt.want {
				t.Errorf("ActorOf = %q, want %q", got, tt.want)
			}
		})
	}
	if got := alert.ActorOf([]byte(`{}`)); got != "" {
		t.Errorf("ActorOf without an identity = %q", got)
	}
}

func TestDescribe(t *testing.T) {
	const record = `{"recipientAccountId":"111122223333","awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.7","userIdentity":{"userName":"alice","accountId":"444455556666"}}`
	tests := []struct {
		name   string
		group  map[string]string
		record string
		want   alert.Alert
	}{
		{"from the record", nil, record, alert.Alert{Account: "111122223333", Region: "eu-west-1", Actor: "alice", SourceIP: "198.51.100.7"}},
		{"the group has the last word", map[string]string{"recipientAccountId": "777788889999", "awsRegion": "us-east-1"}, record,
			alert.Alert{Account: "777788889999", Region: "us-east-1", Actor: "alice", SourceIP: "198.51.100.7"}},
		{"the account of the identity stands in", nil, `{"userIdentity":{"accountId":"444455556666","invokedBy":"x"}}`, alert.Alert{Account: "444455556666", Actor: "x"}},
		{"nothing", nil, `{}`, alert.Alert{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := alert.Alert{Group: tt.group}
			a.Describe([]byte(tt.record))
			if a.Account != tt.want.Account || a.Region != tt.want.Region || a.Actor != tt.want.Actor || a.SourceIP != tt.want.SourceIP {
				t.Errorf("got %q %q %q %q", a.Account, a.Region, a.Actor, a.SourceIP)
			}
		})
	}
}

func TestPlace(t *testing.T) {
	tests := []struct {
		name            string
		a               alert.Alert
		account, region string
	}{
		{"a detection is where its record is", alert.Alert{Kind: alert.KindDetection, Account: "1", Region: "r"}, "1", "r"},
		{"a correlation is where its group is", alert.Alert{Kind: alert.KindCorrelation, Account: "1", Region: "r", Group: map[string]string{"recipientAccountId": "2", "awsRegion": "s"}}, "2", "s"},
		{"a group that spans regions is in none", alert.Alert{Kind: alert.KindCorrelation, Account: "1", Region: "r", Group: map[string]string{"recipientAccountId": "2"}}, "2", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if account, region := tt.a.Place(); account != tt.account || region != tt.region {
				t.Errorf("Place = %q, %q, want %q, %q", account, region, tt.account, tt.region)
			}
		})
	}
}
