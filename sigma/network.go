package sigma

import (
	"fmt"
	"net/netip"
	"strings"
)

// parseNetwork reads the value of "cidr": a network, or one address. Bits after
// the prefix mean nothing.
func parseNetwork(tokens []rune) (netip.Prefix, error) {
	text := "" // with a wildcard it is no network
	if isLiteral(tokens) {
		text = string(tokens)
	}
	if address, ok := parseAddress(text); ok {
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("modifier \"cidr\" takes a network such as 10.0.0.0/8 or 2001:db8::/32, or an address, not %q", shorten(spell(tokens)))
	}
	if address := prefix.Addr(); address.Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(address.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

// spell writes tokens as a rule does.
func spell(tokens []rune) string {
	var b strings.Builder
	for _, r := range tokens {
		switch r {
		case anyText:
			b.WriteByte('*')
		case anyRune:
			b.WriteByte('?')
		case '*', '?':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// parseAddress reads an IP address, without a zone; an IPv4 address mapped into
// IPv6 is the IPv4 address. It allocates nothing for text such as the name of a
// service, which package netip would make an error of.
func parseAddress(s string) (netip.Addr, bool) {
	colon := strings.IndexByte(s, ':')
	if colon < 0 {
		return parseIPv4(s)
	}
	if len(s) > 128 || strings.IndexByte(s[colon+1:], ':') < 0 || strings.ContainsAny(s, "/ ") {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(s)
	return address.Unmap().WithZone(""), err == nil
}

func parseIPv4(s string) (netip.Addr, bool) {
	var octets [4]byte
	for i := range octets {
		part, rest := digits(s)
		if part == "" || len(part) > 3 || len(part) > 1 && part[0] == '0' {
			return netip.Addr{}, false
		}
		n := 0
		for _, c := range []byte(part) {
			n = n*10 + int(c-'0')
		}
		if n > 255 {
			return netip.Addr{}, false
		}
		octets[i] = byte(n)
		if i < len(octets)-1 {
			if !strings.HasPrefix(rest, ".") {
				return netip.Addr{}, false
			}
			rest = rest[1:]
		}
		s = rest
	}
	return netip.AddrFrom4(octets), s == ""
}
