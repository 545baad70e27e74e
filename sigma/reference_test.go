package sigma

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// The reference evaluator says what a rule means, slowly and plainly: records
// are map[string]any, strings are compared through regular expressions, and
// nothing is compiled or indexed. It shares no code with the matcher.

// referencePlaceholders are the values of placeholders in tests.
var referencePlaceholders = map[string][]string{
	"one":     {"xy"},
	"many":    {"x", "y*", `\*`, "-x"},
	"net":     {"10.0.0.0/8", "2001:db8::1"},
	"name":    {"RunInstances", "StopLogging"},
	"slashes": {"/enc"},
}

func referenceMatch(r *Rule, record map[string]any) bool {
	return referenceExpr(r.Condition, r, record)
}

func referenceExpr(x Expr, r *Rule, record map[string]any) bool {
	switch x := x.(type) {
	case And:
		for _, y := range x {
			if !referenceExpr(y, r, record) {
				return false
			}
		}
		return true
	case Or:
		for _, y := range x {
			if referenceExpr(y, r, record) {
				return true
			}
		}
		return false
	case Not:
		return !referenceExpr(x.X, r, record)
	case Ref:
		return referenceDetection(x.Name, r, record)
	case Of:
		count := 0
		for _, name := range x.Names {
			if referenceDetection(name, r, record) {
				count++
			}
		}
		if x.All {
			return count == len(x.Names)
		}
		return count > 0
	}
	panic("unknown expression")
}

func referenceDetection(name string, r *Rule, record map[string]any) bool {
	for _, s := range r.Detections {
		if s.Name != name {
			continue
		}
		for _, items := range s.Alternatives {
			all := true
			for i := range items {
				all = all && referenceItem(&items[i], record)
			}
			if all {
				return true
			}
		}
	}
	return false
}

func referenceItem(item *Item, record map[string]any) bool {
	count := 0
	for _, v := range item.Values {
		if referenceValue(item, v, record) {
			count++
		}
	}
	if item.Negated { // each value has been negated by itself
		if item.All {
			return count > 0
		}
		return count == len(item.Values)
	}
	if item.All {
		return count == len(item.Values)
	}
	return count > 0
}

func referenceValue(item *Item, v Value, record map[string]any) bool {
	if item.Field == "" {
		var strings []any
		referenceStrings(record, &strings)
		return referenceAny(item, v, strings)
	}
	found := referenceField(record, strings.Split(item.Field, "."))
	if item.FieldRef {
		var left, right []any
		for _, f := range found {
			referenceLeaves(f, &left)
		}
		for _, f := range referenceField(record, strings.Split(v.Text, ".")) {
			referenceLeaves(f, &right)
		}
		left, right = withoutNull(left), withoutNull(right)
		if item.Op != OpEqual {
			right = slices.DeleteFunc(right, func(leaf any) bool { return leaf == "" })
		}
		if len(left) == 0 || len(right) == 0 {
			return false
		}
		for _, a := range left {
			for _, b := range right {
				if referencePair(item, a, b) {
					return !item.Negated
				}
			}
		}
		return item.Negated
	}
	holds := referenceFound(item, v, found)
	if item.Negated {
		return len(found) > 0 && !holds
	}
	return holds
}

func withoutNull(leaves []any) []any {
	var some []any
	for _, leaf := range leaves {
		if leaf != nil {
			some = append(some, leaf)
		}
	}
	return some
}

func referencePair(item *Item, a, b any) bool {
	left, right := referenceText(a), referenceText(b)
	if _, ok := a.(json.Number); ok && item.Op == OpEqual && looksLikeNumber(right) {
		return referenceNumber(left).Cmp(referenceNumber(right)) == 0
	}
	return wildcardRegexp(plainly(right), item.Op, item.Cased).MatchString(left)
}

