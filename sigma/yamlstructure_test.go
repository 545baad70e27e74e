package sigma

import (
	"strings"
	"testing"
)

// The line of an error is the one to change, however far above the map begins
// that package yaml was reading.
func TestErrorsOfStructureSayWhereAndWhatToWrite(t *testing.T) {
	const (
		noLine   = "the indentation of this line is that of no line above; indent it like those that it belongs to"
		deeper   = "this line is indented deeper than the key above, which has a value already; indent both alike"
		entry    = "the entry of a list where a key is expected; indent the list below the key that it belongs to, and give that key no other value"
		key      = "a key where the next entry of a list is expected; indent it like the keys of the entry above, or like the key of the list"
		quote    = "the quotation mark before this ends the value; quote the whole value, and write '' for a ' in single quotes"
		open     = "a quotation mark is not closed; write it again at the end of the value"
		brackets = `a list or a map in brackets is not closed, or has a value that needs quotes; write the "]" or "}", and quote values that have brackets, braces or commas in them`
	)
	for _, tt := range []struct{ name, file, want string }{
		{"less than the lines above", "title: T\ndetection:\n  sel:\n    a: b\n   c: d\n  condition: x\n", "5:4: " + noLine},
		{"less than all lines above, behind comments", "title: T\ndetection:\n  sel:\n    a: b\n\n    # c\n c: d\n", "7:2: " + noLine},
		{"with the ends of lines of Windows", "title: T\r\nx:\r\n  a: b\r\n c: d\r\n", "4:2: " + noLine},
		{"in a second document", "title: T\n---\ntitle: T\nx:\n    a: b\n  c: d\n", "6:3: " + noLine},
		{"more than the line above", "title: T\n  id: x\nname: y\n", "2:3: " + deeper},
		{"below a text of two lines", "title: T\ndescription: a\n b\n c: d\n", "4:2: " + deeper},
		{"a dash deeper than the one above", "title: T\nx:\n  - a: b\n   - c\n", "4:4: " + noLine},
		{"a list beside a value", "title: T\nx: y\n- a\n", "3:1: " + entry},
		{"a key beside a list", "title: T\nx:\n  - a: b\n  c: d\n", "4:3: " + key},
		{"a list behind its key", "title: T\nx: - a\n", `2:4: write the entries of a list on lines of their own below the key, or in brackets, as in [a, b]`},
		{"no space behind a colon", "title: T\nlevel:high\nx:\n  a: b\n", `2:6: write a space after the colon, as in "level: high"`},
		{"no space behind the first colon of a map", "title: T\nx:\n  y:\n    a:b\n    c: d\n", `4:6: write a space after the colon, as in "a: b"`},
		{"no colon", "title: T\nx:\n  selection\n    a: b\n", `3:3: "selection" is neither a key nor a value here; write a colon behind a key, as in "selection:"`},
		{"no colon in the first line", "title T\nlevel: high\n", `1:1: "title T" is neither a key nor a value here; write a colon behind a key, as in "title T:"`},
		{"no colon in the last line", "title: T\nlevel\n", `2:1: "level" is neither a key nor a value here; write a colon behind a key, as in "level:"`},
		{"a colon in the value of the first line", "title: it's: b # c\n", `1:8: quote a value that has a colon and a space in it, as in 'it''s: b'`},
		{"a colon in a value", "title: T\ndescription: see: b\n", `2:14: quote a value that has a colon and a space in it, as in 'see: b'`},
		{"a quotation mark in a value", "title: T\nname: 'it's'\nx: y\n", "2:11: " + quote},
		{"text behind a value in quotes", "title: T\nx:\n  - \"a\" b\n", "3:9: " + quote},
		{"no second quotation mark", "title: T\nname: \"open\nx: y\n", "2:7: " + open},
		{"no second quotation mark in the first line", "title: 'open\nx: y\n", "1:8: " + open},
		{"no second quotation mark before a document", "title: T\nx: 'a\n---\ntitle: T\n", "2:4: " + open},
		{"a list that is not closed", "title: T\nx: [a, b\nlevel: high\n", "2:4: " + brackets},
		{"a list that is not begun", "cases: [", "1:8: " + brackets},
		{"braces in a value in braces", "title: T\nx: {a|re: ^[a-z]{3}$}\n", "2:4: " + brackets},
		{"text behind a bracket", "title: T\nx:\n  re: [a-z]+ # c\n", "3:7: quote a value that starts with '[', as in '[a-z]+'"},
		{"a brace too many", "title: T\nx: {a: b}}\n", "2:4: quote a value that starts with '{', as in '{a: b}}'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := Parse("r.yml", []byte(tt.file))
			if len(errs) == 0 {
				t.Fatal("no error")
			}
			line, rest, _ := strings.Cut(tt.want, ": ")
			want := "r.yml:" + line + ": not YAML: " + rest
			if got := errs[len(errs)-1].Error(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
