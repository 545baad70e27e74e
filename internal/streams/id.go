package streams

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// ObjectID is the message id of an object reference: a hash of bucket and key.
// The etag is not part of it, since one kind of notification has none and some
// servers give none.
func ObjectID(bucket, key string) string { return hash(bucket, key) }

// BatchID is the message id of a slice, in BATCHES and in EVENTS: the object,
// and which bytes of it. A running number would not do: with another batch
// size it would call other content a duplicate.
func BatchID(object string, offset uint64, size uint32) string {
	return object + "#" + strconv.FormatUint(offset, 10) + "+" + strconv.FormatUint(uint64(size), 10)
}

// MatchesID is the message id of the matches of one event batch for one
// partition. A hash of the content is part of it: a batch that is matched again
// with other rules has other matches, and these are no repeat.
func MatchesID(batch string, partition int, content []byte) string {
	return batch + "/" + strconv.Itoa(partition) + "/" + strconv.FormatUint(xxhash.Sum64(content), 16)
}

// DeadID is the message id of a dead letter. Detail tells apart the letters
// that one input caused; it is empty for the input itself.
func DeadID(stage, stream string, sequence uint64, detail string) string {
	id := stage + "/" + stream + "/" + strconv.FormatUint(sequence, 10)
	if detail != "" {
		id += "/" + detail
	}
	return id
}

// DeadDetail tells apart letters about parts of one input: by where the part is,
// and by a hash of what is wrong with it. A record may be too large for each of
// several correlations.
func DeadDetail(offset uint64, reason string) string {
	return strconv.FormatUint(offset, 10) + "/" + strconv.FormatUint(xxhash.Sum64String(reason), 16)
}

// Group names a group of a correlation: a hash of the correlation's id and the
// values of its group-by fields.
type Group [16]byte

// GroupOf returns the name of a group.
func GroupOf(correlation string, values []string) Group {
	return sum(append([]string{correlation}, values...)...)
}

// String returns the name as it stands in subjects: 32 hexadecimal digits.
func (g Group) String() string { return hex.EncodeToString(g[:]) }

// parseGroup reads what String wrote.
func parseGroup(s string) (Group, bool) {
	var g Group
	if len(s) != hex.EncodedLen(len(g)) {
		return g, false
	}
	_, err := hex.Decode(g[:], []byte(s))
	return g, err == nil
}

// Partition says which partition a group belongs to.
func Partition(g Group, partitions int) int {
	sum := sha256.Sum256([]byte(g.String()))
	return (int(sum[0])<<8 | int(sum[1])) % partitions
}

// hash is sum as 32 hexadecimal digits.
func hash(parts ...string) string {
	s := sum(parts...)
	return hex.EncodeToString(s[:])
}

// sum is 128 bits of SHA-256 over the parts, each with its length in front so
// that no two lists of parts run together.
func sum(parts ...string) [16]byte {
	h := sha256.New()
	var b []byte
	for _, p := range parts {
		b = strconv.AppendInt(b[:0], int64(len(p)), 10)
		b = append(b, ':')
		b = append(b, p...)
		h.Write(b)
	}
	return [16]byte(h.Sum(nil)[:16])
}
