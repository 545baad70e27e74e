package sigma

import (
	"strconv"
	"time"
)

// bounds are the least and the greatest value of a part.
func (p TimePart) bounds() (first, last int) {
	switch p {
	case Minute:
		return 0, 59
	case Hour:
		return 0, 23
	case Day:
		return 1, 31
	case Week:
		return 1, 53
	case Month:
		return 1, 12
	}
	return 0, 9999
}

// timePart appends the part of a point in time as a number. It is taken as the
// text has it, in its own offset, not in UTC. The text is RFC 3339: a date, a T
// or a space, a time with seconds and maybe a fraction, and Z or an offset.
func timePart(dst []byte, s string, part TimePart) ([]byte, bool) {
	// 2026-03-02T08:00:00Z
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' ||
		s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return dst, false
	}
	year, month, day := twoDigits(s[0:2])*100+twoDigits(s[2:4]), twoDigits(s[5:7]), twoDigits(s[8:10])
	hour, minute, second := twoDigits(s[11:13]), twoDigits(s[14:16]), twoDigits(s[17:19])
	if twoDigits(s[0:2]) < 0 || twoDigits(s[2:4]) < 0 || month < 1 || month > 12 || day < 1 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 || !isOffset(s[19:]) {
		return dst, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day { // the month is shorter
		return dst, false
	}
	value := year
	switch part {
	case Minute:
		value = minute
	case Hour:
		value = hour
	case Day:
		value = day
	case Week:
		_, value = date.ISOWeek()
	case Month:
		value = month
	}
	return strconv.AppendInt(dst, int64(value), 10), true
}

// isOffset reads what follows the seconds: a fraction maybe, and an offset.
func isOffset(s string) bool {
	if s != "" && s[0] == '.' {
		fraction, rest := digits(s[1:])
		if fraction == "" {
			return false
		}
		s = rest
	}
	switch {
	case s == "Z", s == "z":
		return true
	case len(s) != len("+00:00"), s[0] != '+' && s[0] != '-', s[3] != ':':
		return false
	}
	hours, minutes := twoDigits(s[1:3]), twoDigits(s[4:6])
	return 0 <= hours && hours <= 23 && 0 <= minutes && minutes <= 59
}

// twoDigits returns the number that two digits spell; far below zero for
// anything else.
func twoDigits(s string) int {
	a, b := int(s[0])-'0', int(s[1])-'0'
	if a < 0 || a > 9 || b < 0 || b > 9 {
		return -1_000_000
	}
	return a*10 + b
}
