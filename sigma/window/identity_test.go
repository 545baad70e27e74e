package window

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Identities come back as they are, and in the order of their texts, whatever
// the form in which they are held.
func TestIdentitiesAreTexts(t *testing.T) {
	uuid := rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	rapid.Check(t, func(t *rapid.T) {
		var want []string
		g := New(10, Condition{})
		for i := range rapid.IntRange(0, 150).Draw(t, "events") {
			id := uuid.Draw(t, "id")
			switch rapid.SampledFrom([]string{"as it is", "upper case", "short", "long", "nearly", "text"}).Draw(t, "form") {
			case "upper case":
				id = strings.ToUpper(id)
			case "short":
				id = id[:rapid.IntRange(0, 20).Draw(t, "length")]
			case "long":
				id += "#" + fmt.Sprint(i)
			case "nearly":
				b := []byte(id)
				b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("-0afgG`/:")).Draw(t, "other")
				id = string(b)
			case "text":
				id = rapid.String().Draw(t, "text")
			}
			g.Insert(Event{ID: id})
			want = append(want, id)
		}
		slices.Sort(want)
		want = slices.Compact(want)
		var got []string
		for e := range g.Events() {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
