package rules

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/trailbell/trailbell/sigma"
)

// traffic returns records of the size and the mix of a working account: mostly
// reads by assumed roles, a tenth with errors. None of them rings.
func traffic(n int) (records [][]byte, types [][2]string) {
	random := rand.New(rand.NewPCG(1, 2))
	calls := [][2]string{
		{"ec2.amazonaws.com", "DescribeInstances"}, {"ec2.amazonaws.com", "DescribeVolumes"}, {"sts.amazonaws.com", "AssumeRole"},
		{"s3.amazonaws.com", "GetBucketAcl"}, {"iam.amazonaws.com", "ListRoles"}, {"kms.amazonaws.com", "Decrypt"},
		{"logs.amazonaws.com", "CreateLogStream"}, {"ssm.amazonaws.com", "UpdateInstanceInformation"},
	}
	for i := range n {
		call := calls[random.IntN(len(calls))]
		tail := ""
		if random.IntN(10) == 0 {
			tail = `"errorCode":"ThrottlingException","errorMessage":"Rate exceeded: the requests of this account in this region come faster than they are answered",`
		}
		record := fmt.Sprintf(`{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE%04d:session","arn":"arn:aws:sts::111122223333:assumed-role/Worker/session-%d","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE%06d","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/Worker","accountId":"111122223333","userName":"Worker"},"attributes":{"creationDate":"2026-03-02T07:58:12Z","mfaAuthenticated":"false"}}},"eventTime":"2026-03-02T08:00:00Z","eventSource":%q,"eventName":%q,"awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.%d","userAgent":"aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#arm64 api/x#1.0",%s"requestParameters":{"filterSet":{"items":[{"name":"tag:Name","valueSet":{"items":[{"value":"worker-%d"}]}}]},"maxResults":100},"responseElements":null,"requestID":"7a1e0f5e-%04d-4c2b-9d55-0d2f7b1c9a10","eventID":"0f6a8f2b-%04d-4d1e-8f0e-6f1f2f3f4f5f","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"ec2.eu-west-1.amazonaws.com"}}`,
			random.IntN(10000), i, random.IntN(1000000), call[0], call[1], random.IntN(256), tail, random.IntN(100), i%10000, i%10000)
		if !json.Valid([]byte(record)) {
			panic(record)
		}
		records, types = append(records, []byte(record)), append(types, call)
	}
	return records, types
}

// BenchmarkShippedRules is the cost of matching one record that rings nothing.
// Candidates are looked up once a type, as the matcher does.
func BenchmarkShippedRules(b *testing.B) {
	_, set := shipped(b)
	benchmarkSet(b, set)
}

// BenchmarkSixtyRules is the same with the shipped rules and as many made up as
// make sixty: most of them for one call, every tenth for every record.
func BenchmarkSixtyRules(b *testing.B) {
	benchmarkSet(b, sixty(b))
}

func sixty(t testing.TB) *sigma.Set {
	c, errs := Load()
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var text strings.Builder
	fields := []string{"errorCode: Client.Unauthorized", "userAgent|contains: kali", "sourceIPAddress|startswith: 198.51.100.", "userIdentity.arn|endswith: /admin", "requestParameters.policyDocument|contains: '\"*\"'"}
	for i := range 60 - len(c.Rules) {
		pin := fmt.Sprintf("eventSource: ec2.amazonaws.com, eventName: [Call%d, DescribeInstances], ", i)
		switch {
		case i%10 == 0:
			pin = ""
		case i%4 != 0:
			pin = fmt.Sprintf("eventSource: ec2.amazonaws.com, eventName: Call%d, ", i)
		}
		fmt.Fprintf(&text, "---\ntitle: Made up %d\nlogsource: {product: aws}\ndetection: {s: {%s%s}, condition: s}\n", i, pin, fields[i%len(fields)])
	}
	more, errs := sigma.Parse("made-up.yml", []byte(text.String()))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	c.Add(more)
	set, errs := sigma.Compile(c, sigma.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return set
}

func benchmarkSet(b *testing.B, set *sigma.Set) {
	records, types := traffic(1000)
	candidates := make([]sigma.Candidates, len(types))
	for i, t := range types {
		candidates[i] = set.Candidates(t[0], t[1])
	}
	var matched []*sigma.CompiledRule
	b.SetBytes(int64(len(records[0])))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		i %= len(records)
		matched = candidates[i].AppendMatches(matched[:0], records[i])
	}
	if len(matched) > 0 {
		b.Fatalf("%s matched", matched[0].Meta().Name)
	}
}

func BenchmarkCandidates(b *testing.B) {
	_, set := shipped(b)
	b.ReportAllocs()
	for b.Loop() {
		set.Candidates("ec2.amazonaws.com", "RunInstances")
	}
}
