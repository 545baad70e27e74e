package screen

import (
	"strings"

	"github.com/tidwall/gjson"
)

// quoted makes a value of a record fit to be shown: safe, and in quotes if it
// could be taken for several.
func quoted(s string) string {
	s = Safe(s)
	if s == "" || strings.ContainsAny(s, ` "`) {
		return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
	}
	return s
}

// scalar is the text of a string, number or bool that says something.
func scalar(v gjson.Result) (string, bool) {
	switch v.Type {
	case gjson.String:
		return v.Str, v.Str != ""
	case gjson.Number:
		return v.Raw, true
	case gjson.True, gjson.False:
		return v.Raw, true
	}
	return "", false
}

// items are the elements of a list as the query APIs of AWS write it into a
// record: {"items": [...]}. There are none if it is something else.
func items(v gjson.Result) []gjson.Result {
	if list := v.Get("items"); list.IsArray() {
		return list.Array()
	}
	return nil
}

// texts are the values of a field of each item that has it.
func texts(list []gjson.Result, field string) []string {
	var out []string
	for _, v := range list {
		if s, ok := scalar(v.Get(field)); ok {
			out = append(out, s)
		}
	}
	return out
}
