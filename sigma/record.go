package sigma

import (
	"fmt"
	"strings"
)

// recordFields are the fields at the top of a record, as the CloudTrail user
// guide lists them ("CloudTrail record contents"), those of Insights events
// among them.
var recordFields = []string{
	"addendum",
	"additionalEventData",
	"apiVersion",
	"awsRegion",
	"edgeDeviceDetails",
	"errorCode",
	"errorMessage",
	"eventCategory",
	"eventContext",
	"eventID",
	"eventName",
	"eventSource",
	"eventTime",
	"eventType",
	"eventVersion",
	"insightDetails",
	"managementEvent",
	"readOnly",
	"recipientAccountId",
	"requestID",
	"requestParameters",
	"resources",
	"responseElements",
	"serviceEventDetails",
	"sessionCredentialFromConsole",
	"sharedEventID",
	"sourceIPAddress",
	"tlsDetails",
	"userAgent",
	"userIdentity",
	"vpcEndpointAccountId",
	"vpcEndpointId",
}

// otherCase says of a path, whose first part differs from a field of
// recordFields in case only, that it leads nowhere; empty for any other.
func otherCase(path string) string {
	first, _, _ := strings.Cut(path, ".")
	for _, field := range recordFields {
		if first != field && strings.EqualFold(first, field) {
			return fmt.Sprintf("no record has a field %q, since fields are compared with case; write %q", path, field+path[len(first):])
		}
	}
	return ""
}
