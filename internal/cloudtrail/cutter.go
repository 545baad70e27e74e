package cloudtrail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// Defaults of CutterOptions.
const (
	// DefaultSliceBytes is what was measured to be a good message: larger ones
	// are no faster and hold more memory.
	DefaultSliceBytes = 512 << 10
	// DefaultMaxRecord is four times the 256 kB that CloudTrail states as the
	// limit of an event.
	DefaultMaxRecord = 1 << 20
)

// CutterOptions bound a Cutter. The cuts depend on them and on the content, and
// on nothing else.
type CutterOptions struct {
	// SliceBytes is the length of a slice that is not exceeded unless a single
	// record does; DefaultSliceBytes when 0.
	SliceBytes int
	// MaxRecord is the length in bytes beyond which a record is left out as
	// bad; DefaultMaxRecord when 0.
	MaxRecord int
	// Bad is told of every record that is left out, in order, before the slice
	// that comes after it in the stream is returned. An error ends the cutting
	// and is returned by Next as it is. Bad may be nil.
	Bad func(BadRecord) error
}

// BadRecord is something between the records that no slice contains as a
// record.
type BadRecord struct {
	// Offset and Length in the decompressed object, in bytes.
	Offset, Length uint64
	// Reason is one line without any content of the record.
	Reason string
}

// Slice is a run of whole records.
type Slice struct {
	// Offset of Data in the decompressed object, in bytes.
	Offset uint64
	// Data reaches from the first byte of the first record to the last byte of
	// the last. What stands between two records is inside. It is valid until
	// the next call of Next.
	Data []byte
	// Starts of the records from the start of Data, ascending, and their
	// Lengths. Valid as long as Data.
	Starts, Lengths []uint32
}

// Record is the record with the number i, from 0.
func (s Slice) Record(i int) []byte {
	start, length := s.Starts[i], s.Lengths[i]
	return s.Data[start : start+length : start+length]
}

// Cutter cuts the decompressed bytes of a log object into slices of whole
// records. It looks for the borders of records, that is for strings and depth,
// and leaves their syntax to Decode: each byte is looked at once.
//
// The shape is found by content. After white space and a byte order mark come
// one or more of
//
//   - {"Records": [record, …], …}, with other keys before and after
//   - [record, …]
//   - a record, that is an object with a key such as eventTime; one a line is
//     NDJSON, and a line that breaks off costs itself and no other
//
// Elements of an array that are no objects count as records, for Decode to
// refuse one by one.
type Cutter struct {
	r          io.Reader
	bad        func(BadRecord) error
	sliceBytes int
	maxRecord  int

	// buf[:pos] has been looked at, buf[0] is at base in the stream.
	buf  []byte
	base uint64
	pos  int
	// What a read returned together with the last bytes.
	readErr error
	// What Next says from now on.
	err error

	state state
	// How much of the byte order mark was seen.
	mark int
	// Values begun outside all.
	values int
	// Whether the last of them was an object without Records, so that this may
	// be NDJSON and a line can be left out.
	lines bool
	// Whether the first record outside all was seen, and stood in one line: one
	// that does not end in its line is broken then, and the next line is not.
	record, lined bool
	// The first value, when it is no record: the reason to refuse the object if
	// nothing follows, a bad record if something does.
	odd *BadRecord
	// Whether the end of an array of records returns to an object.
	wrapped bool

	// The value being looked at. start is its first byte in buf, -1 when it is
	// not kept, since it is too long or its object holds records; offset is the
	// same in the stream.
	start    int
	offset   uint64
	depth    int
	inString bool
	escaped  bool
	// Of an object outside all: its string at depth 1 being looked at (-1 when
	// it is too long for a key of interest), which key that was, and which keys
	// came.
	keyStart int
	key      key
	keys     key

	// The slice being filled: its records, its first byte in buf and the byte
	// behind its last.
	starts, lengths []uint32
	first, last     int
	// The complete record that did not fit any more, with which the next slice
	// begins; waitEnd is 0 when there is none.
	waitStart, waitEnd int
}

