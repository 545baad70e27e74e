package sigma

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trailbell/trailbell/sigma/window"
)

// CompiledCorrelation is a correlation of a Set, with all correlations that it
// counts.
type CompiledCorrelation struct {
	meta      Meta
	kind      string
	groupBy   []string
	timespan  time.Duration
	condition string
	rules     []string

	levels   []window.Level
	counters []*counter // of each level
	// shared are the positions, in the group-by of each level, of the fields
	// that all levels have. Only for a chain.
	shared [][]int
	// inputs says where the match of a rule counts.
	inputs      map[*CompiledRule][]window.Input
	fingerprint uint32
}

// Meta describes the correlation, with its level as inherited or overridden.
// It must not be changed.
func (c *CompiledCorrelation) Meta() *Meta { return &c.meta }

// Type is the type of the correlation, such as "event_count".
func (c *CompiledCorrelation) Type() string { return c.kind }

// GroupBy returns the fields and aliases whose values make a group. It must
// not be changed.
func (c *CompiledCorrelation) GroupBy() []string { return c.groupBy }

// Timespan is the length of the closed window: events at most that far apart
// are in one.
func (c *CompiledCorrelation) Timespan() time.Duration { return c.timespan }

// Condition is what must hold for a window, as a rule spells it: "gte: 5",
// "field: userIdentity.arn, gt: 3", or "failure and not success".
func (c *CompiledCorrelation) Condition() string { return c.condition }

// Rules returns the names, or ids where there is no name, of the rules and
// correlations that count directly, in the order of the bits of
// window.Count.Inputs. It must not be changed.
func (c *CompiledCorrelation) Rules() []string { return c.rules }

// Levels describes the correlation to the window engine. The first level is
// the correlation itself. More than one make a chain: the others are the
// correlations that it counts, directly or through others, each after all
// levels that count it. It must not be changed.
func (c *CompiledCorrelation) Levels() []window.Level { return c.levels }

// Chained reports whether the correlation counts correlations.
func (c *CompiledCorrelation) Chained() bool { return len(c.levels) > 1 }

// String says in a line what is counted, for people, such as
// "event_count (gt: 4) of console_login_failure in 6m by sourceIPAddress".
func (c *CompiledCorrelation) String() string {
	text := fmt.Sprintf("%s (%s) of %s in %s", c.kind, c.condition, strings.Join(c.rules, ", "), formatSpan(c.timespan))
	if len(c.groupBy) > 0 {
		text += " by " + strings.Join(c.groupBy, ", ")
	}
	return text
}

// Hit is how a record counts for a correlation.
type Hit struct {
	// Key are the group-by values by which the hits of a correlation can be
	// told apart: only hits with equal keys can ever count together. For a
	// correlation over rules they are the values of the group. For a chain they
	// are the values of the fields that all of its levels group by under their
	// own names, in the order of the outermost; there may be none.
	Key []string
	// Counts has, for a correlation over rules, one entry of level 0. For a
	// chain it has one or more for each level that the record counts for, or
	// would count for if the conditions of the levels below held at it; the
	// inputs that stand for levels are only possible ones then. Inputs of one
	// group that take their values from different fields have counts of their
	// own, since those of one may count while those of another do not. Levels
	// ascend.
	Counts []window.Count
}

// Hits appends how a record counts that matched some rules. Rules that do not
// feed the correlation are passed over; without one that does, and for a
// record that lacks a group-by field (absent, or a JSON null) or the value that
// is counted, there is no hit. What is appended shares no memory with the record.
//
// A group value is a string as it is, without folding case; a number, true and
// false as they are written. Where a path leads to several values, or to a list
// or an object, the compact JSON text stands for it, as a list when there are
// several.
//
// A correlation over rules gives one hit, or, where aliases lead to several
// groups, one for each. A chain gives one.
func (c *CompiledCorrelation) Hits(dst []Hit, matched []*CompiledRule, record []byte) []Hit {
	s := scratches.Get().(*scratch)
	defer s.release()
	return c.hits(dst, matched, textOf(record), s)
}

func (c *CompiledCorrelation) hits(dst []Hit, matched []*CompiledRule, text string, s *scratch) []Hit {
	var inputs [maxLevels]uint64
	any := false
	for _, rule := range matched {
		for _, in := range c.inputs[rule] {
			inputs[in.Level] |= 1 << in.Bit
			any = true
		}
	}
	if !any {
		return dst
	}
	if len(c.levels) == 1 {
		counts := c.counters[0].count(nil, 0, inputs[0], false, text, s)
		for i := range counts {
			dst = append(dst, Hit{Key: counts[i].Group, Counts: counts[i : i+1 : i+1]})
		}
		return dst
	}
	var counts []window.Count
	// A level stands after all levels that count it.
	for l := len(c.levels) - 1; l >= 0; l-- {
		if inputs[l] == 0 {
			continue
		}
		before := len(counts)
		counts = c.counters[l].count(counts, l, inputs[l], true, text, s)
		if len(counts) == before {
			continue
		}
		for _, outer := range c.levels[l].Outer {
			inputs[outer.Level] |= 1 << outer.Bit
		}
	}
	if len(counts) == 0 {
		return dst
	}
	slices.SortStableFunc(counts, func(a, b window.Count) int { return a.Level - b.Level })
	first := &counts[0]
	var key []string
	for _, i := range c.shared[first.Level] {
		key = append(key, first.Group[i])
	}
	return append(dst, Hit{Key: key, Counts: counts})
}
