package window

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
)

// Chain is a correlation over correlations: groups at every level, and what
// holds at one level counting at another. It has all groups that can ever count
// together. It is not safe for concurrent use; use [NewChain].
type Chain struct {
	levels []chainLevel
	order  []int // every level before those that it feeds
	facts  map[string]*fact
	size   int
	newest uint64
	// oldest is a lower bound of the facts' Stored, so that a call of Forget
	// that has nothing to do costs nothing.
	oldest int64

	key []byte // of a group; there to be used again
}

// Level is one correlation of a chain.
type Level struct {
	// Timespan is the length of the closed window in milliseconds.
	Timespan  int64
	Condition Condition
	// Sources are sets of inputs that take their values from the same fields,
	// each input in at most one. The inputs in none are a set as well: without
	// Sources, all of them. What an event is counted for has the values of the
	// sets of which an input counts.
	Sources []uint64
	// Outer is where an event at which this level holds counts as well. Empty
	// for the root.
	Outer []Input
}

// Input is one bit of the inputs of a level.
type Input struct {
	// Level is the index of the level in its chain.
	Level int
	// Bit is 0 to 63.
	Bit uint
}

// Count is how an event counts for one level of a chain.
type Count struct {
	// Level is the index of the level in its chain; 0 is the root.
	Level int
	// Group are the values of the level's group-by fields.
	Group []string
	// Inputs says which inputs of the level the event stands for. The bits of
	// inputs that are levels themselves count only while that level holds at
	// the event.
	Inputs uint64
	// Values are hashes for the measure Values, millionths for Sum, Average
	// and Percentile, and nothing for the others. They need not be sorted. They
	// belong to the set of [Level.Sources] that the inputs are in; inputs of
	// several sets take several counts.
	Values []int64
}

type chainLevel struct {
	Level
	definition *Definition
	fedBy      []feed
	inner      uint64 // the bits of fedBy
	groups     map[string]*node
	// queue are the places whose inputs are to be looked at again.
	queue []*place
}

// feed says that a level counts as a bit.
type feed struct {
	level int
	bit   uint
}

// node is one group of one level.
type node struct {
	Root
	// places is how many there are in it, of events that count and of such as
	// might.
	places int
	// touched is for a turn, which may touch as many groups as there are, and
	// must name each once.
	touched bool
}

// Root is one group of the outermost level of a chain: the one whose episodes
// matter.
type Root struct {
	// Values are those of the group-by fields.
	Values []string
	// Group is filled by the chain, and forgets with it: neither Insert nor
	// Forget may be called on it. Of its events, Seq and Index say by which
	// insertion they began to count.
	*Group
}

// fact is a remembered event with all that it may count for.
type fact struct {
	Event  // without inputs and values
	places []*place
}

// size is what the event adds to the size of its chain.
func (f *fact) size() int {
	n := 1 + len(f.places)
	for _, p := range f.places {
		n += p.size()
	}
	return n
}

// place is one group in which an event counts, or might.
type place struct {
	fact   *fact
	level  int
	node   *node
	inputs uint64 // those of levels are possible ones
	// values by source. There may be fewer than sources.
	values [][]int64

	counts uint64 // the inputs that it counts for now; 0: it is not in the group
	time   int64  // under which it is in the group
	wanted uint64 // what it should count for
	queued bool
}

func (p *place) size() int {
	n := 0
	for _, values := range p.values {
		n += len(values)
	}
	return n
}

// add notes inputs, and values of theirs, whichever came first.
func (p *place) add(l *Level, inputs uint64, values []int64) {
	p.inputs |= inputs
	if len(values) == 0 {
		return
	}
	source := l.source(inputs)
	for len(p.values) <= source {
		p.values = append(p.values, nil)
	}
	_, p.values[source] = l.Condition.Measure.unite(0, p.values[source], 0, values)
}

// source returns which set of inputs some inputs are in; the last one is of
// those that no set has.
func (l *Level) source(inputs uint64) int {
	for i, set := range l.Sources {
		if set&inputs != 0 {
			return i
		}
	}
	return len(l.Sources)
}

// valuesOf returns the values that a place has for some of its inputs.
func (l *Level) valuesOf(p *place, inputs uint64) []int64 {
	var all []int64
	rest := inputs
	for _, set := range l.Sources {
		rest &^= set
	}
	for i, values := range p.values {
		switch {
		case len(values) == 0 || i < len(l.Sources) && l.Sources[i]&inputs == 0 || i == len(l.Sources) && rest == 0:
		case all == nil:
			all = values
		default:
			all = slices.Concat(all, values)
		}
	}
	return all
}

