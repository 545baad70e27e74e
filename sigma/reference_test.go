package sigma

import (
	"encoding/json"
	"regexp"
	"strings"
)

// The reference evaluator says what a rule means, slowly and plainly: records
// are map[string]any, strings are compared through regular expressions, and
// nothing is compiled or indexed. It shares no code with the matcher.

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
	onlyStars := v.Text != "" && strings.Trim(v.Text, "*") == "" || v.Text == "" && item.Op != OpEqual
	if v.Kind == String && onlyStars && item.Op != OpRegexp {
		for _, f := range found {
			if f != nil {
				return true
			}
		}
		return false
	}
	var leaves []any
	for _, f := range found {
		referenceLeaves(f, &leaves)
	}
	return referenceAny(item, v, leaves)
}

func referenceAny(item *Item, v Value, leaves []any) bool {
	for _, leaf := range leaves {
		if referenceScalar(item, v, leaf) {
			return true
		}
	}
	return false
}

func referenceScalar(item *Item, v Value, leaf any) bool {
	text := ""
	switch leaf := leaf.(type) {
	case string:
		text = leaf
	case bool:
		text = map[bool]string{true: "true", false: "false"}[leaf]
	case json.Number:
		text = leaf.String()
		if item.Op == OpEqual {
			a, errA := leaf.Float64()
			b, errB := json.Number(v.Text).Float64()
			if errA == nil && errB == nil && json.Valid([]byte(v.Text)) {
				return a == b
			}
		}
	case nil:
		return false
	}
	if item.Op == OpRegexp {
		return regexp.MustCompile("(?" + item.Flags + ":" + v.Text + ")").MatchString(text)
	}
	value := v.Text
	if v.Kind != String {
		value = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `\`, `\\`).Replace(value)
	}
	return wildcardRegexp(value, item.Op, item.Cased).MatchString(text)
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
