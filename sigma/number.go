package sigma

import (
	"strconv"
	"strings"
)

// number is a decimal number of any length, as JSON spells it, in parts. It
// points into the text that it was read from.
type number struct {
	negative bool
	// The digits are those of whole followed by those of fraction, without
	// zeros at the start. No digits is zero.
	whole, fraction string
	// point is the number of digits before the decimal point: 1 for 5, 0 for
	// 0.5, -1 for 0.05, 3 for 5e2.
	point int
}

// maxExponent bounds exponents: every number beyond is taken for one with this
// exponent, which no record has in earnest.
const maxExponent = 1 << 30

// parseNumber takes a number apart for which isNumber or isInteger holds.
func parseNumber(s string) number {
	var n number
	s, n.negative = strings.CutPrefix(s, "-")
	n.whole, s = digits(s)
	if strings.HasPrefix(s, ".") {
		n.fraction, s = digits(s[1:])
	}
	if s != "" { // e or E
		sign := 1
		s = s[1:]
		if s != "" && (s[0] == '-' || s[0] == '+') {
			if s[0] == '-' {
				sign = -1
			}
			s = s[1:]
		}
		for i := 0; i < len(s) && n.point < maxExponent; i++ {
			n.point = min(n.point*10+int(s[i]-'0'), maxExponent)
		}
		n.point *= sign
	}
	if n.whole = strings.TrimLeft(n.whole, "0"); n.whole == "" {
		significant := strings.TrimLeft(n.fraction, "0")
		n.point -= len(n.fraction) - len(significant)
		n.fraction = significant
	}
	n.point += len(n.whole)
	if n.whole == "" && n.fraction == "" {
		return number{}
	}
	return n
}

func (n *number) len() int { return len(n.whole) + len(n.fraction) }

// digit returns the i-th digit; after the last come zeros.
func (n *number) digit(i int) byte {
	if i < len(n.whole) {
		return n.whole[i]
	}
	if i -= len(n.whole); i < len(n.fraction) {
		return n.fraction[i]
	}
	return '0'
}

// compareNumbers returns -1, 0 or 1 as a is less than, equal to or greater
// than b. It is exact: no number passes through a float.
func compareNumbers(a, b number) int {
	zeroA, zeroB := a.len() == 0, b.len() == 0
	switch {
	case zeroA && zeroB:
		return 0
	case zeroA:
		return order(!b.negative)
	case zeroB:
		return order(a.negative)
	case a.negative != b.negative:
		return order(a.negative)
	case a.point != b.point:
		return order((a.point < b.point) != a.negative)
	}
	for i := range max(a.len(), b.len()) {
		if x, y := a.digit(i), b.digit(i); x != y {
			return order((x < y) != a.negative)
		}
	}
	return 0
}

func order(less bool) int {
	if less {
		return -1
	}
	return 1
}

// decimal writes a YAML number as JSON would. A whole number with leading
// zeros stays as it is written: in CloudTrail that is an account, not an
// octal number.
func decimal(s string) string {
	if isNumber(s) || isInteger(s) {
		return s
	}
	if i, err := strconv.ParseInt(s, 0, 64); err == nil { // 0x1f, 0o17, 1_000, +1
		return strconv.FormatInt(i, 10)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil { // .5, 1., +1.5
		if text := strconv.FormatFloat(f, 'g', -1, 64); isNumber(text) {
			return text
		}
	}
	return s
}

// isInteger reports whether s is a whole number, which may have leading zeros.
func isInteger(s string) bool {
	whole, rest := digits(strings.TrimPrefix(s, "-"))
	return whole != "" && rest == ""
}

// isNumber reports whether s is a number as JSON spells it.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, rest := digits(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	if strings.HasPrefix(rest, ".") {
		fraction, after := digits(rest[1:])
		if fraction == "" {
			return false
		}
		rest = after
	}
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		exponent, after := digits(rest)
		if exponent == "" {
			return false
		}
		rest = after
	}
	return rest == ""
}

func digits(s string) (head, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}