// state is what the next byte belongs to.
type state uint8

const (
	atTop     state = iota // between values, outside all
	inLine                 // rest of a line that is no JSON, outside all
	inArray                // between the records of an array
	inScalar               // number, true, false, null or junk, in an array
	inValue                // object, array or string, in an array
	inObject               // object outside all: it is a record, or holds them
	pastKey                // behind a string of interest at depth 1 of such an object
	inRecords              // behind the colon of Records
)

// key is a set of keys of an object outside all, by which its kind is known.
type key uint8

const (
	recordsKey key = 1 << iota // Records
	recordKey                  // any that every record has
	digestKey                  // one that every digest has
)

// brokenLine is the reason of what is left out between the lines of NDJSON.
const brokenLine = "a line that is not a JSON object"

// longestKey bounds how much of a string is kept to be compared with Records:
// quotes and seven times \u0000, and a little.
const longestKey = 48

// keyOf says which key a string is, given with its quotes.
func keyOf(quoted []byte) key {
	name := quoted[1 : len(quoted)-1]
	if len(quoted) <= longestKey && bytes.IndexByte(name, '\\') >= 0 {
		name = unquote(quoted)
	}
	switch string(name) {
	case "Records":
		return recordsKey
	case "eventTime", "eventName", "eventSource", "eventID", "eventVersion", "userIdentity":
		return recordKey
	case "digestStartTime":
		return digestKey
	}
	return 0
}

// byteOrderMark is U+FEFF in UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

// readBytes is the room that a read is given at least.
const readBytes = 32 << 10

// NewCutter returns a Cutter that reads r, in pieces of any size. It holds
// about SliceBytes and MaxRecord in memory, whatever the length of the object.
func NewCutter(r io.Reader, options CutterOptions) *Cutter {
	c := &Cutter{bad: options.Bad, sliceBytes: options.SliceBytes, maxRecord: options.MaxRecord}
	if c.sliceBytes <= 0 {
		c.sliceBytes = DefaultSliceBytes
	}
	if c.maxRecord <= 0 {
		c.maxRecord = DefaultMaxRecord
	}
	c.Reset(r)
	return c
}

// Reset makes c as new for another object. It keeps buffer and options.
func (c *Cutter) Reset(r io.Reader) {
	*c = Cutter{
		r: r, bad: c.bad, sliceBytes: c.sliceBytes, maxRecord: c.maxRecord,
		buf: c.buf[:0], starts: c.starts[:0], lengths: c.lengths[:0], start: -1, keyStart: -1,
	}
}

// Next returns the next slice, which has at least one record, and io.EOF at the
// proper end of the object.
//
// An object that is in none of the shapes, or that ends too early, gives all
// its complete records first and then a *FormatError. When reading fails with
// anything else, that error comes at once, wrapped: a slice that was not full
// yet is not given, since another attempt would cut the same bytes elsewhere,
// and what is cut twice in two ways passes for different records.
func (c *Cutter) Next() (Slice, error) {
	c.starts, c.lengths = c.starts[:0], c.lengths[:0]
	if c.waitEnd > 0 {
		c.append(c.waitStart, c.waitEnd)
		c.waitEnd = 0
	}
	for c.err == nil {
		full, err := c.step()
		if full {
			return c.slice(), nil
		}
		c.err = err
	}
	var format *FormatError
	if len(c.starts) > 0 && (c.err == io.EOF || errors.As(c.err, &format)) {
		return c.slice(), nil
	}
	return Slice{}, c.err
}

func (c *Cutter) slice() Slice {
	return Slice{
		Offset: c.base + uint64(c.first),
		Data:   c.buf[c.first:c.last:c.last],
		Starts: c.starts, Lengths: c.lengths,
	}
}

// here is the offset of the next byte in the stream.
func (c *Cutter) here() uint64 { return c.base + uint64(c.pos) }

