package generator

import (
	"math/rand/v2"
	"time"
)

// writer appends records to a buffer. It has what the places of a template are
// filled from.
type writer struct {
	b       []byte
	r       *rand.Rand
	account *account
	region  string
	// at is the time of the event, in seconds since the Unix epoch.
	at int64
	// choice is which of the account's things the record is about.
	choice int
	// The calendar day that was written last, since most events share one.
	day  int64
	date [len("2006-01-02T")]byte
}

// digits appends n digits of an alphabet whose length is a power of two up to
// 64, as ten of them fit into one random number.
func (w *writer) digits(n int, alphabet string) {
	mask := uint64(len(alphabet) - 1)
	for n > 0 {
		x := w.r.Uint64()
		for i := 0; i < 10 && n > 0; i++ {
			w.b = append(w.b, alphabet[x&mask])
			x >>= 6
			n--
		}
	}
}

// decimal appends a number of n decimal digits, at most 18.
func (w *writer) decimal(n int) {
	x := w.r.Uint64()
	w.b = append(w.b, '1'+byte(x%9))
	for range n - 1 {
		x /= 10
		w.b = append(w.b, '0'+byte(x%10))
	}
}

// uuid appends a UUID of version 4.
func (w *writer) uuid() { w.b = appendUUID(w.b, w.r) }

func appendUUID(b []byte, r *rand.Rand) []byte {
	const digits = "0123456789abcdef"
	hi, lo := r.Uint64(), r.Uint64()
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 2<<62
	for i := 60; i >= 0; i -= 4 {
		b = append(b, digits[hi>>i&15])
		if i == 32 || i == 16 {
			b = append(b, '-')
		}
	}
	b = append(b, '-')
	for i := 60; i >= 0; i -= 4 {
		b = append(b, digits[lo>>i&15])
		if i == 48 {
			b = append(b, '-')
		}
	}
	return b
}

// time appends a time as CloudTrail writes it.
func (w *writer) time(at int64) {
	day, rest := at/86400, at%86400
	if day != w.day || w.date[0] == 0 {
		w.day = day
		time.Unix(at, 0).UTC().AppendFormat(w.date[:0], "2006-01-02T")
	}
	two := func(n int64, behind byte) { w.b = append(w.b, '0'+byte(n/10), '0'+byte(n%10), behind) }
	w.b = append(w.b, w.date[:]...)
	two(rest/3600, ':')
	two(rest/60%60, ':')
	two(rest%60, 'Z')
}

// sessionStart is when the session began that a role has at a time: its
// credentials live from one hour to the next.
func sessionStart(at int64) int64 { return at - at%3600 - 1500 }

// pick appends the thing that the record is about.
func (w *writer) pick(from []string) { w.b = append(w.b, from[w.choice%len(from)]...) }

// text appends a JSON string that needs no escapes.
func (w *writer) text(s string) {
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}
