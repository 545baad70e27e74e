package sigma

// Numbers of correlations are counted in millionths: sums of integers do not
// depend on the order of the addends.
const (
	million = 1_000_000
	// maxMillionths is 9e12 in millionths. An int64 holds a little more.
	maxMillionths = 9_000_000_000_000 * million
)

// parseMillionths reads a number as JSON spells it, or a whole one with leading
// zeros, exactly: half a millionth is rounded away from zero. It reports false
// for any other text, and for a number beyond 9e12 either way. exact says that
// nothing was rounded.
func parseMillionths(s string) (n int64, exact, ok bool) {
	if !isNumber(s) && !isInteger(s) {
		return 0, false, false
	}
	x := parseNumber(s)
	// The digits before place make up the millionths, the one after decides
	// about rounding.
	place := x.point + 6
	exact = true
	for i := range max(place, x.len()) {
		digit := int64(x.digit(i) - '0')
		switch {
		case i < place && n > maxMillionths/10:
			return 0, false, false
		case i < place:
			n = n*10 + digit
		case i == place && digit >= 5:
			n++
		}
		if n > maxMillionths {
			return 0, false, false
		}
		exact = exact && (i < place || digit == 0)
	}
	if x.negative {
		n = -n
	}
	return n, exact, true
}
