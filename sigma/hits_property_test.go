package sigma

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// chainSpec is a correlation of a random chain, as a test reads it.
type chainSpec struct {
	name, kind string
	inputs     []string // rules r0 to r3, and correlations before this one
	groupBy    []string
	aliases    map[string]map[string]string
	field      string
}

var (
	chainFields  = []string{"f", "g", "h"}
	chainAliases = []string{"f", "p", "q"} // one hides a field
)

func drawChain(t *rapid.T, most int) []chainSpec {
	var specs []chainSpec
	for i := range rapid.IntRange(1, most).Draw(t, "levels") {
		s := chainSpec{name: fmt.Sprintf("c%d", i), aliases: map[string]map[string]string{}}
		s.kind = rapid.SampledFrom([]string{"event_count", "temporal", "temporal_ordered", "value_count", "value_sum"}).Draw(t, "type")
		if strings.HasPrefix(s.kind, "value") {
			s.field = rapid.SampledFrom(append(chainFields, chainAliases...)).Draw(t, "value")
		}
		choice := []string{"r0", "r1", "r2", "r3"}
		for j := range i {
			choice = append(choice, fmt.Sprintf("c%d", j))
		}
		s.inputs = rapid.SliceOfN(rapid.SampledFrom(choice), 1, 4).Draw(t, "inputs")
		if i > 0 {
			s.inputs = append(s.inputs, fmt.Sprintf("c%d", i-1)) // so that the last counts all
		}
		s.groupBy = rapid.SliceOfNDistinct(rapid.SampledFrom(append([]string{"p", "q"}, chainFields...)), 0, 2, rapid.ID).Draw(t, "group-by")
		if rapid.IntRange(0, 3).Draw(t, "shares") > 0 && !slices.Contains(s.groupBy, "f") {
			s.groupBy = append(s.groupBy, "f") // often the field of all levels
		}
		for _, alias := range chainAliases {
			if rapid.IntRange(0, 3).Draw(t, "alias") > 0 {
				continue
			}
			s.aliases[alias] = map[string]string{}
			for _, input := range s.inputs {
				if rapid.Bool().Draw(t, "mapped") || len(s.aliases[alias]) == 0 {
					s.aliases[alias][input] = rapid.SampledFrom(chainFields).Draw(t, "path")
				}
			}
		}
		specs = append(specs, s)
	}
	return specs
}

// text writes the chain with one timespan a level, by which a test knows it.
func chainText(specs []chainSpec) string {
	var b strings.Builder
	for i := range 4 {
		fmt.Fprintf(&b, "---\ntitle: R%d\nname: r%d\nlogsource: {product: aws}\ndetection: {sel: {matches: r%d}, condition: sel}\n", i, i, i)
	}
	for i, s := range specs {
		body := fmt.Sprintf("type: %s, rules: [%s], group-by: [%s], timespan: %ds", s.kind, strings.Join(s.inputs, ", "), strings.Join(s.groupBy, ", "), i+1)
		if s.field != "" {
			body += ", condition: {field: " + s.field + ", gte: 1}"
		} else {
			body += ", condition: {gte: 1}"
		}
		aliases, _ := json.Marshal(s.aliases)
		b.WriteString(correlate(s.name, body+", aliases: "+string(aliases), ""))
	}
	return b.String()
}

func drawChainRecord(t *rapid.T) map[string]any {
	record := map[string]any{"matches": rapid.SliceOfDistinct(rapid.SampledFrom([]string{"r0", "r1", "r2", "r3"}), rapid.ID).Draw(t, "matches")}
	for _, field := range append([]string{"p", "q"}, chainFields...) {
		switch rapid.IntRange(0, 6).Draw(t, field) {
		case 0:
		case 1:
			record[field] = nil
		case 2:
			record[field] = []any{"x", "7"}
		case 3:
			record[field] = "7"
		default:
			record[field] = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "text")
		}
	}
	return record
}

// path is the field that a name stands for in the records of an input.
func (s *chainSpec) path(name, input string) string {
	if path, ok := s.aliases[name][input]; ok {
		return path
	}
	return name
}

// valuePath is the field from which all of some inputs take their values.
func valuePath(t *rapid.T, s *chainSpec, inputs uint64) string {
	var listed, paths []string
	for _, input := range s.inputs {
		if slices.Contains(listed, input) {
			continue
		}
		if path := s.path(s.field, input); inputs>>len(listed)&1 == 1 && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
		listed = append(listed, input)
	}
	if len(paths) != 1 {
		t.Fatalf("one count of %s has values of %q", s.name, paths)
	}
	return paths[0]
}

