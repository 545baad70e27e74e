package window

import (
	"encoding/binary"
	"encoding/hex"
)

// identity is an Event.ID in 16 bytes and without a pointer: most are UUIDs.
type identity struct {
	bytes [16]byte
	form  form
}

// form is how an identity is held: 0 to 16 is a text of this length, in place.
type form uint8

const (
	// formUUID is a UUID of lower-case digits, by its value, in the order of the
	// texts.
	formUUID form = 17 + iota
	// formSlot is any other text; the bytes say in which slot it is.
	formSlot
)

const uuidLen = len("8c7a5f0e-3b1d-4a52-9c1e-0f6b2d4e8a17")

// pack returns an identity, and false if it needs a slot.
func pack(id string) (n identity, ok bool) {
	if len(id) <= len(n.bytes) {
		copy(n.bytes[:], id)
		n.form = form(len(id))
		return n, true
	}
	if len(id) != uuidLen {
		return n, false
	}
	n.form = formUUID
	for i, k := 0, 0; k < len(n.bytes); i, k = i+2, k+1 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if id[i] != '-' {
				return n, false
			}
			i++
		}
		high, low := digit(id[i]), digit(id[i+1])
		if high > 15 || low > 15 {
			return n, false
		}
		n.bytes[k] = high<<4 | low
	}
	return n, true
}

// digit returns the value of a hexadecimal digit, or more than 15.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}

// text returns what was packed, which needs no slot.
func (n *identity) text() string {
	if n.form < formUUID {
		return string(n.bytes[:n.form])
	}
	var text [uuidLen]byte
	from, b := 0, text[:0]
	for _, to := range [...]int{4, 6, 8, 10, 16} {
		if from > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, n.bytes[from:to])
		from = to
	}
	return string(b)
}

// slot is where an identity is that needs one.
func (n *identity) slot() uint32 { return binary.NativeEndian.Uint32(n.bytes[:]) }
