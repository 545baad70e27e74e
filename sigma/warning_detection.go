package sigma

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// detections looks at what a rule or a filter detects.
func (w warner) detections(detections []Detection, condition Expr) {
	w.unusedDetections(detections, condition)
	for _, d := range detections {
		for _, items := range d.Alternatives {
			for i := range items {
				w.item(d.Name, &items[i])
			}
		}
	}
}

// timeframe: in Sigma 1 it belonged to an aggregation behind a "|". Without one
// it has never meant anything.
func (w warner) timeframe(r *Rule) {
	if r.timeframeAt != (position{}) {
		w.at(r.timeframeAt, `detection: "timeframe" does nothing; to count in time write a correlation document with "timespan", else take it out`)
	}
}

// unusedDetections: often an exception that was written and never subtracted.
// A name that starts with '_' says that it is put aside.
func (w warner) unusedDetections(detections []Detection, condition Expr) {
	used := map[string]bool{}
	markUsed(condition, used)
	for _, d := range detections {
		if used[d.Name] || strings.HasPrefix(d.Name, "_") {
			continue
		}
		instead := "name it there, or take it out"
		if strings.HasPrefix(strings.ToLower(d.Name), "filter") {
			instead = fmt.Sprintf(`write "%s and not %s"`, operand(condition), d.Name)
		}
		w.at(position{d.Line, d.Column}, "selection %q: the condition does not use it; %s", d.Name, instead)
	}
}

func markUsed(x Expr, used map[string]bool) {
	switch x := x.(type) {
	case And:
		for _, y := range x {
			markUsed(y, used)
		}
	case Or:
		for _, y := range x {
			markUsed(y, used)
		}
	case Not:
		markUsed(x.X, used)
	case Ref:
		used[x.Name] = true
	case Of:
		for _, name := range x.Names {
			used[name] = true
		}
	}
}

func (w warner) item(detection string, item *Item) {
	where := fmt.Sprintf("selection %q", detection)
	if msg := otherCase(item.Field); msg != "" {
		w.at(position{item.Line, item.Column}, "%s: %s", where, msg)
	}
	if item.Field != "" {
		where = fmt.Sprintf("%s: field %q", where, item.Field)
	}
	for i := range item.Values {
		v := &item.Values[i]
		for _, odd := range valueOddities {
			if msg := odd(item, v); msg != "" {
				w.at(position{v.Line, v.Column}, "%s: %s", where, msg)
			}
		}
	}
}

// valueOddities say what is odd about a value, or nothing.
var valueOddities = []func(*Item, *Value) string{
	noEventSource,
	wildcardInFieldRef,
	otherCaseInFieldRef,
	nullAmongValues,
	booleanOfYAML,
	controlCharacterInValue,
	bitsAfterPrefix,
}

// noEventSource: the name of a service, or of a host, in place of the source.
func noEventSource(item *Item, v *Value) string {
	if item.Field != sourceField || item.Op != OpEqual || item.FieldRef || len(item.Transforms) > 0 || v.Kind != String || v.Text == "" {
		return ""
	}
	tokens := tokenize(v.Text)
	text := foldString(v.Text)
	if !isLiteral(tokens) || slices.ContainsFunc(sourceEndings, func(ending string) bool { return strings.HasSuffix(text, ending) }) {
		return ""
	}
	service, _, _ := strings.Cut(text, ".")
	return fmt.Sprintf("CloudTrail has no source %q; write the name of a service in full, such as %q", shorten(v.Text), service+sourceEndings[0])
}

// sourceEndings are those of the values of eventSource, the most frequent
// first.
var sourceEndings = []string{".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.cn", ".amazonaws.eu", ".ic.gov", ".sgov.gov"}

// wildcardInFieldRef: the value is the name of a field and not a pattern.
func wildcardInFieldRef(item *Item, v *Value) string {
	if !item.FieldRef || !strings.ContainsAny(v.Text, "*?") {
		return ""
	}
	return fmt.Sprintf(`modifier "fieldref" takes the name of a field, and %q is read as one: wildcards mean nothing in it; for a pattern leave "fieldref" out`, shorten(v.Text))
}

// otherCaseInFieldRef: the value is a field like that of the item.
func otherCaseInFieldRef(item *Item, v *Value) string {
	if !item.FieldRef {
		return ""
	}
	return otherCase(v.Text)
}

// nullAmongValues: since version 2.1 the specification keeps null out of lists.
func nullAmongValues(item *Item, v *Value) string {
	if v.Kind != Null || len(item.Values) == 1 {
		return ""
	}
	return fmt.Sprintf(`other engines may refuse null beside other values; write a list of two maps, one of them "%s: null"`, item.Field)
}

// booleanOfYAML: words that YAML 1.1 takes for booleans and YAML 1.2, like this
// package, for text.
func booleanOfYAML(_ *Item, v *Value) string {
	words := []string{"yes", "no", "on", "off"}
	if v.Quote != 0 || v.Kind != String || !slices.Contains(words, strings.ToLower(v.Text)) {
		return ""
	}
	return fmt.Sprintf("%s without quotes is text here and a boolean to other engines; write '%s'", v.Text, v.Text)
}

// controlCharacterInValue: an escape in double quotes where a backslash was
// meant, such as the tab in "C:\temp". A new line may be meant.
func controlCharacterInValue(_ *Item, v *Value) string {
	if v.Quote != '"' {
		return ""
	}
	for _, r := range v.Text {
		if r < ' ' && r != '\n' || r == 0x7f {
			return fmt.Sprintf("a backslash in double quotes is an escape, and the value has the control character %+q; write it in single quotes if a backslash is meant", r)
		}
	}
	return ""
}

// bitsAfterPrefix: a network that is another one than it looks like.
func bitsAfterPrefix(item *Item, v *Value) string {
	if item.Op != OpCIDR {
		return ""
	}
	prefix, err := netip.ParsePrefix(v.Text)
	if err != nil || prefix.Masked() == prefix {
		return ""
	}
	return fmt.Sprintf("%s is the network %s; write that, or the address without %q", v.Text, prefix.Masked(), fmt.Sprintf("/%d", prefix.Bits()))
}