func plainly(text string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `\`, `\\`).Replace(text)
}

func referenceFound(item *Item, v Value, found []any) bool {
	switch {
	case item.Op == OpExists:
		return (len(found) > 0) == (v.Text == "true")
	case v.Kind == Null:
		for _, f := range found {
			if f == nil {
				return true
			}
		}
		return len(found) == 0
	}
	if item.Part == 0 && (item.Op == OpEqual || item.Op == OpContains || item.Op == OpStartsWith || item.Op == OpEndsWith) {
		for _, text := range referenceTexts(item, v) {
			onlyStars := text != "" && strings.Trim(text, "*") == "" || text == "" && item.Op != OpEqual
			for _, f := range found {
				if onlyStars && f != nil {
					return true
				}
			}
		}
	}
	var leaves []any
	for _, f := range found {
		referenceLeaves(f, &leaves)
	}
	return referenceAny(item, v, leaves)
}

func referenceAny(item *Item, v Value, leaves []any) bool {
	for _, leaf := range leaves {
		if leaf != nil && referenceScalar(item, v, leaf) {
			return true
		}
	}
	return false
}

func referenceText(leaf any) string {
	switch leaf := leaf.(type) {
	case string:
		return leaf
	case bool:
		return map[bool]string{true: "true", false: "false"}[leaf]
	case json.Number:
		return leaf.String()
	}
	panic("not a scalar")
}

func referenceScalar(item *Item, v Value, leaf any) bool {
	text := referenceText(leaf)
	switch {
	case item.Part != 0:
		n, ok := referencePart(text, item.Part)
		return ok && referenceOrder(item.Op, big.NewRat(int64(n), 1).Cmp(referenceNumber(v.Text)))
	case item.Op >= OpLT:
		return looksLikeNumber(text) && referenceOrder(item.Op, referenceNumber(text).Cmp(referenceNumber(v.Text)))
	case item.Op == OpRegexp:
		exprs := []string{v.Text}
		if len(item.Transforms) > 0 {
			exprs = referenceExpand(v.Text, func(value string) string {
				s := wildcardRegexp(value, OpEqual, true).String()
				return "(?s:" + strings.TrimSuffix(strings.TrimPrefix(s, "(?s)^"), "$") + ")"
			})
		}
		for _, expr := range exprs {
			if regexp.MustCompile("(?" + item.Flags + ":" + expr + ")").MatchString(text) {
				return true
			}
		}
		return false
	}
	_, number := leaf.(json.Number)
	for _, value := range referenceTexts(item, v) {
		switch {
		case item.Op == OpCIDR:
			if referenceContains(value, text) {
				return true
			}
		case item.Op == OpEqual && number && looksLikeNumber(value):
			if referenceNumber(value).Cmp(referenceNumber(text)) == 0 {
				return true
			}
		case wildcardRegexp(value, item.Op, item.Cased).MatchString(text):
			return true
		}
	}
	return false
}

func referenceOrder(op Op, sign int) bool {
	switch op {
	case OpLT:
		return sign < 0
	case OpLTE:
		return sign <= 0
	case OpGT:
		return sign > 0
	case OpGTE:
		return sign >= 0
	}
	return sign == 0
}

func looksLikeNumber(text string) bool {
	return json.Valid([]byte(text)) && strings.Trim(text, "0123456789+-.eE") == ""
}

// referenceNumber is exact; an exponent beyond reason is cut.
func referenceNumber(text string) *big.Rat {
	if mantissa, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n > 5000 || n < -5000 {
			text = mantissa + "e5000"
			if strings.HasPrefix(exponent, "-") {
				text = mantissa + "e-5000"
			}
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(text + " is no number")
	}
	return r
}

var timeShape = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:(\d\d)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

func referencePart(text string, part TimePart) (int, bool) {
	found := timeShape.FindStringSubmatch(text)
	if found == nil {
		return 0, false
	}
	if found[1] == "60" { // a leap second
		text = text[:17] + "59" + text[19:]
	}
	when, err := time.Parse(time.RFC3339, strings.ToUpper(text[:10]+"T"+text[11:]))
	if err != nil {
		return 0, false
	}
	_, week := when.ISOWeek()
	return map[TimePart]int{Minute: when.Minute(), Hour: when.Hour(), Day: when.Day(), Week: week, Month: int(when.Month()), Year: when.Year()}[part], true
}

func referenceContains(network, text string) bool {
	if address, zone, ok := strings.Cut(text, "%"); ok && zone != "" && strings.Contains(address, ":") {
		text = address
	}
	address := net.ParseIP(text)
	if address == nil {
		return false
	}
	if one := net.ParseIP(network); one != nil {
		return one.Equal(address)
	}
	_, block, err := net.ParseCIDR(network)
	return err == nil && block.Contains(address)
}

// referenceTexts returns what a value stands for, with wildcards and escapes as
// a rule would write them.
func referenceTexts(item *Item, v Value) []string {
	value := v.Text
	if v.Kind != String {
		value = plainly(value)
	}
	texts := []string{value}
	for _, transform := range item.Transforms {
		var next []string
		for _, text := range texts {
			chunks := splitWildcards(text)
			switch transform {
			case Expand:
				next = append(next, referenceExpandChunks(chunks)...)
			case Windash:
				next = append(next, referenceWindash(chunks)...)
			case UTF16LE, UTF16BE, UTF16:
				encoded := ""
				if transform == UTF16 {
					encoded = "\xff\xfe"
				}
				for i, chunk := range chunks {
					if i%2 == 1 {
						encoded += chunk // a wildcard
						continue
					}
					var bytes strings.Builder
					for _, unit := range utf16.Encode([]rune(chunk)) {
						if transform == UTF16BE {
							bytes.Write([]byte{byte(unit >> 8), byte(unit)})
						} else {
							bytes.Write([]byte{byte(unit), byte(unit >> 8)})
						}
					}
					encoded += plainly(bytes.String())
				}
				next = append(next, encoded)
			case Base64:
				next = append(next, base64.StdEncoding.EncodeToString([]byte(strings.Join(chunks, ""))))
			case Base64Offset:
				next = append(next, referenceInside(strings.Join(chunks, ""))...)
			}
		}
		texts = next
	}
	for i := range texts {
		if strings.HasPrefix(texts[i], "\xff\xfe") {
			texts[i] = "\ufeff" + texts[i][2:]
		}
	}
	return texts
}

// splitWildcards returns plain text and wildcards in turn, plain text first.
func splitWildcards(value string) []string {
	chunks := []string{""}
	for value != "" {
		last := &chunks[len(chunks)-1]
		switch {
		case strings.HasPrefix(value, `\*`), strings.HasPrefix(value, `\?`), strings.HasPrefix(value, `\\`):
			*last += value[1:2]
			value = value[2:]
		case value[0] == '*', value[0] == '?':
			chunks = append(chunks, value[:1], "")
			value = value[1:]
		default:
			*last += value[:1]
			value = value[1:]
		}
	}
	return chunks
}

// combine returns every way to choose one of each.
func combine(choices [][]string) []string {
	all := []string{""}
	for _, some := range choices {
		var next []string
		for _, head := range all {
			for _, tail := range some {
				next = append(next, head+tail)
			}
		}
		all = next
	}
	return all
}

func referenceExpandChunks(chunks []string) []string {
	var choices [][]string
	for i, chunk := range chunks {
		if i%2 == 1 {
			choices = append(choices, []string{chunk})
			continue
		}
		choices = append(choices, referenceExpandWith(chunk, plainly, func(value string) string { return value }))
	}
	return combine(choices)
}

func referenceExpand(text string, of func(string) string) []string {
	return referenceExpandWith(text, func(s string) string { return s }, of)
}

var referencePlaceholder = regexp.MustCompile(`\\%|%([\pL\pN_]+)%`)

func referenceExpandWith(text string, plain, of func(string) string) []string {
	var choices [][]string
	end := 0
	for _, at := range referencePlaceholder.FindAllStringSubmatchIndex(text, -1) {
		choices = append(choices, []string{plain(text[end:at[0]])})
		if end = at[1]; at[2] < 0 {
			choices = append(choices, []string{"%"})
			continue
		}
		var values []string
		for _, value := range referencePlaceholders[text[at[2]:at[3]]] {
			values = append(values, of(value))
		}
		choices = append(choices, values)
	}
	return combine(append(choices, []string{plain(text[end:])}))
}

func referenceWindash(chunks []string) []string {
	word := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
	var choices [][]string
	for i, chunk := range chunks {
		if i%2 == 1 {
			choices = append(choices, []string{chunk})
			continue
		}
		runes := []rune(chunk)
		for j, r := range runes {
			dash := r == '-' || r == '/'
			if dash && (j == 0 || !word(runes[j-1])) && j+1 < len(runes) && word(runes[j+1]) {
				choices = append(choices, []string{"-", "/", "–", "—", "―"})
			} else {
				choices = append(choices, []string{plainly(string(r))})
			}
		}
	}
	return combine(choices)
}

// referenceInside encodes between two different neighbourhoods and takes what
// does not depend on them.
func referenceInside(data string) []string {
	var all []string
	for offset := range 3 {
		rest := (6 - offset - len(data)%3) % 3
		a := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + data + strings.Repeat("\x00", rest)))
		b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xff", offset) + data + strings.Repeat("\xff", rest)))
		same := ""
		for i := range a {
			if a[i] == b[i] {
				same += a[i : i+1]
			}
		}
		all = append(all, same)
	}
	return all
}

// referenceField returns the values at a path: lists on the way fan out, the
// shortest key that leads to anything wins.
func referenceField(value any, parts []string) []any {
	if len(parts) == 0 {
		return []any{value}
	}
	switch value := value.(type) {
	case []any:
		var all []any
		for _, element := range value {
			all = append(all, referenceField(element, parts)...)
		}
		return all
	case map[string]any:
		for n := 1; n <= len(parts); n++ {
			child, ok := value[strings.Join(parts[:n], ".")]
			if !ok {
				continue
			}
			if found := referenceField(child, parts[n:]); len(found) > 0 {
				return found
			}
		}
	}
	return nil
}

// referenceLeaves takes the scalars out of lists, and out of objects only the
// strings.
func referenceLeaves(value any, leaves *[]any) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			referenceLeaves(element, leaves)
		}
	case map[string]any:
		referenceStrings(value, leaves)
	default:
		*leaves = append(*leaves, value)
	}
}

func referenceStrings(value any, leaves *[]any) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			referenceStrings(element, leaves)
		}
	case map[string]any:
		for _, element := range value {
			referenceStrings(element, leaves)
		}
	case string:
		*leaves = append(*leaves, value)
	}
}

// decodeReference reads a record for the reference evaluator.
func decodeReference(record []byte) (map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(string(record)))
	d.UseNumber()
	var m map[string]any
	err := d.Decode(&m)
	return m, err
}
