package sigma

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Small alphabets, so that random rules and random records meet.
var (
	someSources = []string{"ec2.amazonaws.com", "EC2.amazonaws.com", "iam.amazonaws.com", "s3"}
	someNames   = []string{"RunInstances", "runinstances", "StopLogging", "Run*", "*", "5", "true", "ſ3"}
	someKeys    = []string{"a", "b", "c", "a.b", "b.c", "0", "a.b.c"}
	somePaths   = []string{"a", "b", "a.b", "a.b.c", "b.c", "c.a", "0", "a.0", "a.a", "b.a.c", "eventSource", "eventName", "eventName.a"}
	someTexts   = []string{"", "x", "X", "xy", "*", "x*", "?", "true", "false", "null", "5", "5.0", "05", "k", "\u212a", "ß", `\*`, `a\b`, "\"q\"", "x\ny"}
	someScalars = []any{nil, true, false, 5, 5.5, "", "x", "XY", "xyx", "*", "true", "5", "K", "ẞ", `a\b`, "\"q\"", "x\ny", "{\"a\":\"x\"}",
		"10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "ec2.amazonaws.com", json.Number("9007199254740993"), json.Number("1e2"), "99.5", "-1",
		"2026-03-02T23:59:00Z", "2021-01-03T00:00:00+02:00", "eHk=", "AHh5", "-x /y", "–x ―y", "x\x00y\x00", "%x%", "10.0.0.0/8"}
	someModifier = []string{"", "", "", "|contains", "|startswith", "|endswith", "|all", "|contains|all", "|cased", "|endswith|cased", "|neq", "|neq|contains|all"}
)

// Modifiers and what their values are like.
var someReadings = []struct{ modifiers, values []string }{
	{[]string{"|re|i", "|re", "|re|all", "|re|contains|dotall", "|neq|re"}, []string{"'^x'", "y$", "'.*'", "'5'"}},
	{[]string{"|re|expand"}, []string{"'^%one%$'", "'%many%'", `'\%x'`}},
	{[]string{"|cidr", "|cidr|neq", "|cidr|all"}, []string{"10.0.0.0/8", "'::ffff:0:0/96'", "10.1.2.3", "'2001:db8::/32'", "'::/0'"}},
	{[]string{"|cidr|expand", "|expand|cidr"}, []string{"'%net%'", "10.0.0.0/8"}},
	{[]string{"|lt", "|lte", "|gt", "|gte", "|gt|neq", "|gte|all"}, []string{"5", "'5.5'", "9007199254740992", "9007199254740993", "1e2", "-1", "99.50", "007"}},
	{[]string{"|minute", "|minute|gt", "|gte|minute", "|minute|neq"}, []string{"59", "0"}},
	{[]string{"|hour", "|hour|lt", "|lte|hour|all"}, []string{"0", "23", "08"}},
	{[]string{"|day", "|day|neq", "|week", "|week|gt", "|month", "|month|lte"}, []string{"1", "2", "3", "10"}},
	{[]string{"|week", "|year|gt", "|year"}, []string{"53", "10"}},
	{[]string{"|fieldref", "|fieldref|neq", "|fieldref|contains", "|startswith|fieldref|cased", "|fieldref|endswith|neq", "|fieldref|all"}, []string{"a", "b", "c", "a.b", "a.b.c", "b.a", "eventName"}},
	{[]string{"|base64", "|base64|contains", "|wide|base64offset|contains", "|utf16be|base64", "|base64|neq"}, []string{"xy", "'x'", `'x\*'`}},
	{[]string{"|base64offset|contains", "|base64offset|contains|all", "|base64offset", "|windash|base64offset|contains"}, []string{"xy", "xyx", "'-x'"}},
	{[]string{"|wide", "|utf16le|contains", "|utf16", "|utf16be|startswith"}, []string{"xy", "'x*'", "y"}},
	{[]string{"|windash", "|windash|contains", "|contains|windash|all", "|windash|cased|neq"}, []string{"-x", "'/y'", "'-x /y'", "'*-x*'", "x-y"}},
	{[]string{"|expand", "|expand|contains|all", "|expand|base64offset|contains", "|windash|expand", "|expand|windash|neq"}, []string{"'%one%'", `'\%x%'`, "'%one%-x'", "x%one%"}},
	{[]string{"|expand", "|expand|startswith", "|expand|cased|all"}, []string{"'%many%'", "'%one%%many%'", "'%name%'", "'*%many%'"}},
}

