package sigma

import "strings"

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

// otherCase returns the path as CloudTrail spells it when its first part
// differs from a field of recordFields in case only: fields are compared with
// case, so it leads nowhere.
func otherCase(path string) (string, bool) {
	first, _, _ := strings.Cut(path, ".")
	for _, field := range recordFields {
		if first != field && strings.EqualFold(first, field) {
			return field + path[len(first):], true
		}
	}
	return "", false
}
