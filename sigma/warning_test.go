package sigma

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// warningCase is a collection and all that is said about it.
type warningCase struct {
	name, rules string
	opts        Options
	want        []string
}

func testWarnings(t *testing.T, cases []warningCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			set, errs := compileText(t, tt.rules, tt.opts)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			var got []string
			for _, w := range set.Warnings() {
				got = append(got, w.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatDoesNotRunIsNotWarnedOf(t *testing.T) {
	odd := "---\ntitle: T\nname: odd\nlogsource: {product: aws}\ndetection: {sel: {eventSource: s3}, condition: sel}\n"
	said := `r.yml:5:32: rule "T": selection "sel": field "eventSource": CloudTrail has no source "s3"; write the name of a service in full, such as "s3.amazonaws.com"`
	testWarnings(t, []warningCase{
		{"a rule", odd, Options{}, []string{said}},
		{"a disabled rule", odd, Options{Disable: []string{"odd"}}, nil},
		{"a disabled rule that still counts", odd + over("c", "odd", ""), Options{Disable: []string{"odd"}}, []string{said}},
		{"a disabled correlation", small("a", "") + over("c", "a", ""), Options{Disable: []string{"c"}}, nil},
		{"a disabled filter", small("a", "") + filtering("f", "any", "sel"), Options{Disable: []string{"f"}}, nil},
	})
}
