package streams

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// Subjects that a subscriber may want.
const (
	AllAlerts = "trailbell.alerts.>"
	AllDead   = "trailbell.dead.>"

	prefix = "trailbell."
	// none stands for a token that has no value.
	none = "none"
	// maxToken bounds a token, so that a subject stays far below the 4 kB
	// that a NATS client sends in a line.
	maxToken = 48
)

// KeysSubject is where the references to the objects of a bucket go.
func KeysSubject(bucket string) string { return prefix + "keys." + Token(bucket) }

// BatchesSubject is where the slices of an account and region go.
func BatchesSubject(account, region string) string {
	return prefix + "batches." + Token(account) + "." + Token(region)
}

// EventsSubject is where the event batches of an account and region go.
func EventsSubject(account, region string) string {
	return prefix + "events." + Token(account) + "." + Token(region)
}

// MatchesSubject is where the matches of a partition go.
func MatchesSubject(partition int) string {
	return prefix + "matches." + strconv.Itoa(partition)
}

// AlertsSubject is where an alert goes. Group is "-" for a detection and the
// hash of the group for a correlation.
func AlertsSubject(level, rule, account, region, group string) string {
	return prefix + "alerts." + Token(level) + "." + Token(rule) + "." + Token(account) + "." + Token(region) + "." + Token(group)
}

// GroupAlerts is a filter: the subject of a group's alerts, whatever the level
// and the name of its rule. Both may change, and the alerts are still those of
// one group.
func GroupAlerts(account, region, group string) string {
	return prefix + "alerts.*.*." + Token(account) + "." + Token(region) + "." + Token(group)
}

// GroupOfAlert returns the GROUP of a subject of ALERTS, and false if there is
// none: it is that of a detection, or of somebody else.
func GroupOfAlert(subject string) (Group, bool) {
	return parseGroup(subject[strings.LastIndexByte(subject, '.')+1:])
}

// DeadSubject is where the dead letters of a stage go.
func DeadSubject(stage string) string { return prefix + "dead." + Token(stage) }

// Token makes one subject token of any string: [a-z0-9_-]{1,48} stays as it
// is, an empty string becomes "none". Anything else is lowered, its other
// characters become '-', it is cut, and six hexadecimal digits of the hash of
// the original keep different strings apart. Bucket names have dots, and '*'
// and '>' would be stored literally.
func Token(s string) string {
	if s == "" {
		return none
	}
	if isToken(s) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	suffix := "-" + hex.EncodeToString(sum[:3])
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if b.Len() == maxToken-len(suffix) {
			break
		}
		if r < 0x80 && tokenByte(byte(r)) {
			b.WriteByte(byte(r))
		} else {
			b.WriteByte('-')
		}
	}
	return b.String() + suffix
}

func isToken(s string) bool {
	if len(s) > maxToken {
		return false
	}
	for i := range len(s) {
		if !tokenByte(s[i]) {
			return false
		}
	}
	return true
}

func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