// naiveCounts is how a record counts for a level, as a reader of the rule
// would say it: lines of group, inputs and values, without repeats.
func naiveCounts(specs []chainSpec, level string, record map[string]any) map[string]string {
	s := specs[slices.IndexFunc(specs, func(s chainSpec) bool { return s.name == level })]
	inputs, values := map[string]map[int]bool{}, map[string]map[string]int{}
	var listed []string
	for _, input := range s.inputs {
		if s.kind != "temporal_ordered" && slices.Contains(listed, input) {
			continue
		}
		listed = append(listed, input)
		bit := len(listed) - 1
		active := slices.Contains(record["matches"].([]string), input)
		if strings.HasPrefix(input, "c") {
			active = len(naiveCounts(specs, input, record)) > 0
		}
		path := func(name string) string { return s.path(name, input) }
		var group []string
		for _, name := range s.groupBy {
			value := record[path(name)]
			if value == nil {
				active = false
				continue
			}
			if list, ok := value.([]any); ok {
				text, _ := json.Marshal(list)
				value = string(text)
			}
			group = append(group, value.(string))
		}
		var taken []string
		if s.field != "" {
			switch value := record[path(s.field)].(type) {
			case string:
				taken = []string{value}
			case []any:
				taken = []string{value[0].(string), value[1].(string)}
			}
			if s.kind == "value_sum" {
				taken = slices.DeleteFunc(taken, func(v string) bool { return v != "7" })
			}
			active = active && len(taken) > 0
		}
		if !active {
			continue
		}
		key := fmt.Sprintf("%q", group)
		if s.field != "" && len(specs) > 1 {
			key += " of " + path(s.field) // of which another input may count
		}
		if inputs[key] == nil {
			inputs[key], values[key] = map[int]bool{}, map[string]int{}
		}
		inputs[key][bit] = true
		for _, v := range taken {
			// A number counts once a field.
			if s.kind == "value_sum" {
				v += " of " + path(s.field)
			}
			values[key][v] = 1
		}
	}
	lines := map[string]string{}
	for key := range inputs {
		var bits uint64
		for bit := range inputs[key] {
			bits |= 1 << bit
		}
		lines[key] = fmt.Sprintf("inputs %b, %d values", bits, len(values[key]))
	}
	return lines
}

func TestHitsAreWhatTheRuleSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		specs := drawChain(t, 3)
		text := chainText(specs)
		c, errs := Parse("r.yml", []byte(text))
		if len(errs) > 0 {
			t.Fatalf("%s\n%v", text, errs)
		}
		set, errs := Compile(c, Options{})
		if len(errs) > 0 {
			t.Fatalf("%s\n%v", text, errs)
		}
		top := set.Correlations()[len(set.Correlations())-1]
		levels := map[string]int{}
		for i, l := range top.Levels() {
			levels[specs[l.Timespan/1000-1].name] = i
			for _, outer := range l.Outer {
				if outer.Level >= i {
					t.Fatalf("level %d counts for level %d", i, outer.Level)
				}
			}
		}
		if len(levels) != len(specs) || len(set.Correlations()) != 1 {
			t.Fatalf("%d levels of %d", len(levels), len(specs))
		}
		// Which key each group of each level was seen under.
		keys := map[string]string{}
		for range rapid.IntRange(1, 8).Draw(t, "records") {
			fields := drawChainRecord(t)
			record, _ := json.Marshal(fields)
			matched := set.Candidates("", "").AppendMatches(nil, record)
			hits := top.Hits(nil, matched, record)
			got := map[string]map[string]string{}
			for _, hit := range hits {
				if len(specs) == 1 && !slices.Equal(hit.Key, hit.Counts[0].Group) {
					t.Fatalf("the key %q of the group %q", hit.Key, hit.Counts[0].Group)
				}
				for _, count := range hit.Counts {
					name := specs[top.Levels()[count.Level].Timespan/1000-1].name
					if got[name] == nil {
						got[name] = map[string]string{}
					}
					group := fmt.Sprintf("%q", count.Group)
					counted := group
					if s := specs[slices.IndexFunc(specs, func(s chainSpec) bool { return s.name == name })]; s.field != "" && len(specs) > 1 {
						counted += " of " + valuePath(t, &s, count.Inputs)
					}
					if _, twice := got[name][counted]; twice {
						t.Fatalf("%s counts %s twice", name, counted)
					}
					got[name][counted] = fmt.Sprintf("inputs %b, %d values", count.Inputs, len(count.Values))
					key, place := fmt.Sprintf("%q", hit.Key), name+" "+group
					if known, ok := keys[place]; ok && known != key {
						t.Fatalf("%s\ngroup %s has the keys %s and %s", text, place, known, key)
					}
					keys[place] = key
				}
			}
			for _, s := range specs {
				want := naiveCounts(specs, s.name, fields)
				if fmt.Sprint(want) != fmt.Sprint(got[s.name]) && len(want)+len(got[s.name]) > 0 {
					t.Fatalf("%s\n%s\n%s: %v, want %v", text, record, s.name, got[s.name], want)
				}
			}
			if len(specs) > 1 && len(hits) > 1 {
				t.Fatalf("%d hits of a chain", len(hits))
			}
		}
	})
}
