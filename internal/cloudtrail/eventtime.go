package cloudtrail

import "time"

// parseTime reads a time as in RFC 3339, in milliseconds since the Unix epoch.
// CloudTrail writes YYYY-MM-DDTHH:MM:SSZ, which is read here without the way
// through time.Parse; that one reads fractions and zones.
func parseTime(b []byte) (ms int64, ok bool) {
	if len(b) != len("2006-01-02T15:04:05Z") || b[19] != 'Z' {
		t, err := time.Parse(time.RFC3339, string(b))
		return t.UnixMilli(), err == nil
	}
	if b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	var bad byte
	two := func(i int) int {
		hi, lo := b[i]-'0', b[i+1]-'0'
		if hi > 9 || lo > 9 {
			bad = 1
		}
		return int(hi)*10 + int(lo)
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if bad != 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	days := daysBefore(year, month) + day - 1
	return 1000 * (int64(days)*86400 + int64(hour*3600+minute*60+second)), true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysBefore counts the days from 1970-01-01 to the first of a month in the
// Gregorian calendar. The year is taken to begin in March, so that the leap day
// is its last, and the months from March on then follow the pattern of
// (153m+2)/5.
func daysBefore(year, month int) int {
	m := month - 3
	if m < 0 {
		m += 12
		year--
	}
	// One era of 400 years up, so that nothing below is negative in the year 0.
	y := year + 400
	return y*365 + y/4 - y/100 + y/400 + (153*m+2)/5 - 719468 - 146097
}
