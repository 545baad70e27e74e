package sigma

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse: any file gives rules or errors with a place inside it, the same
// every time, and what was read compiles.
func FuzzParse(f *testing.F) {
	f.Add(small("a", "level: low\n") + counting("c", "a", "generate: true\n"))
	f.Add(rule("  sel: [{a|contains|all: [b, c]}, word]\n  f: {'|all': [x]}\n  condition: [sel, 1 of f*]\n"))
	f.Add("title: &t T\nlogsource: *t\ndetection: {<<: *t}\n")
	f.Add("title: T\nlogsource: {product: aws}\ndetection: {s: {a: [[b]], '': {}}, condition: {a: b}}\n")
	f.Add("a: &a [*a, *a]\n")
	f.Add("---\n---\n...\n%TAG !\n")
	f.Add("\xef\xbb\xbftitle: T\r\nlogsource:\r\n  product: aws\r\n")
	f.Add("correlation: [x]\ntitle: {}\ngenerate: maybe\n")
	f.Add(small("a", "") + correlate("c", "type: value_count, rules: [a], timespan: 5m, group-by: [u, v], condition: {field: [x, y], gte: 2}, aliases: {u: {a: userIdentity.userName}}", ""))
	f.Add(small("a", "") + over("c", "a", "") + correlate("d", "type: temporal_ordered, timespan: 5m, condition: c and not (a or c)", ""))
	f.Add(small("a", "") + filtering("f", "[a]", "not sel") + "---\ncases: []\n---\nfilter: {rules: , condition: []}\n")
	f.Fuzz(func(t *testing.T, file string) {
		c, errs := Parse("r.yml", []byte(file))
		lines := strings.Count(file, "\n") + strings.Count(file, "\r") + strings.Count(file, "\u0085") + strings.Count(file, "\u2028") + strings.Count(file, "\u2029") + 1
		for _, err := range errs {
			e, ok := err.(*Error)
			if !ok || e.Msg == "" || e.Line < 0 || e.Line > lines+1 {
				t.Fatalf("%#v in a file of %d lines", err, lines)
			}
		}
		again, _ := Parse("r.yml", []byte(file))
		if diff := cmp.Diff(c, again, cmp.AllowUnexported(Rule{}, Correlation{}, Alias{}, Filter{}, Skipped{}, top{}, oddity{}, position{})); diff != "" {
			t.Fatalf("another reading of the file:\n%s", diff)
		}
		set, _ := Compile(c, Options{})
		set.Candidates("ec2.amazonaws.com", "a").AppendMatches(nil, []byte(sample))
		for _, correlation := range set.Correlations() {
			correlation.Hits(nil, set.Rules(), []byte(sample)) // as if all had matched
		}
	})
}
