package sigma

import (
	"strconv"
	"strings"
)

// Numbers of correlations are counted in millionths: sums of integers do not
// depend on the order of the addends.
const (
	million = 1_000_000
	// maxMillionths is 9e12 in millionths. An int64 holds a little more.
	maxMillionths = 9_000_000_000_000 * million
)

// parseMillionths reads a decimal number, with or without a sign, a fraction
// and an exponent, exactly: half a millionth is rounded away from zero. It
// reports false for text that spells no number, and for a number beyond 9e12
// either way. exact says that nothing was rounded.
func parseMillionths(s string) (n int64, exact, ok bool) {
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	whole, rest := digits(s)
	fraction := ""
	if strings.HasPrefix(rest, ".") {
		fraction, rest = digits(rest[1:])
	}
	if whole == "" && fraction == "" {
		return 0, false, false
	}
	exponent := 0
	if rest != "" {
		if rest[0] != 'e' && rest[0] != 'E' {
			return 0, false, false
		}
		if exponent, ok = parseExponent(rest[1:]); !ok {
			return 0, false, false
		}
	}
	// The digits before place make up the millionths, the one after decides
	// about rounding.
	place := len(whole) + exponent + 6
	exact = true
	for i := range len(whole) + len(fraction) {
		digit := int64(digitAt(whole, fraction, i) - '0')
		switch {
		case i < place:
			if n > maxMillionths/10 {
				return 0, false, false
			}
			n = n*10 + digit
		case i == place && digit >= 5:
			n++
		}
		if i >= place && digit != 0 {
			exact = false
		}
		if n > maxMillionths {
			return 0, false, false
		}
	}
	for i := len(whole) + len(fraction); i < place && n != 0; i++ {
		if n > maxMillionths/10 {
			return 0, false, false
		}
		n *= 10
	}
	if negative {
		n = -n
	}
	return n, exact, true
}

func digitAt(whole, fraction string, i int) byte {
	if i < len(whole) {
		return whole[i]
	}
	return fraction[i-len(whole)]
}

// parseExponent reads a whole number with or without a sign. What is beyond
// any use comes back as a million: a number of so many digits is in no record.
func parseExponent(s string) (int, bool) {
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	number, rest := digits(s)
	if number == "" || rest != "" {
		return 0, false
	}
	n, err := strconv.Atoi(number)
	if err != nil || n > million {
		n = million
	}
	return sign * n, true
}