// NewChain returns an empty chain. Level 0 is the outermost, whose groups are
// the roots. It panics if a level feeds one that does not exist, or itself
// through others, or if a condition is such that [New] panics. The levels must
// not be changed.
func NewChain(levels []Level) *Chain {
	c := &Chain{levels: make([]chainLevel, len(levels)), facts: map[string]*fact{}, oldest: math.MaxInt64}
	for i, l := range levels {
		c.levels[i].Level = l
		c.levels[i].groups = map[string]*node{}
		c.levels[i].definition = Define(l.Timespan, l.Condition)
	}
	for i, l := range levels {
		for _, in := range l.Outer {
			outer := &c.levels[in.Level]
			outer.fedBy = append(outer.fedBy, feed{i, in.Bit})
			outer.inner |= 1 << in.Bit
		}
	}
	done := make([]bool, len(levels))
	open := make([]bool, len(levels))
	var visit func(int)
	visit = func(i int) {
		if open[i] {
			panic(fmt.Sprintf("window: level %d of a chain feeds itself", i))
		}
		if done[i] {
			return
		}
		open[i] = true
		for _, f := range c.levels[i].fedBy {
			visit(f.level)
		}
		open[i], done[i] = false, true
		c.order = append(c.order, i)
	}
	for i := range levels {
		visit(i)
	}
	return c
}

// Len returns the number of events that the chain remembers, whether they
// count at present or not.
func (c *Chain) Len() int { return len(c.facts) }

// Size returns how much the chain remembers: its events, and for each the groups
// in which it counts, or might, with its values there. What it takes in memory
// is in proportion to it.
func (c *Chain) Size() int { return c.size }

// Newest returns the highest Seq that the chain was ever given.
func (c *Chain) Newest() uint64 { return c.newest }

// Roots returns the groups of the outermost level, ordered by their values,
// that have events, or events that are gone. A root stays the same as long as
// an event is remembered that counts for it, or might.
func (c *Chain) Roots() iter.Seq[*Root] {
	var roots []*Root
	for _, n := range c.levels[0].groups {
		if n.Len() > 0 || len(n.link.gone) > 0 {
			roots = append(roots, &n.Root)
		}
	}
	slices.SortFunc(roots, func(a, b *Root) int { return slices.Compare(a.Values, b.Values) })
	return slices.Values(roots)
}

// Insert adds an event, and how it counts, and returns the roots that it
// touched: whose group got an event by it, or lost one, or has one that is now
// another or was renewed. Counts are all levels at which the event counts or
// might; one without any is passed over. Inputs and Values of the event itself
// are not looked at.
//
// What is said of repeats at [Group.Insert] is said of them here: their counts
// are united, group by group. Neither the order of arrival of the events nor
// that of the counts matters.
//
// Inserting costs what inserting into each group costs that it touches.
func (c *Chain) Insert(e Event, counts []Count) []*Root {
	c.newest = max(c.newest, e.Seq)
	if len(counts) == 0 {
		return nil
	}
	f := c.facts[e.ID]
	if f == nil {
		c.oldest = min(c.oldest, e.Stored)
		f = &fact{Event: e}
		f.Inputs, f.Values = 0, nil
		c.facts[e.ID] = f
		c.size += f.size()
	} else {
		if e.Time < f.Time {
			f.Time, f.Evidence = e.Time, e.Evidence
		}
		f.Stored = max(f.Stored, e.Stored)
	}
	for _, n := range counts {
		c.count(f, n)
	}
	for _, p := range f.places {
		c.enqueue(p)
	}
	var touched []*Root
	for _, l := range c.order {
		for _, n := range c.turn(l, e, f) {
			if l == 0 {
				touched = append(touched, &n.Root)
			}
			c.tell(l, n)
		}
	}
	return touched
}

// count notes that an event counts, or might, for a group.
func (c *Chain) count(f *fact, n Count) {
	l := &c.levels[n.Level]
	c.key = c.key[:0]
	for _, v := range n.Group {
		c.key = append(append(strconv.AppendInt(c.key, int64(len(v)), 10), ':'), v...)
	}
	in := l.groups[string(c.key)]
	if in == nil {
		g := l.definition.NewGroup()
		g.link = &link{key: string(c.key)}
		in = &node{Root: Root{Values: slices.Clone(n.Group), Group: g}}
		l.groups[g.link.key] = in
	}
	// All bits are kept, for a measure that does not look at them, too: they
	// say whether the event counts.
	inputs := max(n.Inputs, 1)
	_, values := l.Condition.Measure.trim(inputs, n.Values)
	for _, p := range f.places {
		if p.node == in {
			c.size -= p.size()
			p.add(&l.Level, inputs, values)
			c.size += p.size()
			return
		}
	}
	p := &place{fact: f, level: n.Level, node: in}
	p.add(&l.Level, inputs, values)
	in.places++
	c.size += 1 + p.size()
	f.places = append(f.places, p)
}

