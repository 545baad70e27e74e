package generator

import "strconv"

// A template is text with places to fill in. A place is $ and a letter, for
// some with a number behind it:
//
//	$hN  N hexadecimal digits         $u  a UUID
//	$dN  N decimal digits             $p  a private address
//	$UN  N capitals and digits        $T  the time of the event
//	$cN  N characters of base64       $A  the account
//	$R   the region                   $X  when a session of that time expires
//
// and, out of what the account has (see account), the same all over a record but
// for instances:
//
//	$i instance  $v VPC  $s subnet  $g security group  $e network interface
//	$b bucket    $f application      $K key of KMS      $o object key
type template []segment

// segment is literal text and the place behind it; place is 0 at the end.
type segment struct {
	literal string
	place   byte
	n       int
}

// compile takes a template apart. The text is part of the program.
func compile(text string) template {
	var t template
	from := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '$' {
			continue
		}
		s := segment{literal: text[from:i], place: text[i+1]}
		i += 2
		digits := i
		switch s.place {
		case 'h', 'd', 'U', 'c':
			for i < len(text) && '0' <= text[i] && text[i] <= '9' {
				i++
			}
			n, err := strconv.Atoi(text[digits:i])
			if err != nil {
				panic("generator: no number at " + text[digits-2:])
			}
			s.n = n
		case 'u', 'p', 'T', 'A', 'R', 'X', 'i', 'v', 's', 'g', 'e', 'b', 'f', 'K', 'o':
		default:
			panic("generator: no such place: " + text[digits-2:])
		}
		t = append(t, s)
		from = i
		i--
	}
	return append(t, segment{literal: text[from:]})
}

// fill appends the template with its places filled in.
func (w *writer) fill(t template) {
	for i := range t {
		s := &t[i]
		w.b = append(w.b, s.literal...)
		switch s.place {
		case 'h':
			w.digits(s.n, "0123456789abcdef")
		case 'd':
			w.decimal(s.n)
		case 'U':
			w.digits(s.n, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
		case 'c':
			w.digits(s.n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
		case 'u':
			w.uuid()
		case 'p':
			w.b = append(w.b, "10.0."...)
			w.b = strconv.AppendUint(w.b, w.r.Uint64N(4), 10)
			w.b = append(w.b, '.')
			w.b = strconv.AppendUint(w.b, 4+w.r.Uint64N(250), 10)
		case 'T':
			w.time(w.at)
		case 'X':
			w.time(sessionStart(w.at) + 2*3600)
		case 'A':
			w.b = append(w.b, w.account.id...)
		case 'R':
			w.b = append(w.b, w.region...)
		case 'i':
			// There are several in some records.
			w.b = append(w.b, w.account.instances[w.r.IntN(len(w.account.instances))]...)
		case 'v':
			w.pick(w.account.vpcs)
		case 's':
			w.pick(w.account.subnets)
		case 'g':
			w.pick(w.account.groups)
		case 'e':
			w.pick(w.account.interfaces)
		case 'b':
			w.pick(w.account.buckets)
		case 'f':
			w.pick(w.account.applications)
		case 'K':
			w.pick(w.account.keys)
		case 'o':
			w.pick(w.account.objects)
			w.b = strconv.AppendInt(w.b, int64(10000+w.choice), 10)
			w.b = append(w.b, ".parquet"...)
		}
	}
}
