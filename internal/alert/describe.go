package alert

import "github.com/tidwall/gjson"

// hidden is what CloudTrail writes in place of the user name of a failed
// sign-in when no such user exists: people type passwords into that field.
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// Describe fills Account, Region, Actor and SourceIP from a record. Account
// and Region that the group of a correlation fixes come from the group.
func (a *Alert) Describe(record []byte) {
	a.Account, a.Region = AccountOf(record), RegionOf(record)
	if v, ok := a.Group[accountField]; ok {
		a.Account = v
	}
	if v, ok := a.Group[regionField]; ok {
		a.Region = v
	}
	a.Actor, a.SourceIP = ActorOf(record), SourceIPOf(record)
}

// Fields of a record whose values, if a correlation is grouped by them, are
// the same for all its records.
const (
	accountField = "recipientAccountId"
	regionField  = "awsRegion"
)

// Place returns the account and the region that the subject of an alert names.
// For a detection they are those of its record. For a correlation they are
// those that the group fixes, and empty otherwise: the subject of a group must
// never change, while the records of its episodes may come from anywhere.
func (a *Alert) Place() (account, region string) {
	if a.Kind == KindCorrelation {
		return a.Group[accountField], a.Group[regionField]
	}
	return a.Account, a.Region
}

// AccountOf returns the account that a record was delivered to, else the one
// that its identity belongs to, else "".
func AccountOf(record []byte) string {
	if v := text(gjson.GetBytes(record, accountField)); v != "" {
		return v
	}
	return text(gjson.GetBytes(record, "userIdentity.accountId"))
}

// RegionOf returns the region of a record, or "".
func RegionOf(record []byte) string { return text(gjson.GetBytes(record, regionField)) }

// SourceIPOf returns the sourceIPAddress of a record as it stands, or "". In
// calls that a service made it is the name of the service.
func SourceIPOf(record []byte) string { return text(gjson.GetBytes(record, "sourceIPAddress")) }

// ActorOf says who acted, by the userIdentity of a record: its arn if there is
// one. A failed sign-in of an IAM user has none, and neither has a service;
// then it is the first that there is of "root" for the root user, userName,
// principalId, the user behind an Identity Center session, the service that
// made the call, and the account. A user name that CloudTrail hides is better
// than nothing, and than nothing only. It returns "" if the record names
// nobody.
func ActorOf(record []byte) string {
	who := gjson.GetBytes(record, "userIdentity")
	if arn := text(who.Get("arn")); arn != "" {
		return arn
	}
	if text(who.Get("type")) == "Root" {
		return "root"
	}
	name := text(who.Get("userName"))
	if name != "" && name != hidden {
		return name
	}
	for _, path := range []string{"principalId", "onBehalfOf.userId", "invokedBy"} {
		if v := text(who.Get(path)); v != "" {
			return v
		}
	}
	if name != "" {
		return name
	}
	return text(who.Get("accountId"))
}

// text is the value of a JSON string; of anything else it is "".
func text(v gjson.Result) string {
	if v.Type != gjson.String {
		return ""
	}
	return v.Str
}