func drawRecord(t *rapid.T) map[string]any {
	record := drawObject(t, 3)
	for field, known := range map[string][]string{sourceField: someSources, nameField: someNames} {
		switch rapid.IntRange(0, 9).Draw(t, field+" is") {
		case 0:
			delete(record, field)
		case 1:
			record[field] = drawValue(t, 2)
		case 2:
			record[field] = []any{rapid.SampledFrom(known).Draw(t, field), rapid.SampledFrom(known).Draw(t, field)}
		default:
			record[field] = rapid.SampledFrom(known).Draw(t, field)
		}
	}
	return record
}

func drawObject(t *rapid.T, depth int) map[string]any {
	object := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "members") {
		object[rapid.SampledFrom(someKeys).Draw(t, "key")] = drawValue(t, depth-1)
	}
	return object
}

func drawValue(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	switch {
	case depth > 0 && kind <= 1:
		return drawObject(t, depth)
	case depth > 0 && kind == 2:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			list = append(list, drawValue(t, depth-1))
		}
		return list
	}
	return rapid.SampledFrom(someScalars).Draw(t, "scalar")
}

// drawRule writes a rule as its author would.
func drawRule(t *rapid.T, title string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "title: %s\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n", title)
	names := []string{"sel", "sel_b", "_not"}[:rapid.IntRange(1, 3).Draw(t, "detections")]
	for _, name := range names {
		switch rapid.IntRange(0, 6).Draw(t, "form") {
		case 0:
			fmt.Fprintf(&b, "  %s: [%s, %s]\n", name, drawText(t), drawText(t))
		case 6:
			modifier := rapid.SampledFrom([]string{"|all", "|cased", "|startswith", "|endswith|all", "|re|i", "|windash", "|wide", "|base64", "|cidr|expand"}).Draw(t, "keyword modifier")
			value := rapid.SampledFrom([]string{"x", "10.1.2.3", "xy"}).Draw(t, "keyword")
			if modifier == "|cidr|expand" {
				value = "'%net%'"
			}
			fmt.Fprintf(&b, "  %s: {%q: [%s]}\n", name, modifier, value)
		case 1, 2:
			fmt.Fprintf(&b, "  %s: [%s, %s]\n", name, drawItems(t), drawItems(t))
		default:
			fmt.Fprintf(&b, "  %s: %s\n", name, drawItems(t))
		}
	}
	fmt.Fprintf(&b, "  condition: %s\n", drawCondition(t, names, 3))
	return b.String()
}

