package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// DetectionID is the id of the alert of a rule on a record: 128 bits of
// SHA-256 over the rule's id and the record's identity, as 32 hexadecimal
// digits. The same record is the same alert, however often it arrives.
func DetectionID(rule, identity string) string { return digest(16, rule, identity) }

// CorrelationID is the id of an alert of a group: the group's token, '-', and
// 64 bits of SHA-256 over the identity of the anchor as 16 hexadecimal digits,
// which have to tell apart no more than the alerts of one group.
func CorrelationID(group, anchor string) string { return group + "-" + digest(8, anchor) }

// digest is the first n bytes of SHA-256 over the parts in hexadecimal. Each
// part has its length in front, so that no two lists of parts run together.
func digest(n int, parts ...string) string {
	h := sha256.New()
	var b []byte
	for _, p := range parts {
		b = strconv.AppendInt(b[:0], int64(len(p)), 10)
		b = append(b, ':')
		b = append(b, p...)
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:n])
}
