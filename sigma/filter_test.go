package sigma

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// filtering writes a filter with a name in few words: sel is a user agent of
// terraform. The filter is on line 5 of the document.
func filtering(name, rules, condition string) string {
	return "---\ntitle: Filter " + name + "\nname: " + name + "\nlogsource: {product: aws, service: cloudtrail}\nfilter: {rules: " + rules + ", sel: {userAgent|contains: terraform}, condition: " + condition + "}\n"
}

func TestFilterErrors(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"no rules", "{sel: {a: b}, condition: not sel}", `filter: there are no "rules"; write a list of ids or names of rules, or "rules: any"`},
		{"rules that are null", "{rules: , sel: {a: b}, condition: not sel}", `filter.rules is empty; write a list of ids or names of rules, or "any"`},
		{"no condition", "{rules: any, sel: {a: b}}", `filter: there is no "condition"; write one such as "condition: not selection" with the name of a detection`},
		{"nothing else", "{rules: any, condition: not sel}", `filter: there is nothing but a condition; write a detection such as "selection"`},
		{"a list of conditions", "{rules: any, sel: {a: b}, condition: [not sel]}", `filter.condition must be one text, not a list; write "or" between alternatives`},
		{"a misspelt detection", "{rules: any, selection: {a: b}, condition: not selektion}", `condition: no detection is called "selektion"; did you mean "selection"?`},
		{"a word", "any", `filter must be a map, not "any"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := Parse("r.yml", []byte("title: F\nlogsource: {product: aws}\nfilter: "+tt.body+"\n"))
			if len(errs) != 1 {
				t.Fatalf("errors: %v", errs)
			}
			got := errs[0].(*Error)
			if got.Msg != tt.want || got.Line != 3 || got.Column == 0 || got.Rule != "F" {
				t.Errorf("got  %v\nwant r.yml:3:…: rule \"F\": %s", got, tt.want)
			}
		})
	}
	_, errs := Parse("r.yml", []byte("title: F\nfilter: {rules: any, sel: {a: b}, condition: not sel}\n"))
	if want := `r.yml:1:1: rule "F": the filter has no "logsource"; write "logsource: {product: aws, service: cloudtrail}"`; len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("got  %v\nwant %s", errs, want)
	}
}

// ringing returns which of the rules match a StopLogging by a user agent.
func ringing(set *Set, agent string) string {
	var names []string
	record := `{"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging", "userAgent": "` + agent + `"}`
	for _, r := range set.Candidates("cloudtrail.amazonaws.com", "StopLogging").AppendMatches(nil, []byte(record)) {
		names = append(names, r.Meta().Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestFilters(t *testing.T) {
	stop := func(name, source string) string {
		return "---\ntitle: Rule " + name + "\nname: " + name + "\nid: id-of-" + name + "\nlogsource: {" + source + "}\ndetection: {sel: {eventName: StopLogging}, condition: sel}\n"
	}
	aws, trail := "product: aws", "product: aws, service: cloudtrail"
	both := stop("a", trail) + stop("b", trail)
	for _, tt := range []struct {
		name, rules       string
		opts              Options
		terraform, others string // the rules that ring
	}{
		{"by name", both + filtering("f", "[a]", "not sel"), Options{}, "b", "a b"},
		{"by id", both + filtering("f", "id-of-a", "not sel"), Options{}, "b", "a b"},
		{"twice by both", both + filtering("f", "[a, id-of-a]", "not sel"), Options{}, "b", "a b"},
		{"before its rule", filtering("f", "[a]", "not sel") + both, Options{}, "b", "a b"},
		{"any", both + filtering("f", "any", "not sel"), Options{}, "", "a b"},
		{"Any in capitals", both + filtering("f", "ANY", "not sel"), Options{}, "", "a b"},
		{"all", both + filtering("f", "all", "not sel"), Options{}, "", "a b"},
		{"an empty list is any", both + filtering("f", "[]", "not sel"), Options{}, "", "a b"},
		{"what is found, not the exception", both + filtering("f", "[a]", "sel"), Options{}, "a b", "b"},
		{"two filters", both + filtering("f", "[a]", "not sel") + strings.Replace(filtering("g", "[a]", "not sel"), "terraform", "console", 1), Options{}, "b", "b"},
		{"a detection of the rule's name is another", both + filtering("f", "[a]", "not 1 of s*"), Options{}, "b", "a b"},
		{"disabled", both + filtering("f", "[a]", "not sel"), Options{Disable: []string{"f"}}, "a b", "a b"},
		{"any takes in rules with more of a logsource, not with less", stop("a", trail) + stop("b", aws) + filtering("f", "any", "not sel"), Options{}, "b", "a b"},
		{"a filter with less of a logsource takes in more", stop("a", trail) + stop("b", aws) + strings.Replace(filtering("f", "any", "not sel"), trail, "product: AWS", 1), Options{}, "", "a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, errs := compileText(t, tt.rules, tt.opts)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if got := ringing(set, "terraform/1.9"); got != tt.terraform {
				t.Errorf("for terraform rings %q, want %q", got, tt.terraform)
			}
			if got := ringing(set, "console"); got != tt.others {
				t.Errorf("for another rings %q, want %q", got, tt.others)
			}
		})
	}
}

func TestAFilterKeepsTheIndexRight(t *testing.T) {
	filter := func(detections, condition string) string {
		return "---\ntitle: F\nlogsource: {product: aws}\nfilter: {rules: any, " + detections + ", condition: " + condition + "}\n"
	}
	rule := "title: R\nlogsource: {product: aws}\ndetection: {sel: {eventName: [StopLogging, DeleteTrail]}, condition: sel}\n"
	for _, tt := range []struct {
		name, filter string
		candidates   []string // of the names below
	}{
		{"an exception pins nothing", filter("sel: {eventName: StopLogging}", "not sel"), []string{"StopLogging", "DeleteTrail"}},
		{"what a filter demands pins the rule more", filter("sel: {eventName: [StopLogging, RunInstances]}", "sel"), []string{"StopLogging"}},
		{"a filter of alternatives", filter("sel: {eventName: StopLogging}, other: {userAgent: x}", "sel or other"), []string{"StopLogging", "DeleteTrail"}},
	} {
		set, errs := compileText(t, rule+tt.filter, Options{})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		var got []string
		for _, name := range []string{"StopLogging", "DeleteTrail", "RunInstances"} {
			if set.Candidates("cloudtrail.amazonaws.com", name).Len() > 0 {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff(tt.candidates, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestAFilterFindsItsRules(t *testing.T) {
	windows := "---\ntitle: W\nname: w\nlogsource: {product: windows}\n"
	for _, tt := range []struct {
		name, rules string
		want        []string
		filtered    []string
	}{
		{"a misspelt name beside a right one", small("alpha", "") + filtering("f", "[alhpa, alpha]", "not sel"),
			[]string{`r.yml:10:18: rule "Filter f": filter.rules: no rule has the id or name "alhpa"; did you mean "alpha"?`}, []string{"alpha"}},
		{"a correlation", small("a", "") + over("c", "a", "") + filtering("f", "[c]", "not sel"),
			[]string{`r.yml:14:18: rule "Filter f": filter.rules: "c" is a correlation, and filters are for the rules that it counts; name a`}, nil},
		{"another filter", filtering("f", "any", "not sel") + filtering("g", "[f]", "not sel"),
			[]string{`r.yml:10:18: rule "Filter g": filter.rules: "f" is a filter; name the rules that it is for`}, nil},
		{"a rule with less of a logsource", strings.Replace(small("a", ""), ", service: cloudtrail", "", 1) + filtering("f", "a", "not sel"),
			[]string{`r.yml:10:17: rule "Filter f": filter.rules: rule "a" has the logsource {product: aws}, which this filter's {product: aws, service: cloudtrail} does not take in; write no more into the filter's than the rule has`}, nil},
		{"a rule of another log beside ours", windows + small("a", "") + filtering("f", "[w, a]", "not sel"), nil, []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, errs := compileText(t, tt.rules, Options{})
			if diff := cmp.Diff(tt.want, errs); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			var filtered []string
			for _, r := range set.Rules() {
				for _, f := range r.Filters() {
					filtered = append(filtered, r.Meta().Name)
					if f.Title != "Filter f" {
						t.Errorf("filtered by %s", f.Title)
					}
				}
			}
			if diff := cmp.Diff(tt.filtered, filtered); diff != "" {
				t.Errorf("filtered rules (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFiltersForOtherLogsAreSkipped(t *testing.T) {
	set, errs := compileText(t, "title: W\nname: w\nlogsource: {product: windows}\n"+
		filtering("f", "[w]", "not sel")+strings.Replace(filtering("g", "any", "not sel"), "product: aws, service: cloudtrail", "product: windows", 1), Options{})
	var skipped []string
	for _, s := range set.Skipped() {
		skipped = append(skipped, s.Title+": "+s.Reason)
	}
	want := []string{
		`W: its logsource has product "windows", not aws`,
		`Filter g: its logsource has product "windows", not aws`,
		`Filter f: it is for rule "w", which is not for CloudTrail`,
	}
	if diff := cmp.Diff(want, skipped); diff != "" || len(errs) > 0 || len(set.Warnings()) > 0 {
		t.Errorf("%v %v (-want +got):\n%s", errs, set.Warnings(), diff)
	}
}

// Random rules with random filters: what rings is what both say by themselves,
// whatever the index makes of the two.
func TestAFilteredRuleIsBothConditions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, other := drawRule(t, "rule"), drawRule(t, "filter")
		filter := strings.Replace(other, "detection:\n", "filter:\n  rules: any\n", 1)
		match := func(text string, record []byte) bool {
			c, errs := Parse("r.yml", []byte(text))
			if len(errs) > 0 {
				t.Fatalf("%s\n%v", text, errs)
			}
			set, errs := Compile(c, Options{Placeholders: referencePlaceholders})
			if len(errs) > 0 {
				t.Fatalf("%s\n%v", text, errs)
			}
			return len(set.Candidates(typeOf(string(record))).AppendMatches(nil, record)) > 0
		}
		for range 4 {
			record, err := json.Marshal(drawRecord(t))
			if err != nil {
				t.Fatal(err)
			}
			want := match(rule, record) && match(other, record)
			if got := match(rule+"---\n"+filter, record); got != want {
				t.Fatalf("%s---\n%s\non %s: %v, want %v", rule, filter, record, got, want)
			}
		}
	})
}
