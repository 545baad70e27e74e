package alert_test

import (
	"fmt"
	"time"

	"github.com/trailbell/trailbell/internal/alert"
)

func ExampleDetection() {
	rule := alert.Rule{ID: "b7f2", Title: "Root activity", Level: "high"}
	record := []byte(`{"eventID":"e1","userIdentity":{"type":"Root","arn":"arn:aws:iam::111122223333:root"}}`)
	from := alert.Object{Bucket: "trail", Key: "AWSLogs/a.json.gz"}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

	a := alert.Detection(rule, "e1", now.UnixMilli(), record, from, alert.DefaultLimits(), now)
	fmt.Println(a.Rule.Title, a.State, a.Count)
	fmt.Println(a.Actor)
	fmt.Println(a.Headers()["ce-type"])
	// Output:
	// Root activity ended 1
	// arn:aws:iam::111122223333:root
	// com.github.trailbell.alert.detection
}