// step goes on until the state changes or everything read has been looked at.
// It reports whether the slice is full.
func (c *Cutter) step() (full bool, err error) {
	if c.pos == len(c.buf) {
		// Whatever comes cannot fit any more. Said before more is read, so that
		// a gap of any length between two records needs no memory.
		if len(c.starts) > 0 && c.pos-c.first > c.sliceBytes {
			return true, nil
		}
		return false, c.fill()
	}
	switch c.state {
	case atTop:
		return false, c.top()
	case inLine:
		return false, c.line()
	case inArray:
		return false, c.array()
	case inScalar:
		return c.scalar()
	case inValue, inObject:
		return c.value()
	case pastKey:
		c.pastKey()
		return false, nil
	default:
		return false, c.records()
	}
}

// top looks for the next value outside all.
func (c *Cutter) top() error {
	for ; c.pos < len(c.buf); c.pos++ {
		ch := c.buf[c.pos]
		if isSpace(ch) {
			continue
		}
		if c.mark < len(byteOrderMark) && c.here() == uint64(c.mark) && ch == byteOrderMark[c.mark] {
			c.mark++
			continue
		}
		if c.odd != nil {
			odd := *c.odd
			c.odd = nil
			if err := c.leaveOut(odd); err != nil {
				return err
			}
		}
		switch {
		case ch == '{':
			c.values++
			c.keys = 0
			c.begin(inObject)
		case ch == '[':
			c.values++
			c.pos++
			c.state, c.wrapped = inArray, false
		case c.lines:
			c.state, c.offset = inLine, c.here()
		case c.values > 0:
			return &FormatError{c.here(), "something follows the end of the JSON"}
		default:
			return &FormatError{c.here(), "not JSON: it begins with neither { nor ["}
		}
		return nil
	}
	return nil
}

// line leaves out the rest of a line.
func (c *Cutter) line() error {
	i := bytes.IndexByte(c.buf[c.pos:], '\n')
	if i < 0 {
		c.pos = len(c.buf)
		return nil
	}
	c.pos += i
	c.state = atTop
	return c.leaveOut(BadRecord{c.offset, c.here() - c.offset, brokenLine})
}

// array looks for the next record of an array. It does not insist on commas:
// records without one between them are as good.
func (c *Cutter) array() error {
	for ; c.pos < len(c.buf); c.pos++ {
		switch ch := c.buf[c.pos]; {
		case ch == ',' || isSpace(ch):
			continue
		case ch == '{' || ch == '[' || ch == '"':
			c.begin(inValue)
		case ch == ']' && c.wrapped:
			c.pos++
			c.state, c.depth = inObject, 1
		case ch == ']':
			c.pos++
			c.state, c.lines = atTop, false
		case ch == '}' || ch == ':':
			return &FormatError{c.here(), fmt.Sprintf("a %c stands between the records", ch)}
		default:
			c.begin(inScalar)
		}
		return nil
	}
	return nil
}

// begin starts a value at pos.
func (c *Cutter) begin(s state) {
	c.state, c.start, c.offset = s, c.pos, c.here()
	c.depth, c.inString, c.escaped = 0, false, false
}

// scalar looks for the end of a number, a literal or junk.
func (c *Cutter) scalar() (full bool, err error) {
	for ; c.pos < len(c.buf); c.pos++ {
		switch c.buf[c.pos] {
		case ' ', '\t', '\n', '\r', ',', ']', '}', '[', '{', '"', ':':
			c.state = inArray
			return c.complete()
		}
	}
	return false, nil
}

// class says which bytes outside a string matter to the depth.
var class = [256]uint8{'"': quote, '{': open, '[': open, '}': shut, ']': shut}

const (
	quote = 1 + iota
	open
	shut
)

