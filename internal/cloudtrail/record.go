package cloudtrail

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"
)

// Reasons of Decode to refuse a record, besides a *FormatError.
var (
	ErrNotObject = errors.New("the record is not a JSON object")
	ErrNoTime    = errors.New("the record has no eventTime")
	ErrOddTime   = errors.New("the eventTime of the record is not a time as in RFC 3339")
)

// Origin is where a record stands. It is the identity of a record that has no
// other.
type Origin struct {
	Bucket, Key string
	// Offset of the record in the decompressed object, in bytes.
	Offset uint64
}

// String is the origin as an identity: bucket/key#offset.
func (o Origin) String() string { return fmt.Sprintf("%s/%s#%d", o.Bucket, o.Key, o.Offset) }

// Hot is what every stage needs of a record, extracted once. All texts are
// valid UTF-8; where the record is not, U+FFFD stands in its place. They are
// parts of the record where they can be, and valid as long as it is. A text
// that the record lacks, or that is not a string there, is empty.
type Hot struct {
	// Time is the eventTime in milliseconds since the Unix epoch.
	Time int64
	// Identity is the eventID; for an addendum that updates an earlier record
	// (addendum.reason UPDATED_DATA) the eventID of that one,
	// addendum.originalEventID; for a record that has neither, its origin. It
	// is never empty, and of one longer than MaxIdentity it is a hash.
	Identity []byte
	// Source is the eventSource, such as s3.amazonaws.com.
	Source []byte
	// Name is the eventName, such as GetObject.
	Name []byte
	// Account is the recipientAccountId.
	Account []byte
	// Region is the awsRegion.
	Region []byte
}

// MaxIdentity is the length in bytes up to which an identity is kept as it is. That
// of CloudTrail is a UUID, and an object's key has at most 1,024 bytes. Identities are
// kept by the windows and listed by alerts, where what anybody made up has no room.
const MaxIdentity = 2048

// Decode checks that the record is a JSON object with an eventTime, and
// extracts its hot fields on the way. Of a key that occurs twice the first
// counts, as for gjson. Bytes in strings that are not UTF-8 are let pass: what
// reads the record later replaces them. The fields are those of "CloudTrail
// record contents" in the CloudTrail user guide.
//
// The error is ErrNotObject, ErrNoTime, ErrOddTime or a *FormatError; none of
// them shows content of the record.
func Decode(record []byte, origin Origin) (Hot, error) {
	var (
		hot      Hot
		seen     field
		id       []byte
		addendum []byte
		time     []byte
		s        = scanner{data: record}
	)
	i := s.space(0)
	if i == len(record) || record[i] != '{' {
		return Hot{}, ErrNotObject
	}
	i = s.space(i + 1)
	if i < len(record) && record[i] == '}' {
		i++
		goto behind
	}
	for {
		if i >= len(record) || record[i] != '"' {
			s.fail(i, "not valid JSON: no key where one belongs")
			break
		}
		keyStart := i
		keyEnd, escapes := s.str(i + 1)
		i = s.colon(keyEnd)
		if s.err != nil {
			break
		}
		var (
			start  = i
			name   = record[keyStart+1 : keyEnd-1]
			into   *[]byte
			wanted field
		)
		if escapes {
			name = unquote(record[keyStart:keyEnd])
		}
		switch string(name) {
		case "eventTime":
			into, wanted = &time, eventTime
		case "eventID":
			into, wanted = &id, eventID
		case "eventSource":
			into, wanted = &hot.Source, eventSource
		case "eventName":
			into, wanted = &hot.Name, eventName
		case "recipientAccountId":
			into, wanted = &hot.Account, recipientAccountID
		case "awsRegion":
			into, wanted = &hot.Region, awsRegion
		case "addendum":
			wanted = addendumObject
		}
		if i < len(record) && record[i] == '"' {
			i, escapes = s.str(i + 1)
			if s.err == nil && into != nil && seen&wanted == 0 {
				*into = text(record[start:i], escapes)
			}
		} else {
			i = s.value(i, 1)
			if s.err == nil && seen&wanted == 0 && wanted == addendumObject {
				addendum = record[start:i]
			}
		}
		seen |= wanted

		if i < len(record) && isSpace(record[i]) {
			i = s.space(i)
		}
		if i < len(record) && record[i] == '}' {
			i++
			break
		}
		if i >= len(record) || record[i] != ',' {
			s.fail(i, "not valid JSON: neither comma nor end behind a value")
			break
		}
		if i++; i < len(record) && isSpace(record[i]) {
			i = s.space(i)
		}
	}
behind:
	if i = s.space(i); i < len(record) {
		s.fail(i, "not valid JSON: something follows the record")
	}
	if s.err != nil {
		return Hot{}, s.err
	}

	if seen&eventTime == 0 {
		return Hot{}, ErrNoTime
	}
	var ok bool
	if hot.Time, ok = parseTime(time); !ok {
		return Hot{}, ErrOddTime
	}
	hot.Identity = id
	if addendum != nil {
		if original := updates(addendum); original != "" {
			hot.Identity = []byte(original)
		}
	}
	if len(hot.Identity) == 0 {
		hot.Identity = []byte(origin.String())
	}
	if len(hot.Identity) > MaxIdentity {
		hot.Identity = fmt.Appendf(nil, "sha256:%x", sha256.Sum256(hot.Identity))
	}
	return hot, nil
}

// field is a set of the keys that Decode looks for.
type field uint8

const (
	eventTime field = 1 << iota
	eventID
	eventSource
	eventName
	recipientAccountID
	awsRegion
	addendumObject
)

// updates is the eventID that an addendum is an update of. Addenda are rare.
func updates(addendum []byte) string {
	fields := gjson.GetManyBytes(addendum, "reason", "originalEventID")
	if fields[0].Type != gjson.String || fields[0].Str != "UPDATED_DATA" || fields[1].Type != gjson.String {
		return ""
	}
	return string(text([]byte(`"`+fields[1].Str+`"`), false))
}
