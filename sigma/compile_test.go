package sigma

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// small writes a rule with a name in few words.
func small(name, rest string) string {
	return "---\ntitle: Rule " + name + "\nname: " + name + "\nlogsource: {product: aws, service: cloudtrail}\ndetection: {sel: {eventName: " + name + "}, condition: sel}\n" + rest
}

func counting(name, rules, rest string) string {
	return "---\ntitle: Count " + name + "\nname: " + name + "\ncorrelation: {type: event_count, rules: [" + rules + "], group-by: [recipientAccountId], timespan: 5m, condition: {gt: 4}}\n" + rest
}

func compileText(t *testing.T, text string, opts Options) (*Set, []string) {
	t.Helper()
	c, errs := Parse("r.yml", []byte(text))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, errs := Compile(c, opts)
	var messages []string
	for _, err := range errs {
		messages = append(messages, err.Error())
	}
	return set, messages
}

// summary lists what rings: rules that alert, and rules with what they feed.
func summary(set *Set) string {
	var lines []string
	for _, r := range set.Rules() {
		line := r.Meta().Name + " " + r.Meta().Level.String()
		if r.Alerts() {
			line += " alerts"
		}
		for _, c := range r.Feeds() {
			line += " feeds " + c.Meta().Name
		}
		lines = append(lines, line)
	}
	for _, c := range set.Correlations() {
		lines = append(lines, c.Meta().Name+" "+c.Meta().Level.String())
	}
	return strings.Join(lines, "\n")
}