// value looks for the end of an object, array or string. Whether a } closes a {
// or a [ is not its business: Decode refuses what does not fit, and the records
// behind it are as good as they were.
func (c *Cutter) value() (full bool, err error) {
	var (
		b, i, depth = c.buf, c.pos, c.depth
		top         = c.state == inObject
		from        int
	)
	if top && c.lined {
		switch n := bytes.IndexByte(b[i:], '\n'); {
		case n == 0:
			c.start, c.keyStart, c.state = -1, -1, atTop
			return false, c.leaveOut(BadRecord{c.offset, c.here() - c.offset, brokenLine})
		case n > 0:
			b = b[:i+n] // if it is not closed there, we come back
		}
	}
	if c.inString {
		goto inside
	}

outside:
	for {
		if i >= len(b) {
			c.pos, c.depth = i, depth
			return false, nil
		}
		switch class[b[i]] {
		case quote:
			if top && depth == 1 {
				c.keyStart = i
			}
			i++
			goto inside
		case open:
			depth++
		case shut:
			depth--
			if depth == 0 {
				c.pos = i + 1
				return c.closed()
			}
		}
		i++
	}

inside:
	if c.escaped {
		c.escaped = false
		i++
	}
	for from = i; ; {
		n := quoteAt(b[i:])
		if n < 0 {
			c.escaped = oddBackslashes(b[from:])
			c.pos, c.depth, c.inString = len(b), depth, true
			return false, nil
		}
		i += n + 1
		if i-1 == from || b[i-2] != '\\' || !oddBackslashes(b[from:i-1]) {
			break
		}
	}
	c.inString = false
	switch {
	case depth == 0:
		c.pos = i
		return c.closed()
	case c.keyStart >= 0:
		c.key = keyOf(b[c.keyStart:i])
		c.keyStart = -1
		if c.key != 0 {
			c.pos, c.depth, c.state = i, depth, pastKey
			return false, nil
		}
	}
	goto outside
}

// quoteAt is bytes.IndexByte for a quote, faster where it is near: most strings
// of a record are short.
func quoteAt(b []byte) int {
	if len(b) >= 16 {
		w := binary.LittleEndian.Uint64(b) ^ ones*'"'
		if at := (w - ones) &^ w & highs; at != 0 {
			return bits.TrailingZeros64(at) / 8
		}
		w = binary.LittleEndian.Uint64(b[8:]) ^ ones*'"'
		if at := (w - ones) &^ w & highs; at != 0 {
			return 8 + bits.TrailingZeros64(at)/8
		}
	}
	return bytes.IndexByte(b, '"')
}

// oddBackslashes reports whether b leaves the byte behind it escaped.
func oddBackslashes(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// pastKey tells a key from a value: a colon follows.
func (c *Cutter) pastKey() {
	for ; c.pos < len(c.buf); c.pos++ {
		ch := c.buf[c.pos]
		if isSpace(ch) && !(c.lined && ch == '\n') {
			continue
		}
		c.state = inObject
		if ch == ':' {
			c.keys |= c.key
			if c.key == recordsKey {
				c.pos++
				c.state, c.start, c.lined = inRecords, -1, false
			}
		}
		return
	}
}

// records looks for the array of Records.
func (c *Cutter) records() error {
	for ; c.pos < len(c.buf); c.pos++ {
		ch := c.buf[c.pos]
		if isSpace(ch) {
			continue
		}
		if ch != '[' {
			return &FormatError{c.here(), "Records is not an array"}
		}
		c.pos++
		c.state, c.wrapped = inArray, true
		return nil
	}
	return nil
}

// closed handles the end of an object, array or string.
func (c *Cutter) closed() (full bool, err error) {
	if c.state == inValue {
		c.state = inArray
		return c.complete()
	}
	c.state, c.lines = atTop, c.keys&recordsKey == 0
	if !c.lines {
		return false, nil
	}
	if c.keys&recordKey != 0 {
		if !c.record && c.start >= 0 && c.pos-c.start <= c.maxRecord {
			c.record = true
			c.lined = bytes.IndexByte(c.buf[c.start:c.pos], '\n') < 0
		}
		return c.complete()
	}
	c.start = -1
	odd := BadRecord{c.offset, c.here() - c.offset, "a JSON object that has no Records and is no record"}
	if c.keys&digestKey != 0 {
		odd.Reason = "a digest of CloudTrail, which lists log files and has no records"
	}
	if c.values > 1 {
		return false, c.leaveOut(odd)
	}
	c.odd = &odd
	return false, nil
}

// complete handles the end of a record. It reports whether the slice is full,
// the record then being the first of the next.
func (c *Cutter) complete() (full bool, err error) {
	start, end := c.start, c.pos
	c.start = -1
	if start < 0 || end-start > c.maxRecord {
		return false, c.leaveOut(BadRecord{
			c.offset, c.here() - c.offset,
			fmt.Sprintf("a record of more than %d bytes", c.maxRecord),
		})
	}
	if len(c.starts) > 0 && end-c.first > c.sliceBytes {
		c.waitStart, c.waitEnd = start, end
		return true, nil
	}
	c.append(start, end)
	return false, nil
}

// append puts a record into the slice.
func (c *Cutter) append(start, end int) {
	if len(c.starts) == 0 {
		c.first = start
	}
	c.starts = append(c.starts, uint32(start-c.first))
	c.lengths = append(c.lengths, uint32(end-start))
	c.last = end
}

func (c *Cutter) leaveOut(record BadRecord) error {
	if c.bad == nil {
		return nil
	}
	return c.bad(record)
}

// fill reads more, behind what has to be kept.
func (c *Cutter) fill() error {
	if c.readErr != nil {
		return c.readFailed(c.readErr)
	}
	if c.start >= 0 && c.pos-c.start > c.maxRecord {
		c.start = -1
	}
	if c.keyStart >= 0 && c.pos-c.keyStart > longestKey {
		c.keyStart = -1
	}
	c.makeRoom()
	for range 100 {
		n, err := c.r.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		c.readErr = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return c.readFailed(err)
		}
	}
	return c.readFailed(io.ErrNoProgress)
}

