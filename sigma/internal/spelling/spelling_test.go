package spelling

import "testing"

func TestSuggest(t *testing.T) {
	many := []string{"a1", "b1", "c1", "d1", "e1", "f1", "g1", "h1", "i1", "j1", "k1", "l1", "contains"}
	for _, c := range []struct {
		word  string
		known []string
		want  string
	}{
		{"contians", []string{"contains", "cased"}, `; did you mean "contains"?`},
		{"CONTAINS", []string{"contains"}, `; did you mean "contains"?`},
		{"xyz", []string{"contains", "cased"}, "; write one of contains, cased"},
		{"xyz", many, ""},
		{"contain", many, `; did you mean "contains"?`},
		{"ge", []string{"gt", "gte", "lt", "lte", "eq"}, `; did you mean "gt" or "gte"?`},
		{"b", []string{"ab", "bb", "cb"}, `; did you mean "ab"?`},
		{"x", nil, ""},
		{"zz", []string{"ab"}, "; write one of ab"}, // as far from it as it is long
	} {
		if got := Suggest(c.word, c.known); got != c.want {
			t.Errorf("Suggest(%q, %q) = %q, want %q", c.word, c.known, got, c.want)
		}
	}
}

func TestNear(t *testing.T) {
	known := []string{"tag", "tags", "level"}
	for _, c := range []struct {
		word  string
		edits int
		want  string
	}{
		{"level", 1, ""},
		{"Level", 0, "level"},
		{"levels", 0, ""},
		{"levle", 1, "level"},
		{"levls", 1, ""},
		{"levls", 2, "level"},
		{"Tags", 1, "tags"}, // though "tag" is within one edit, too
	} {
		if got := Near(c.word, known, c.edits); got != c.want {
			t.Errorf("Near(%q, %d) = %q, want %q", c.word, c.edits, got, c.want)
		}
	}
}