func TestWhatRings(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		opts        Options
		want        string
	}{
		{"a rule by itself", small("a", ""), Options{}, "a medium alerts"},
		{"a correlation mutes its rules", small("a", "") + counting("c", "a", ""), Options{}, "a medium feeds c\nc medium"},
		{"generate beside the correlation", small("a", "") + counting("c", "a", "generate: true\n"), Options{}, "a medium alerts feeds c\nc medium"},
		{"generate inside the correlation", small("a", "") + strings.Replace(counting("c", "a", ""), "{type", "{generate: true, type", 1), Options{}, "a medium alerts feeds c\nc medium"},
		{"one generate of two is enough", small("a", "") + counting("c", "a", "generate: true\n") + counting("d", "a", ""), Options{}, "a medium alerts feeds c feeds d\nc medium\nd medium"},
		{"a disabled rule still counts", small("a", "") + counting("c", "a", "generate: true\n"), Options{Disable: []string{"a"}}, "a medium feeds c\nc medium"},
		{"a disabled correlation does not mute", small("a", "") + counting("c", "a", ""), Options{Disable: []string{"c"}}, "a medium alerts"},
		{"a disabled rule that nothing counts is gone", small("a", "") + small("b", ""), Options{Disable: []string{"a"}}, "b medium alerts"},
		{"a correlation takes the highest level of its rules", small("a", "level: low\n") + small("b", "level: high\n") + counting("c", "a, b", ""), Options{}, "a low feeds c\nb high feeds c\nc high"},
		{"a correlation has its own level", small("a", "level: high\n") + counting("c", "a", "level: low\n"), Options{}, "a high feeds c\nc low"},
		{"levels are overridden", small("a", "level: high\n") + counting("c", "a", "level: low\n"), Options{Level: map[string]Level{"a": Low, "c": Critical}}, "a low feeds c\nc critical"},
		{"an overridden level is inherited", small("a", "") + counting("c", "a", ""), Options{Level: map[string]Level{"a": Low}}, "a low feeds c\nc low"},
		{"a rule named twice counts once", small("a", "") + counting("c", "a, a", ""), Options{}, "a medium feeds c\nc medium"},
		{"a rule with the title of a skipped one", "title: Rule a\nname: a\nlogsource: {product: windows}\n" + small("a", ""), Options{}, "a medium alerts"},
		{"a correlation before its rule", counting("c", "a", "") + small("a", ""), Options{}, "a medium feeds c\nc medium"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, errs := compileText(t, tt.rules, tt.opts)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if diff := cmp.Diff(tt.want, summary(set)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		opts        Options
		want, rings string
	}{
		{"a correlation over nothing", small("failure", "") + counting("c", "faliure", ""), Options{},
			`r.yml:9:42: rule "Count c": correlation.rules: no rule has the id or name "faliure"; did you mean "failure"?`, "failure medium alerts"},
		{"an id twice", small("a", "id: one\n") + small("b", "id: one\n"), Options{},
			`r.yml:12:5: rule "Rule b": id "one" is taken by rule "Rule a" in r.yml:2; give one of the two another`, "a medium alerts"},
		{"a name twice", small("a", "id: one\n") + small("a", "id: two\n"), Options{},
			`r.yml:9:7: rule "Rule a": name "a" is taken by rule "Rule a" in r.yml:2; give one of the two another`, "a medium alerts"},
		{"a name of a rule for a correlation", small("a", "") + counting("a", "a", "id: two\n"), Options{},
			`r.yml:8:7: rule "Count a": name "a" is taken by rule "Rule a" in r.yml:2; give one of the two another`, "a medium alerts"},
		{"an id of a rule for a filter", small("a", "id: one\n") + "---\nid: one\ntitle: F\nlogsource: {product: aws}\nfilter: {rules: any, sel: {eventName: a}, condition: not sel}\n", Options{},
			`r.yml:8:5: rule "F": id "one" is taken by rule "Rule a" in r.yml:2; give one of the two another`, "a medium alerts"},
		{"a title twice, without ids", strings.Replace(small("a", ""), "name: a\n", "", 1) + strings.Replace(small("a", ""), "name: a\n", "", 1), Options{},
			`r.yml:6: rule "Rule a": another rule without an id has this title, in r.yml:2; give each an "id", or another title`, " medium alerts"},
		{"a level for a filter", small("a", "") + filtering("f", "any", "not sel"), Options{Level: map[string]Level{"f": Low}},
			`level: "f" is a filter, which has no level`, "a medium alerts"},
		{"a timespan beyond the horizon", small("a", "") + counting("c", "a", ""), Options{Horizon: time.Minute},
			`r.yml:9:88: rule "Count c": correlation.timespan: 5m is longer than the horizon of 1m, beyond which events are forgotten; shorten it, or raise the horizon (correlator.horizon in the configuration)`, "a medium alerts"},
		{"a misspelt exception", small("alpha", ""), Options{Disable: []string{"alhpa"}},
			`disable: no rule has the id or name "alhpa"; did you mean "alpha"?`, "alpha medium alerts"},
		{"a level for no rule", small("alpha", ""), Options{Level: map[string]Level{"beta": Low}},
			`level: no rule has the id or name "beta"; write one of alpha`, "alpha medium alerts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, errs := compileText(t, tt.rules, tt.opts)
			if diff := cmp.Diff([]string{tt.want}, errs); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.rings, summary(set)); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADisabledRuleNeedsNoPlaceholders(t *testing.T) {
	expanding := strings.Replace(small("a", ""), "eventName: a", "userIdentity.arn|expand: '%admins%'", 1)
	opts := Options{Disable: []string{"a"}}
	unknown := `r.yml:5:44: rule "Rule a": field "userIdentity.arn": placeholder %admins% has no values; set correlator.rules.placeholders: {admins: [value]} in the file of --config`
	for _, tt := range []struct {
		name, rules string
		opts        Options
		want        []string
		rings       string
	}{
		{"when it is not disabled", expanding + small("b", ""), Options{}, []string{unknown}, "b medium alerts"},
		{"when it is", expanding + small("b", ""), opts, nil, "b medium alerts"},
		{"when a correlation counts it", expanding + small("b", "") + counting("c", "a, b", "") + counting("d", "a", ""), opts,
			[]string{unknown, `r.yml:14:42: rule "Count c": correlation.rules: rule "a" is broken; see its error`, `r.yml:18:42: rule "Count d": correlation.rules: rule "a" is broken; see its error`}, "b medium alerts"},
		{"when a disabled correlation counts it", expanding + counting("c", "a", ""), Options{Disable: []string{"a", "c"}}, nil, ""},
		{"when a filter is for it", expanding + small("b", "") + filtering("f", "[a, b]", "not sel"), opts, nil, "b medium alerts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, errs := compileText(t, tt.rules, tt.opts)
			if diff := cmp.Diff(tt.want, errs); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.rings, summary(set)); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFileThatIsLoadedTwice(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.yml", small("a", "")+small("b", "")+over("c", "a", ""))
	write(t, dir+"/b.yml", small("z", ""))
	t.Chdir(dir)
	for _, path := range []string{"a.yml", "./a.yml", dir + "/a.yml", "../" + filepath.Base(dir) + "/a.yml"} {
		all, errs := LoadPath(".")
		again, more := LoadPath(path)
		all.Add(again)
		set, problems := Compile(all, Options{})
		if len(errs)+len(more) > 0 || len(problems) != 1 || problems[0].Error() != path+": this file is loaded twice: two of the paths overlap; name it, or its directory, once" {
			t.Errorf("%s: %v %v %v", path, errs, more, problems)
		}
		if got := len(set.Rules()); got != 3 {
			t.Errorf("%s: %d rules", path, got)
		}
	}
}

func TestATimespanOfTheHorizonIsAllowed(t *testing.T) {
	_, errs := compileText(t, small("a", "")+counting("c", "a", ""), Options{Horizon: 5 * time.Minute})
	if len(errs) > 0 {
		t.Error(errs)
	}
}

func TestACorrelationOverAnotherLogIsSkipped(t *testing.T) {
	set, errs := compileText(t, "title: W\nname: w\nlogsource: {product: windows}\n"+counting("c", "w", ""), Options{})
	var skipped []string
	for _, s := range set.Skipped() {
		skipped = append(skipped, s.Title+": "+s.Reason)
	}
	want := []string{`W: its logsource has product "windows", not aws`, `Count c: it counts rule "w", which is not for CloudTrail`}
	if diff := cmp.Diff(want, skipped); diff != "" || len(errs) > 0 {
		t.Errorf("%v (-want +got):\n%s", errs, diff)
	}
}

func TestACompiledCorrelationIsWhatTheFileSays(t *testing.T) {
	set, errs := compileText(t, small("a", "")+counting("c", "a", "id: the-id\n"), Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	c := set.Correlation("the-id")
	if c == nil || c != set.Correlations()[0] || set.Correlation("c") != nil {
		t.Fatal("a correlation is found by its id and nothing else")
	}
	if c.Timespan() != 5*time.Minute || c.Condition() != "gt: 4" || c.Type() != "event_count" || c.Chained() {
		t.Errorf("timespan %v, condition %v", c.Timespan(), c.Condition())
	}
	if got, want := c.String(), "event_count (gt: 4) of a in 5m by recipientAccountId"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"recipientAccountId"}, c.GroupBy()); diff != "" {
		t.Errorf("group-by (-want +got):\n%s", diff)
	}
}

func TestThresholds(t *testing.T) {
	for _, tt := range []struct {
		t     Threshold
		holds []int // of 0 to 6
	}{
		{Threshold{{"gt", 4}}, []int{5, 6}},
		{Threshold{{"gte", 4}}, []int{4, 5, 6}},
		{Threshold{{"lt", 2}}, []int{0, 1}},
		{Threshold{{"lte", 2}}, []int{0, 1, 2}},
		{Threshold{{"eq", 3}}, []int{3}},
		{Threshold{{"neq", 3}}, []int{0, 1, 2, 4, 5, 6}},
		{Threshold{{"gt", 1}, {"lte", 3}}, []int{2, 3}},
	} {
		var got []int
		for count := range 7 {
			if tt.t.holds(float64(count)) {
				got = append(got, count)
			}
		}
		if diff := cmp.Diff(tt.holds, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.t, diff)
		}
	}
}

func TestImpossibleThresholds(t *testing.T) {
	for _, tt := range []struct {
		t             Threshold
		most          float64
		count, number bool
	}{
		{Threshold{{"lt", 1}}, 9, false, true}, // the matching event itself is one
		{Threshold{{"eq", 0}}, 9, false, true},
		{Threshold{{"lt", 2}}, 9, true, true},
		{Threshold{{"gt", 3}, {"lt", 5}}, 9, true, true},
		{Threshold{{"gt", 3}, {"lt", 5}, {"neq", 4}}, 9, false, true},
		{Threshold{{"gte", 3}, {"neq", 3}, {"lte", 4}}, 9, true, true},
		{Threshold{{"gt", 4}, {"lt", 5}}, 9, false, true},
		{Threshold{{"gt", 4}, {"lt", 4}}, 9, false, false},
		{Threshold{{"eq", 4}, {"neq", 4}}, 9, false, false},
		{Threshold{{"gt", 9}}, 9, false, true},
		{Threshold{{"gte", 9}}, 9, true, true},
		{Threshold{{"neq", 1}}, 1, false, true},
	} {
		if got := tt.t.possibleCount(tt.most); got != tt.count {
			t.Errorf("a count of at most %v that is %s: possible is %v", tt.most, tt.t, got)
		}
		if got := tt.t.possibleNumber(); got != tt.number {
			t.Errorf("a number that is %s: possible is %v", tt.t, got)
		}
	}
}

func TestLevelsAreOrderedAndSpelt(t *testing.T) {
	var names []string
	for i, l := range Levels() {
		if i > 0 && l <= Levels()[i-1] {
			t.Errorf("%s is not above %s", l, Levels()[i-1])
		}
		var back Level
		text, err := l.MarshalText()
		if err != nil || back.UnmarshalText(text) != nil || back != l {
			t.Errorf("%s does not survive: %s, %v", l, text, err)
		}
		names = append(names, l.String())
	}
	if diff := cmp.Diff([]string{"informational", "low", "medium", "high", "critical"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, text := range []string{"high", "High", "HIGH"} {
		if level, err := ParseLevel(text); level != High {
			t.Errorf("%s: %v, %v", text, level, err)
		}
	}
	if _, err := ParseLevel("Hihg"); err == nil || err.Error() != `"Hihg" is not a level; did you mean "high"?` {
		t.Error(err)
	}
	if _, err := Level(0).MarshalText(); err == nil {
		t.Error("the zero value has a name")
	}
}
