package screen_test

import (
	"fmt"
	"time"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/screen"
)

func ExampleLook_Alert() {
	rule := alert.Rule{ID: "b7f2", Title: "CloudTrail trail stopped or deleted", Level: "high"}
	record := []byte(`{
		"eventName": "StopLogging", "requestParameters": {"name": "audit"},
		"userIdentity": {"arn": "arn:aws:iam::111122223333:user/alice"}, "sourceIPAddress": "198.51.100.7",
		"recipientAccountId": "111122223333", "awsRegion": "eu-west-1"}`)
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	a := alert.Detection(rule, "e1", at.UnixMilli(), record, alert.Object{Bucket: "trail", Key: "a.json.gz"}, alert.DefaultLimits(), at)

	fmt.Print(screen.Look{}.Alert(&a))
	// Output:
	// HIGH      CloudTrail trail stopped or deleted
	//   what    StopLogging  name audit
	//   who     user alice  from 198.51.100.7  in 111122223333 eu-west-1
	//   when    2026-11-24 03:00:00 UTC
}

func ExampleSafe() {
	fmt.Println(screen.Safe("alice\x1b[2J\u202e"))
	// Output: alice\x1b[2J\u202e
}