// makeRoom moves what has to be kept to the front, or makes the buffer larger.
// Both are done seldom enough to cost little a byte.
func (c *Cutter) makeRoom() {
	keep := len(c.buf)
	if len(c.starts) > 0 {
		keep = c.first
	}
	if c.start >= 0 {
		keep = min(keep, c.start)
	}
	if c.keyStart >= 0 {
		keep = min(keep, c.keyStart)
	}
	kept := len(c.buf) - keep
	room := cap(c.buf) - len(c.buf)
	limit := c.sliceBytes + c.maxRecord + longestKey + readBytes
	switch {
	case keep > 0 && (kept <= keep/8 || room == 0 && (kept <= keep || cap(c.buf) >= limit)):
		copy(c.buf, c.buf[keep:])
		c.buf = c.buf[:kept]
	case room == 0:
		larger := make([]byte, kept, min(max(2*cap(c.buf), 2*readBytes), limit))
		copy(larger, c.buf[keep:])
		c.buf = larger
	default:
		return
	}
	c.base += uint64(keep)
	c.pos -= keep
	c.first -= keep
	c.last -= keep
	if c.start >= 0 {
		c.start -= keep
	}
	if c.keyStart >= 0 {
		c.keyStart -= keep
	}
}

// readFailed says what the end of the stream means.
func (c *Cutter) readFailed(err error) error {
	var format *FormatError
	switch {
	case errors.As(err, &format):
		return err
	case err != io.EOF:
		return fmt.Errorf("reading the object failed after %d bytes: %w", c.here(), err)
	}
	switch c.state {
	case atTop:
	case inLine:
		c.state = atTop
		if err := c.leaveOut(BadRecord{c.offset, c.here() - c.offset, brokenLine}); err != nil {
			return err
		}
	case inScalar, inValue:
		return &FormatError{c.here(), "the object ends in the middle of a record"}
	case inArray:
		return &FormatError{c.here(), "the object ends before the ] of its records"}
	default:
		return &FormatError{c.here(), "the object ends in the middle of a JSON object"}
	}
	switch {
	case c.odd != nil:
		return &FormatError{c.odd.Offset, c.odd.Reason}
	case c.values == 0:
		return &FormatError{c.here(), "the object is empty"}
	}
	return io.EOF
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