func (c *Chain) enqueue(p *place) {
	if !p.queued {
		p.queued = true
		c.levels[p.level].queue = append(c.levels[p.level].queue, p)
	}
}

// turn makes the groups of a level what they should be, given those inside,
// and returns which it touched. What arrived is e, which is f now.
func (c *Chain) turn(l int, e Event, f *fact) []*node {
	var touched []*node
	touch := func(n *node) {
		if !n.touched {
			n.touched = true
			n.newest = max(n.newest, e.Seq)
			touched = append(touched, n)
		}
	}
	queue := c.levels[l].queue
	c.levels[l].queue = queue[:0] // nothing joins the queue of a level in its turn
	// What leaves, leaves first: no verdict may rest on events that would not
	// count together.
	for _, p := range queue {
		p.queued = false
		p.wanted = c.inputs(p)
		if p.wanted != 0 {
			continue
		}
		if p.counts != 0 {
			p.node.take(p)
			touch(p.node)
		} else if p.fact == f && p.node.link.renew(f.ID, f.Stored) {
			touch(p.node)
		}
	}
	for _, p := range queue {
		if p.wanted != 0 && (p.node.put(&c.levels[l].Level, p, e) || p.fact == f) {
			touch(p.node)
		}
	}
	clear(queue)
	for _, n := range touched {
		n.touched = false
		n.judge()
	}
	return touched
}

// inputs returns what a place counts for: the inputs that are rules, and those
// that are levels which hold at the event.
func (c *Chain) inputs(p *place) uint64 {
	l := &c.levels[p.level]
	inputs := p.inputs &^ l.inner
	for _, f := range l.fedBy {
		if p.inputs>>f.bit&1 == 1 && p.fact.holds(f.level) {
			inputs |= 1 << f.bit
		}
	}
	return inputs
}

// holds reports whether the condition of a level holds at the event, in any
// group.
func (f *fact) holds(level int) bool {
	return slices.ContainsFunc(f.places, func(p *place) bool {
		if p.level != level || p.counts == 0 {
			return false
		}
		i, _ := p.node.find(p.time, f.ID)
		return p.node.entries.at(i).is(holds)
	})
}

// put makes a place count for what it should, and reports whether the group
// changed. What is inserted is e.
func (n *node) put(l *Level, p *place, e Event) bool {
	is := p.fact.Event
	is.Inputs, is.Values = n.condition.Measure.trim(p.wanted, l.valuesOf(p, p.wanted))
	counted, time := p.counts != 0, p.time
	p.counts, p.time = p.wanted, is.Time
	if counted {
		i, _ := n.find(time, is.ID)
		was := n.event(i)
		is.Seq, is.Index = was.Seq, was.Index
		return n.replace(i, was, is)
	}
	is.Seq, is.Index = e.Seq, e.Index
	if was, ok := n.link.gone[is.ID]; ok {
		is.Seq, is.Index = was.Seq, was.Index
		delete(n.link.gone, is.ID)
	}
	i, _ := n.find(is.Time, is.ID)
	n.insert(i, is)
	return true
}

// take makes a place count no more.
func (n *node) take(p *place) {
	i, _ := n.find(p.time, p.fact.ID)
	e := n.remove(i)
	e.Stored = p.fact.Stored
	if n.link.gone == nil {
		n.link.gone = map[string]Event{}
	}
	n.link.gone[e.ID] = e
	p.counts = 0
}

// tell has all places looked at that the flips in a group of level l may
// matter to.
func (c *Chain) tell(l int, n *node) {
	for _, id := range n.link.flips {
		for _, p := range c.facts[id].places {
			for _, in := range c.levels[l].Outer {
				if p.level == in.Level && p.inputs>>in.Bit&1 == 1 {
					c.enqueue(p)
				}
			}
		}
	}
	n.link.flips = n.link.flips[:0]
}

// Forget drops the events, at all levels, that the log stored before cutoff,
// in milliseconds since the Unix epoch. As in [Group.Forget], no verdict is
// revised by it at any level, so that what counts goes on counting.
func (c *Chain) Forget(cutoff int64) {
	if cutoff <= c.oldest {
		return
	}
	for i := range c.levels {
		for _, n := range c.levels[i].groups {
			n.Group.Forget(cutoff)
		}
	}
	c.oldest = math.MaxInt64
	maps.DeleteFunc(c.facts, func(_ string, f *fact) bool {
		if f.Stored >= cutoff {
			c.oldest = min(c.oldest, f.Stored)
			return false
		}
		c.size -= f.size()
		for _, p := range f.places {
			if p.node.places--; p.node.places == 0 {
				delete(c.levels[p.level].groups, p.node.link.key)
			}
		}
		return true
	})
}
