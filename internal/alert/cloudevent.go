package alert

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Headers returns the CloudEvents 1.0 attributes of this revision as headers
// of a NATS message in binary mode, whose data is the alert's JSON: each
// attribute under its name with the prefix "ce-", the value percent-encoded
// where it is not printable ASCII. (NATS protocol binding for CloudEvents;
// unlike in HTTP, datacontenttype is an attribute like the others.)
//
//	ce-id               id/revision: what makes a revision a different event
//	ce-source           /trailbell/rules/RULE-ID
//	ce-type             com.github.trailbell.alert.KIND
//	ce-subject          the alert's id, the same for all its revisions
//	ce-time             when this revision was made
//	ce-specversion      1.0
//	ce-datacontenttype  application/json
func (a *Alert) Headers() map[string]string {
	return map[string]string{
		"ce-specversion":     "1.0",
		"ce-id":              escape(a.ID + "/" + strconv.Itoa(a.Revision)),
		"ce-source":          escape("/trailbell/rules/" + uriSegment(a.Rule.ID)),
		"ce-type":            escape("com.github.trailbell.alert." + string(a.Kind)),
		"ce-subject":         escape(a.ID),
		"ce-time":            a.Updated.UTC().Format(time.RFC3339Nano),
		"ce-datacontenttype": "application/json",
	}
}

// escape percent-encodes what the binding does not allow in a header: all but
// printable ASCII, and of that the space, the double quote and the percent.
func escape(s string) string {
	return percent(s, func(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' })
}

// uriSegment makes a path segment of a URI, which a source has to be.
func uriSegment(s string) string {
	return percent(s, func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
	})
}

func percent(s string, keep func(byte) bool) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; keep(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
