package sigma

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The modifiers of the specification, and the aliases of its reference
// implementation.
var modifiers = map[string]func(*Item) error{
	"contains":   setText(OpContains, "contains"),
	"startswith": setText(OpStartsWith, "startswith"),
	"endswith":   setText(OpEndsWith, "endswith"),
	"re":         setRegexp,
	"exists":     setOp(OpExists, "exists"),
	"cidr":       setOp(OpCIDR, "cidr"),
	"lt":         setOp(OpLT, "lt"),
	"lte":        setOp(OpLTE, "lte"),
	"gt":         setOp(OpGT, "gt"),
	"gte":        setOp(OpGTE, "gte"),

	"all":      func(item *Item) error { item.All = true; return nil },
	"cased":    func(item *Item) error { item.Cased = true; return nil },
	"neq":      func(item *Item) error { item.Negated = true; return nil },
	"fieldref": func(item *Item) error { item.FieldRef = true; return nil },

	"i":          setFlag("i"),
	"ignorecase": setFlag("i"),
	"m":          setFlag("m"),
	"multiline":  setFlag("m"),
	"s":          setFlag("s"),
	"dotall":     setFlag("s"),

	"minute": setPart(Minute),
	"hour":   setPart(Hour),
	"day":    setPart(Day),
	"week":   setPart(Week),
	"month":  setPart(Month),
	"year":   setPart(Year),

	"windash":      addTransform(Windash, "windash"),
	"expand":       addTransform(Expand, "expand"),
	"wide":         addTransform(UTF16LE, "wide"),
	"utf16le":      addTransform(UTF16LE, "utf16le"),
	"utf16be":      addTransform(UTF16BE, "utf16be"),
	"utf16":        addTransform(UTF16, "utf16"),
	"base64":       addTransform(Base64, "base64"),
	"base64offset": addTransform(Base64Offset, "base64offset"),
}