func drawItems(t *rapid.T) string {
	items := map[string]string{}
	for range rapid.IntRange(1, 3).Draw(t, "items") {
		field := rapid.SampledFrom(somePaths).Draw(t, "field")
		switch rapid.IntRange(0, 7).Draw(t, "item") {
		case 0:
			items[field+"|exists"] = fmt.Sprint(rapid.Bool().Draw(t, "exists"))
			continue
		case 1:
			items[field+rapid.SampledFrom([]string{"", "|neq"}).Draw(t, "null")] = "null"
			continue
		case 2, 3, 4: // what the index is made of
			field = rapid.SampledFrom([]string{sourceField, nameField}).Draw(t, "pin")
		}
		modifier := rapid.SampledFrom(someModifier).Draw(t, "modifier")
		var readings []string
		if rapid.IntRange(0, 1).Draw(t, "reading") == 0 {
			reading := rapid.SampledFrom(someReadings).Draw(t, "reading")
			modifier, readings = rapid.SampledFrom(reading.modifiers).Draw(t, "modifiers"), reading.values
		}
		var values []string
		for range rapid.IntRange(1, 3).Draw(t, "values") {
			switch {
			case readings != nil:
				values = append(values, rapid.SampledFrom(readings).Draw(t, "value"))
			case field == sourceField:
				values = append(values, rapid.SampledFrom(someSources).Draw(t, "source"))
			case field == nameField:
				values = append(values, quote(rapid.SampledFrom(someNames).Draw(t, "name")))
			default:
				values = append(values, drawText(t))
			}
		}
		items[field+modifier] = "[" + strings.Join(values, ", ") + "]"
	}
	var parts []string
	for key, value := range items {
		parts = append(parts, quote(key)+": "+value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func drawText(t *rapid.T) string {
	if rapid.IntRange(0, 4).Draw(t, "typed") == 0 {
		return rapid.SampledFrom([]string{"5", "0", "-0.0", "true", "false", "5.5", "05", "0x5"}).Draw(t, "value")
	}
	return quote(rapid.SampledFrom(someTexts).Draw(t, "text"))
}

// quote writes a YAML string: JSON is YAML.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func drawCondition(t *rapid.T, names []string, depth int) string {
	form := rapid.IntRange(0, 8).Draw(t, "condition")
	switch {
	case depth > 0 && form <= 1:
		return "(" + drawCondition(t, names, depth-1) + " and " + drawCondition(t, names, depth-1) + ")"
	case depth > 0 && form <= 3:
		return "(" + drawCondition(t, names, depth-1) + " or " + drawCondition(t, names, depth-1) + ")"
	case depth > 0 && form == 4:
		return "not " + drawCondition(t, names, depth-1)
	case form == 5:
		return rapid.SampledFrom([]string{"1 of them", "all of them", "all of sel*", "any of *"}).Draw(t, "of")
	}
	return rapid.SampledFrom(names).Draw(t, "name")
}

// Random rules on random records: the compiled matcher, with the index and
// without, says what the reference evaluator says.
func TestMatcherAgreesWithTheReference(t *testing.T) { rapid.Check(t, matcherAgrees) }

// FuzzDrawnRules is the same, with the fuzzer to choose what is drawn.
func FuzzDrawnRules(f *testing.F) { f.Fuzz(rapid.MakeFuzz(matcherAgrees)) }

func matcherAgrees(t *rapid.T) {
	c := &Collection{}
	for i := range rapid.IntRange(1, 6).Draw(t, "rules") {
		text := drawRule(t, fmt.Sprintf("rule %d", i))
		one, errs := Parse("r.yml", []byte(text))
		if len(errs) > 0 {
			t.Fatalf("%s\n%v", text, errs)
		}
		c.Add(one)
	}
	set, errs := Compile(c, Options{Placeholders: referencePlaceholders})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	everything := Candidates{set: set, rules: set.rules}
	for range rapid.IntRange(1, 4).Draw(t, "records") {
		record, err := json.Marshal(drawRecord(t))
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := decodeReference(record)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, r := range c.Rules {
			if referenceMatch(r, decoded) {
				want = append(want, r.Title)
			}
		}
		source, name := typeOf(string(record))
		indexed := titles(set.Candidates(source, name).AppendMatches(nil, record))
		if got := strings.Join(want, ", "); got != indexed {
			t.Fatalf("on %s\nthe reference matches [%s]\nthe index matches [%s]", record, got, indexed)
		}
		if all := titles(everything.AppendMatches(nil, record)); all != indexed {
			t.Fatalf("on %s\nall rules match [%s]\nthe index matches [%s]", record, all, indexed)
		}
	}
}

func titles(rules []*CompiledRule) string {
	var titles []string
	for _, r := range rules {
		titles = append(titles, r.Meta().Title)
	}
	return strings.Join(titles, ", ")
}

// FuzzMatch: for any rule file that loads and any JSON object, the matcher
// says what the reference evaluator says.
func FuzzMatch(f *testing.F) {
	f.Add(rule("  sel: {a.b|contains: x}\n  condition: sel\n"), `{"a":[{"b":"xy"},{"b":null}]}`)
	f.Add(rule("  sel: {a: [null, 5, 'x*']}\n  words: [k]\n  condition: sel or not words\n"), `{"a":"\u212a\ud800","b":"\ud83d\ude00"}`)
	f.Add(rule("  sel: {'|all': ['\"', '\\\\']}\n  condition: sel\n"), `{"a.b":{"c":["\\",["\""]]},"a":{}}`)
	f.Add(rule("  sel: {eventName: [Run*, 05, true]}\n  condition: not sel\n"), sample)
	f.Add(rule("  sel: {a|cidr: 10.0.0.0/8, b|gte: '1e2', 'c|hour|lt': 8}\n  condition: sel\n"), `{"a":["x","::ffff:10.1.1.1"],"b":1000,"c":"2026-03-02T07:00:00+09:00"}`)
	f.Add(rule("  sel: {a|fieldref|neq: b, c|windash|contains: -x}\n  condition: sel\n"), `{"a":[1,"k"],"b":{"x":"2"},"c":"a \u2013x"}`)
	f.Add(rule("  sel: {a|wide|base64offset|contains: cmd, b|expand|neq: '%many%', '|utf16|cased': z}\n  condition: 1 of them\n"), `{"a":"Y20AZAA=","b":["y",null]}`)
	f.Add(rule("  sel: {a|re|expand|i: '^%one%$', b|week|neq: 53, c|year: 2021}\n  condition: sel\n"), `{"a":"XY","b":"2021-01-03T00:00:00Z","c":"2021-12-31 23:59:60.5z"}`)
	f.Fuzz(func(t *testing.T, rules, record string) {
		c, errs := Parse("r.yml", []byte(rules))
		for _, err := range errs {
			if err.(*Error).Msg == "" {
				t.Fatal("an error says nothing")
			}
		}
		set, failed := Compile(c, Options{Placeholders: referencePlaceholders})
		decoded, err := decodeReference([]byte(record))
		if err != nil || !json.Valid([]byte(record)) || hasTwins(record) {
			// Not a record; it must not crash us.
			set.Candidates("", "").AppendMatches(nil, []byte(record))
			return
		}
		if len(failed) > 0 || strings.Contains(rules, "windash") && strings.Count(rules, "-")+strings.Count(rules, "/") > 6 {
			return // the reference would write out every permutation of dashes
		}
		source, name := typeOf(record)
		matched := map[string]bool{}
		for _, r := range set.Candidates(source, name).AppendMatches(nil, []byte(record)) {
			matched[r.Meta().ID] = true
		}
		seen := map[string]bool{}
		for _, r := range c.Rules {
			if seen[r.ID] || r.Name != "" {
				return // Compile has refused one of the two
			}
			seen[r.ID] = true
			if want := referenceMatch(r, decoded); want != matched[r.ID] && len(set.Correlations()) == 0 {
				t.Fatalf("%s\non %s\nmatches: %v, the reference: %v", rules, record, matched[r.ID], want)
			}
		}
	})
}

// hasTwins reports whether an object has a key twice, which encoding/json and
// gjson read differently and CloudTrail never writes; or text that is not
// UTF-8; or more lists inside each other than a path fans out over.
func hasTwins(record string) bool {
	if strings.ToValidUTF8(record, "") != record || strings.Contains(record, strings.Repeat("[", maxListDepth)) {
		return true
	}
	d := json.NewDecoder(strings.NewReader(record))
	type level struct {
		keys   map[string]bool
		object bool
		key    bool // a key is next
	}
	stack := []level{{}}
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		top := &stack[len(stack)-1]
		if delim, ok := token.(json.Delim); ok {
			switch delim {
			case '{', '[':
				top.key = top.object
				stack = append(stack, level{keys: map[string]bool{}, object: delim == '{', key: delim == '{'})
			default:
				stack = stack[:len(stack)-1]
			}
			continue
		}
		if !top.object {
			continue
		}
		if key, ok := token.(string); top.key && ok {
			if top.keys[key] {
				return true
			}
			top.keys[key] = true
		}
		top.key = !top.key
	}
}
