package sigma

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxVariants bounds what the values of one item may become.
const maxVariants = 10_000

var errVariants = fmt.Errorf("the value stands for more than %d texts; write fewer dashes or placeholders", maxVariants)

// variant is a tokenised value on its way through the transforms. In encoded
// ones each token that is not a mark is a byte.
type variant struct {
	tokens  []rune
	encoded bool
}

// byteOrderMark is a mark too: two bytes before an encoding, one character in
// text.
const byteOrderMark rune = -4

// variants returns the texts, tokenised, of which any may match where the value
// does: the value after all transforms.
func (item *Item) variants(v *Value, placeholders map[string][]string, left *room) ([][]rune, error) {
	start := variant{tokens: []rune(v.Text)}
	if v.Kind == String {
		start.tokens = tokenize(v.Text)
	}
	if err := left.take(len(start.tokens)); err != nil {
		return nil, err
	}
	variants := []variant{start}
	for _, transform := range item.Transforms {
		var next []variant
		for _, x := range variants {
			results, err := transform.apply(x, placeholders, left)
			if err != nil {
				return nil, err
			}
			if next = append(next, results...); len(next) > maxVariants {
				return nil, errVariants
			}
		}
		variants = next
	}
	texts := make([][]rune, len(variants))
	for i, x := range variants {
		text, err := x.text()
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	return texts, nil
}

func (t Transform) apply(x variant, placeholders map[string][]string, left *room) ([]variant, error) {
	switch t {
	case Windash:
		if err := left.take(len(x.tokens)); err != nil {
			return nil, err
		}
		return []variant{{tokens: markDashes(x.tokens)}}, nil
	case Expand:
		return expandPlaceholders(x.tokens, placeholders, left)
	}
	// An encoding has no room for a mark that stands for any of five dashes.
	plain, err := spellDashes(x, left)
	if err != nil {
		return nil, err
	}
	var results []variant
	for _, x := range plain {
		// At most four characters are made of one, in three places.
		if err := left.take(4 * len(x.tokens)); err != nil {
			return nil, err
		}
		if t.utf16() {
			results = append(results, encodeUTF16(x, t))
			continue
		}
		data, ok := x.bytes()
		if !ok {
			return nil, fmt.Errorf(`modifier %q cannot encode wildcards; write "\*" and "\?" for plain characters`, t)
		}
		if t == Base64 {
			results = append(results, variant{tokens: []rune(base64.StdEncoding.EncodeToString(data))})
			continue
		}
		inside, err := encodeInside(data)
		if err != nil {
			return nil, err
		}
		results = append(results, inside...)
	}
	return results, nil
}

// markDashes marks each hyphen and each slash that starts a word: no letter,
// digit or underscore before it, and one of them after it.
func markDashes(tokens []rune) []rune {
	marked := make([]rune, len(tokens))
	for i, r := range tokens {
		if (r == '-' || r == '/') && (i == 0 || !isWord(tokens[i-1])) && i+1 < len(tokens) && isWord(tokens[i+1]) {
			r = anyDash
		}
		marked[i] = r
	}
	return marked
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

// spellDashes writes every permutation of the marked dashes out.
func spellDashes(x variant, left *room) ([]variant, error) {
	spellings := 1
	for _, r := range x.tokens {
		if r == anyDash {
			if spellings *= utf8.RuneCountInString(dashes); spellings > maxVariants {
				return nil, errVariants
			}
		}
	}
	if err := left.take(spellings * len(x.tokens)); err != nil {
		return nil, err
	}
	spelled := []variant{{encoded: x.encoded}}
	for _, r := range x.tokens {
		if r != anyDash {
			for i := range spelled {
				spelled[i].tokens = append(spelled[i].tokens, r)
			}
			continue
		}
		var next []variant
		for _, s := range spelled {
			for _, dash := range dashes {
				next = append(next, variant{append(append([]rune(nil), s.tokens...), dash), x.encoded})
			}
		}
		spelled = next
	}
	return spelled, nil
}

var placeholder = regexp.MustCompile(`%([\pL\pN_]+)%`)

// splitPlaceholders cuts text at its placeholders: names[i] stands between
// plain[i] and plain[i+1]. A percent after a backslash is a plain one.
func splitPlaceholders(text string) (plain, names []string) {
	var b strings.Builder
	for i := 0; i < len(text); {
		if strings.HasPrefix(text[i:], `\%`) {
			b.WriteByte('%')
			i += 2
			continue
		}
		if text[i] == '%' {
			if at := placeholder.FindStringSubmatchIndex(text[i:]); at != nil && at[0] == 0 {
				plain, names = append(plain, b.String()), append(names, text[i+at[2]:i+at[3]])
				b.Reset()
				i += at[1]
				continue
			}
		}
		b.WriteByte(text[i])
		i++
	}
	return append(plain, b.String()), names
}

// placeholderValues looks a placeholder up.
func placeholderValues(name string, placeholders map[string][]string) ([]string, error) {
	values, ok := placeholders[name]
	switch {
	case !ok:
		known := make([]string, 0, len(placeholders))
		for k := range placeholders {
			known = append(known, k)
		}
		hint := suggest(name, known)
		if !strings.Contains(hint, "did you mean") {
			hint = fmt.Sprintf("; set correlator.rules.placeholders: {%s: [value]} in the file of --config", name)
		}
		return nil, fmt.Errorf("placeholder %%%s%% has no values%s", name, hint)
	case len(values) == 0:
		return nil, fmt.Errorf("placeholder %%%s%% has an empty list of values; add one to correlator.rules.placeholders", name)
	}
	return values, nil
}

// expandPlaceholders puts every value in the place of each placeholder. Values
// may have wildcards.
func expandPlaceholders(tokens []rune, placeholders map[string][]string, left *room) ([]variant, error) {
	return expandText(tokens, placeholders, left, tokenize)
}

func expandText(tokens []rune, placeholders map[string][]string, left *room, read func(string) []rune) ([]variant, error) {
	expanded := []variant{{}}
	add := func(alternatives [][]rune) error {
		if len(expanded)*len(alternatives) > maxVariants {
			return errVariants
		}
		if len(alternatives) == 1 {
			if err := left.take(len(expanded) * len(alternatives[0])); err != nil {
				return err
			}
			for i := range expanded {
				expanded[i].tokens = append(expanded[i].tokens, alternatives[0]...)
			}
			return nil
		}
		size := 0
		for _, a := range alternatives {
			size += len(expanded) * len(a)
		}
		for _, x := range expanded {
			size += len(alternatives) * len(x.tokens)
		}
		if err := left.take(size); err != nil {
			return err
		}
		next := make([]variant, 0, len(expanded)*len(alternatives))
		for _, x := range expanded {
			for _, a := range alternatives {
				next = append(next, variant{tokens: append(append([]rune(nil), x.tokens...), a...)})
			}
		}
		expanded = next
		return nil
	}
	// A mark is in no placeholder.
	for start := 0; start < len(tokens); {
		if tokens[start] < 0 {
			if err := add([][]rune{{tokens[start]}}); err != nil {
				return nil, err
			}
			start++
			continue
		}
		end := start
		for end < len(tokens) && tokens[end] >= 0 {
			end++
		}
		plain, names := splitPlaceholders(string(tokens[start:end]))
		for i, text := range plain {
			if err := add([][]rune{[]rune(text)}); err != nil {
				return nil, err
			}
			if i == len(names) {
				break
			}
			values, err := placeholderValues(names[i], placeholders)
			if err != nil {
				return nil, err
			}
			alternatives := make([][]rune, len(values))
			for j, value := range values {
				alternatives[j] = read(value)
			}
			if err := add(alternatives); err != nil {
				return nil, err
			}
		}
		start = end
	}
	return expanded, nil
}

// expandRegexp is expandPlaceholders for a regular expression, in which a value
// keeps its meaning: its characters are plain but for the wildcards.
func expandRegexp(expr string, placeholders map[string][]string, left *room) ([]string, error) {
	expanded, err := expandText([]rune(expr), placeholders, left, func(value string) []rune {
		var b strings.Builder
		b.WriteString("(?:")
		for _, r := range tokenize(value) {
			switch r {
			case anyText:
				b.WriteString("(?s:.*)")
			case anyRune:
				b.WriteString("(?s:.)")
			default:
				b.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
		b.WriteString(")")
		return []rune(b.String())
	})
	if err != nil {
		return nil, err
	}
	exprs := make([]string, len(expanded))
	for i, x := range expanded {
		exprs[i] = string(x.tokens)
	}
	return exprs, nil
}

// encodeUTF16 encodes the characters between the marks.
func encodeUTF16(x variant, encoding Transform) variant {
	encoded := variant{encoded: true}
	if encoding == UTF16 {
		encoded.tokens = append(encoded.tokens, byteOrderMark)
	}
	for _, r := range x.tokens {
		if r < 0 {
			encoded.tokens = append(encoded.tokens, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			low, high := rune(unit&0xff), rune(unit>>8)
			if encoding == UTF16BE {
				low, high = high, low
			}
			encoded.tokens = append(encoded.tokens, low, high)
		}
	}
	return encoded
}

// bytes returns what an encoding is made of; false when there are wildcards.
func (x variant) bytes() ([]byte, bool) {
	var data []byte
	for _, r := range x.tokens {
		switch {
		case r == byteOrderMark:
			data = append(data, 0xff, 0xfe)
		case r < 0:
			return nil, false
		case x.encoded:
			data = append(data, byte(r))
		default:
			data = utf8.AppendRune(data, r)
		}
	}
	return data, true
}

// encodeInside returns how data looks in the Base64 text of something longer:
// after 0, 1 or 2 bytes of a group of three, without the characters at either
// end that neighbours have a part in.
func encodeInside(data []byte) ([]variant, error) {
	// A character has six bits: the first that has none of the bytes before,
	// and the first that has bits after the end.
	first := [...]int{0, 2, 3}
	variants := make([]variant, len(first))
	for offset := range variants {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, offset), data...))
		last := (offset + len(data)) * 8 / 6
		if last <= first[offset] {
			return nil, errors.New(`modifier "base64offset" needs at least two bytes; a shorter value leaves nothing to look for`)
		}
		variants[offset].tokens = []rune(text[first[offset]:last])
	}
	return variants, nil
}

// text returns the tokens as characters. Bytes must be UTF-8, as records are.
func (x variant) text() ([]rune, error) {
	if !x.encoded {
		return x.tokens, nil
	}
	var text []rune
	var data []byte
	flush := func() bool {
		ok := utf8.Valid(data)
		text, data = append(text, []rune(string(data))...), data[:0]
		return ok
	}
	ok := true
	for _, r := range x.tokens {
		if r >= 0 {
			data = append(data, byte(r))
			continue
		}
		ok = flush() && ok
		if r == byteOrderMark {
			r = '\uFEFF'
		}
		text = append(text, r)
	}
	if ok = flush() && ok; !ok {
		return nil, errors.New(`the value has characters whose UTF-16 is not text; add "base64" or "base64offset|contains" after the encoding`)
	}
	return text, nil
}