// modifierNames are for suggestions: one letter is near to anything.
var modifierNames = func() []string {
	var names []string
	for name := range modifiers {
		if len(name) > 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}()

// setOp sets a comparison that nothing else may have set.
func setOp(op Op, name string) func(*Item) error {
	return func(item *Item) error {
		if item.Op != OpEqual {
			return fmt.Errorf("modifier %q cannot be combined with %q; write two items", name, item.Op)
		}
		item.Op = op
		return nil
	}
}

func setText(op Op, name string) func(*Item) error {
	set := setOp(op, name)
	return func(item *Item) error {
		switch {
		case item.Op == OpRegexp:
			return nil // which looks anywhere by itself
		case item.Op.text():
			return fmt.Errorf("modifier %q cannot be combined with %q; write two items, or \"contains\" for text anywhere", name, item.Op)
		}
		return set(item)
	}
}

func setRegexp(item *Item) error {
	if item.Op.text() {
		return fmt.Errorf("modifier \"re\" stands before %q, or rather alone: it looks anywhere in the text", item.Op)
	}
	return setOp(OpRegexp, "re")(item)
}

func setFlag(flag string) func(*Item) error {
	return func(item *Item) error {
		if item.Op != OpRegexp {
			return fmt.Errorf("modifier %q belongs after \"re\", as in \"field|re|%s\"", flag, flag)
		}
		if !strings.Contains(item.Flags, flag) {
			item.Flags += flag
		}
		return nil
	}
}

func setPart(part TimePart) func(*Item) error {
	return func(item *Item) error {
		if item.Part != 0 {
			return fmt.Errorf("modifier %q cannot be combined with %q; write two items", part, item.Part)
		}
		item.Part = part
		return nil
	}
}

// maxEncodings bounds how often a value is encoded: each time makes it longer.
const maxEncodings = 4

// addTransform refuses an order in which the value would be changed beyond
// recognition: values are transformed in the order of the modifiers.
func addTransform(transform Transform, name string) func(*Item) error {
	return func(item *Item) error {
		base64 := transform == Base64 || transform == Base64Offset
		if base64 && item.Op.text() {
			return fmt.Errorf("modifier %q after %q would encode the wildcards; write \"%s|%s\"", name, item.Op, name, item.Op)
		}
		encodings := 1
		for _, before := range item.Transforms {
			if before != Windash && before != Expand {
				encodings++
			}
		}
		if encodings > maxEncodings {
			return fmt.Errorf("modifier %q would be encoding number %d, and at most %d are possible; remove one", name, encodings, maxEncodings)
		}
		for _, before := range item.Transforms {
			switch {
			case base64:
			case before == transform:
				return fmt.Errorf("modifier %q is there twice; remove one", name)
			case before.utf16() && transform.utf16():
				return fmt.Errorf("modifier %q cannot be combined with %q; a text has one encoding", name, before)
			case before != Windash && before != Expand:
				return fmt.Errorf("modifier %q after %q would find encoded text; write \"%s|%s\"", name, before, name, before)
			}
		}
		item.Transforms = append(item.Transforms, transform)
		return nil
	}
}

func (d *document) parseModifiers(item *Item, key *yaml.Node, names []string, where string) {
	before := len(d.errs)
	seen := map[string]bool{}
	for _, name := range names {
		apply, ok := modifiers[name]
		switch {
		case !ok && name == "":
			d.errorf(key, "%s: %q has nothing after a \"|\"", where, shorten(key.Value))
		case !ok:
			hint := d.suggest(name, modifierNames)
			if hint == "" {
				hint = "; the most used are contains, startswith, endswith, all, re, cidr and exists"
			}
			d.errorf(key, "%s: unknown modifier %q%s", where, shorten(name), hint)
		case seen[name] && name != "base64" && name != "base64offset": // what is encoded twice is another text
			d.errorf(key, "%s: modifier %q is there twice; remove one", where, name)
		default:
			seen[name] = true
			if err := apply(item); err != nil {
				d.errorf(key, "%s: %v", where, err)
			}
		}
	}
	if len(d.errs) > before {
		return
	}
	if msg := item.conflict(); msg != "" {
		d.errorf(key, "%s: %s", where, msg)
	}
}

// conflict says which of the modifiers have no meaning together, and what to
// write instead.
func (item *Item) conflict() string {
	// What the value is read as decides what else can be.
	reading := ""
	switch {
	case item.Op == OpExists:
		reading = "exists"
	case item.FieldRef:
		reading = "fieldref"
	case item.Part != 0:
		reading = item.Part.String()
	case item.Op == OpRegexp, item.Op == OpCIDR, item.Op.order():
		reading = item.Op.String()
	}
	switch {
	case reading == "":
	case item.Op == OpExists && item.Negated:
		return `modifier "exists" cannot be combined with "neq"; write true for false, or false for true`
	case item.Op == OpExists && (item.All || item.FieldRef || item.Part != 0):
		return `modifier "exists" cannot be combined with others; write an item of its own`
	case item.Cased && reading != "fieldref":
		return fmt.Sprintf("modifier \"cased\" does nothing with %q; remove it", reading)
	case item.FieldRef && item.Part != 0:
		return fmt.Sprintf("modifier \"fieldref\" compares whole values and cannot be combined with %q; remove one of the two", item.Part)
	case item.FieldRef && item.Op != OpEqual && !item.Op.text():
		return fmt.Sprintf("modifier \"fieldref\" compares text and cannot be combined with %q; write contains, startswith, endswith, cased or neq beside it", item.Op)
	case item.Part != 0 && item.Op != OpEqual && !item.Op.order():
		return fmt.Sprintf("modifier %q gives a number and cannot be combined with %q; write lt, lte, gt, gte or neq beside it", item.Part, item.Op)
	}
	for _, t := range item.Transforms {
		if reading != "" && !(t == Expand && (item.Op == OpRegexp || item.Op == OpCIDR) && item.Part == 0 && !item.FieldRef) {
			return fmt.Sprintf("modifier %q changes text and cannot be combined with %q; write two items", t, reading)
		}
	}
	if item.Field != "" {
		return ""
	}
	switch {
	case item.Negated:
		return `modifier "neq" needs a field before the "|"; for keywords write "not" in the condition`
	case reading != "" && item.Op != OpRegexp && item.Op != OpCIDR:
		return fmt.Sprintf("modifier %q needs a field before the \"|\"", reading)
	}
	return ""
}

// text reports whether the operator puts wildcards around a value.
func (o Op) text() bool { return o == OpContains || o == OpStartsWith || o == OpEndsWith }

// order reports whether the operator compares numbers.
func (o Op) order() bool { return o >= OpLT && o <= OpGTE }

func (t Transform) utf16() bool { return t == UTF16LE || t == UTF16BE || t == UTF16 }

var opNames = [...]string{
	OpEqual:      "equals",
	OpContains:   "contains",
	OpStartsWith: "startswith",
	OpEndsWith:   "endswith",
	OpRegexp:     "re",
	OpExists:     "exists",
	OpCIDR:       "cidr",
	OpLT:         "lt",
	OpLTE:        "lte",
	OpGT:         "gt",
	OpGTE:        "gte",
}

// String returns the modifier of the operator; "equals" for none.
func (o Op) String() string { return nameOf(opNames[:], uint8(o), "Op") }

var partNames = [...]string{Minute: "minute", Hour: "hour", Day: "day", Week: "week", Month: "month", Year: "year"}

// String returns the modifier of the part; empty for none.
func (p TimePart) String() string { return nameOf(partNames[:], uint8(p), "TimePart") }

var transformNames = [...]string{
	Windash: "windash", Expand: "expand", UTF16LE: "utf16le", UTF16BE: "utf16be", UTF16: "utf16", Base64: "base64", Base64Offset: "base64offset",
}

// String returns the modifier of the transform; utf16le for its alias wide too.
func (t Transform) String() string { return nameOf(transformNames[:], uint8(t), "Transform") }

var kindNames = [...]string{Null: "null", Bool: "boolean", Number: "number", String: "string"}

// String returns the kind as people call it: null, boolean, number or string.
func (k Kind) String() string { return nameOf(kindNames[:], uint8(k), "Kind") }

func nameOf(names []string, i uint8, kind string) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", kind, i)
}
