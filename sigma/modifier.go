package sigma

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The modifiers of this version. Those of the specification that are missing
// here are in laterModifiers.
var modifiers = map[string]func(*Item) error{
	"contains":   setOp(OpContains, "contains"),
	"startswith": setOp(OpStartsWith, "startswith"),
	"endswith":   setOp(OpEndsWith, "endswith"),
	"re":         setOp(OpRegexp, "re"),
	"exists":     setOp(OpExists, "exists"),
	"all":        func(item *Item) error { item.All = true; return nil },
	"cased":      func(item *Item) error { item.Cased = true; return nil },
	"i":          setFlag("i"),
	"m":          setFlag("m"),
	"s":          setFlag("s"),
}

var modifierNames = []string{"contains", "startswith", "endswith", "re", "exists", "all", "cased"}

// laterModifiers are in the specification and not in this version.
var laterModifiers = map[string]bool{
	"cidr": true, "lt": true, "lte": true, "gt": true, "gte": true, "neq": true,
	"minute": true, "hour": true, "day": true, "week": true, "month": true, "year": true,
	"base64": true, "base64offset": true, "utf16le": true, "utf16be": true, "utf16": true, "wide": true,
	"windash": true, "fieldref": true, "expand": true,
}

func setOp(op Op, name string) func(*Item) error {
	return func(item *Item) error {
		if item.Op != OpEqual {
			return fmt.Errorf("modifier %q cannot be combined with %q; write two items", name, item.Op)
		}
		item.Op = op
		return nil
	}
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

func (d *document) parseModifiers(item *Item, key *yaml.Node, names []string, where string) {
	for _, name := range names {
		apply, ok := modifiers[name]
		switch {
		case ok:
			if err := apply(item); err != nil {
				d.errorf(key, "%s: %v", where, err)
			}
		case laterModifiers[name]:
			d.errorf(key, "%s: modifier %q is not supported by this version", where, name)
		case name == "":
			d.errorf(key, "%s: %q has nothing after a \"|\"", where, key.Value)
		default:
			d.errorf(key, "%s: unknown modifier %q%s", where, name, suggest(name, modifierNames))
		}
	}
	if item.Cased && (item.Op == OpRegexp || item.Op == OpExists) {
		d.errorf(key, "%s: modifier \"cased\" does nothing with %q; remove it", where, item.Op)
	}
}

var opNames = [...]string{
	OpEqual:      "equals",
	OpContains:   "contains",
	OpStartsWith: "startswith",
	OpEndsWith:   "endswith",
	OpRegexp:     "re",
	OpExists:     "exists",
}

// String returns the modifier of the operator; "equals" for none.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}
