package sigma

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// What a condition demands of (eventSource, eventName), as boxes.
func TestPins(t *testing.T) {
	for _, tt := range []struct{ name, detection, want string }{
		{"both", "{sel: {eventSource: S, eventName: N}, condition: sel}", "s×n"},
		{"a list of names", "{sel: {eventName: [B, A]}, condition: sel}", "*×a,b"},
		{"two maps that differ in the name", "{sel: [{eventSource: s, eventName: a}, {eventSource: s, eventName: b}], condition: sel}", "s×a,b"},
		{"two maps that differ in both", "{sel: [{eventSource: s, eventName: a}, {eventSource: r, eventName: b}], condition: sel}", "s×a r×b"},
		{"two maps, one not pinned", "{sel: [{eventName: a}, {readOnly: false}], condition: sel}", "*×*"},
		{"and over detections", "{x: {eventSource: s}, y: {eventName: n}, condition: x and y}", "s×n"},
		{"and narrows", "{x: {eventName: [a, b, c]}, y: {eventName: [b, c, d]}, condition: x and y}", "*×b,c"},
		{"and of names that no record has both", "{x: {eventName: a}, y: {eventName: b}, condition: x and y}", "*×"},
		{"or over detections", "{x: {eventName: a}, y: {eventName: b}, condition: x or y}", "*×a,b"},
		{"or with one not pinned", "{x: {eventName: a}, y: {readOnly: true}, condition: x or y}", "*×*"},
		{"not is no pin", "{x: {eventName: a}, y: {eventName: b}, condition: x and not y}", "*×a"},
		{"not alone", "{x: {eventName: a}, condition: not x}", "*×*"},
		{"not not", "{x: {eventName: a}, condition: not not x}", "*×*"},
		{"1 of", "{x_1: {eventName: a}, x_2: {eventName: b}, condition: 1 of x_*}", "*×a,b"},
		{"all of", "{x_1: {eventSource: s}, x_2: {eventName: b}, condition: all of x_*}", "s×b"},
		{"a wildcard", "{x: {eventName: Describe*}, condition: x}", "*×*"},
		{"a wildcard among names", "{x: {eventName: [a, b*]}, condition: x}", "*×*"},
		{"an escaped wildcard", `{x: {eventName: 'a\*'}, condition: x}`, "*×a*"},
		{"contains", "{x: {eventName|contains: a}, condition: x}", "*×*"},
		{"cased", "{x: {eventName|cased: A}, condition: x}", "*×a"},
		{"neq", "{x: {eventName|neq: a}, condition: x}", "*×*"},
		{"a field reference", "{x: {eventName|fieldref: a}, condition: x}", "*×*"},
		{"a number compared", "{x: {eventName|gt: 5}, condition: x}", "*×*"},
		{"an encoded name", "{x: {eventName|base64: abc}, condition: x}", "*×ywjj"},
		{"a name with a dash", "{x: {eventName|windash: -a}, condition: x}", "*×*"},
		{"placeholders", "{x: {eventName|expand: ['%name%', a]}, condition: x}", "*×a,runinstances,stoplogging"},
		{"all placeholders", "{x: {eventName|expand|all: ['%name%', a]}, condition: x}", "*×a,runinstances,stoplogging"},
		{"a placeholder with a wildcard", "{x: {eventName|expand: '%many%'}, condition: x}", "*×*"},
		{"null among names", "{x: {eventName: [a, null]}, condition: x}", "*×*"},
		{"a number", "{x: {eventName: 5}, condition: x}", "*×5"},
		{"keywords", "{x: [a, b], condition: x}", "*×*"},
		{"a list of conditions", "{x: {eventName: a}, y: {eventName: b}, condition: [x, y]}", "*×a,b"},
	} {
		c, errs := Parse("r.yml", []byte("title: T\nlogsource: {product: aws}\ndetection: "+tt.detection+"\n"))
		if len(errs) > 0 {
			t.Fatalf("%s: %v", tt.name, errs)
		}
		set, errs := Compile(c, Options{Placeholders: referencePlaceholders})
		if len(errs) > 0 {
			t.Fatalf("%s: %v", tt.name, errs)
		}
		var boxes []string
		for _, b := range set.Rules()[0].pins {
			boxes = append(boxes, formatSide(b.sources)+"×"+formatSide(b.names))
		}
		if got := strings.Join(boxes, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func formatSide(set []string) string {
	if set == nil {
		return "*"
	}
	return strings.Join(set, ",")
}

func TestCandidatesAreFew(t *testing.T) {
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "---\ntitle: R%d\nlogsource: {product: aws}\ndetection: {s: {eventSource: s%d, eventName: N}, condition: s}\n", i, i%5)
	}
	b.WriteString("---\ntitle: by source\nlogsource: {product: aws}\ndetection: {s: {eventSource: s3}, condition: s}\n")
	b.WriteString("---\ntitle: every record\nlogsource: {product: aws}\ndetection: {s: {readOnly: false}, condition: s}\n")
	set, errs := compileText(t, b.String(), Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, tt := range []struct {
		source, name string
		want         int
	}{
		{"s3", "n", 12},
		{"S3", "N", 12},
		{"s4", "N", 11},
		{"s3", "other", 2},
		{"other", "N", 1},
		{"", "N", 52},
		{"s3", "", 12},
		{"", "", 52},
	} {
		c := set.Candidates(tt.source, tt.name)
		if c.Len() != tt.want {
			t.Errorf("(%q, %q) has %d candidates, want %d", tt.source, tt.name, c.Len(), tt.want)
		}
		for i, r := range c.Rules() {
			if i > 0 && c.Rules()[i-1].order >= r.order {
				t.Errorf("(%q, %q): candidates are not in the order of the set", tt.source, tt.name)
			}
		}
	}
}

// A condition with more alternatives than the index keeps is tried more often,
// never less.
func TestManyAlternativesStayCorrect(t *testing.T) {
	var maps []string
	for i := range 40 {
		maps = append(maps, fmt.Sprintf("{eventSource: s%d, eventName: n%d}", i, i))
	}
	_, set := compileDetection(t, "  sel: ["+strings.Join(maps, ", ")+"]\n  condition: sel\n")
	for i := range 40 {
		if !matches(set, fmt.Sprintf(`{"eventSource":"s%d","eventName":"n%d"}`, i, i)) {
			t.Errorf("alternative %d does not match", i)
		}
		if matches(set, fmt.Sprintf(`{"eventSource":"s%d","eventName":"n%d"}`, i, i+1)) {
			t.Errorf("alternative %d matches another's name", i)
		}
	}
}

// Under -race this shows that a set may be shared.
func TestASetIsSharedByGoroutines(t *testing.T) {
	_, set := compileDetection(t, "  sel: {userIdentity.userName: alice, requestParameters.policy|contains: allow}\n  words: [nested]\n  condition: sel and words\n")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				if !matches(set, sample) || matches(set, `{"userIdentity":{"userName":"bob"}}`) {
					t.Error("a shared set matches otherwise")
				}
			}
		})
	}
	group.Wait()
}
