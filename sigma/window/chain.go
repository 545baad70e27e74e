package window

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Chain is a correlation over correlations: groups at every level, and what
// holds at one level counting at another. It has all groups that can ever count
// together. It is not safe for concurrent use; use [NewChain] or
// [ChainDefinition.NewChain].
type Chain struct {
	*chainLevels
	facts  table[*fact]
	groups table[*node]
	nodes  slots[*node] // the groups, by slot
	aside  *aside       // nil while nothing needs it
	size   int
	newest uint64
	// queue are the places, by level, whose inputs are to be looked at again:
	// what is not carried outwards yet. All of it came with the same Seq.
	queue [][]queued
	index uint32 // of the last event that came
	// touched are the roots that Touched has not returned.
	touched []*node
	// forgotten is the latest time of an event that was forgotten, or none.
	forgotten int64
	// oldest is a lower bound of when facts were stored, so that a call of
	// Forget that has nothing to do costs nothing.
	oldest int64
}

// ChainDefinition is the levels of a chain, made once for all chains of one
// correlation.
type ChainDefinition struct{ chainLevels }

// chainLevels is what a chain, which has it as a part, does not export.
type chainLevels struct {
	levels []chainLevel
	order  []int // every level before those that it feeds
	// longest is the longest timespan.
	longest int64
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
}

// feed says that a level counts as a bit.
type feed struct {
	level int
	bit   uint
}

// node is one group of one level.
type node struct {
	Root
	group Group
	link  link
	print fingerprint // of level and values
	level int32
	slot  uint32
	// places is how many there are in it, of events that count and of such as
	// might.
	places  int32
	touched bool
}

func (n *node) hash() uint32 { return n.print.hash() }

// Root is one group of the outermost level of a chain: the one whose episodes
// matter.
type Root struct {
	// Values are those of the group-by fields.
	Values []string
	// Group is filled by the chain, and forgets with it: neither Insert nor
	// Forget may be called on it. Of its events, Seq says with which insertions
	// they began to count, and Index is that of the last of these.
	*Group
}

// fact is a remembered event with all that it may count for.
type fact struct {
	id       identity
	stored   moment
	print    fingerprint
	record   uint32 // of the evidence
	time     int64
	sequence uint64 // of the evidence
	places   *place
}

func (f *fact) hash() uint32 { return f.print.hash() }

// place is one group in which an event counts, or might.
type place struct {
	next   *place
	inputs uint64 // those of levels are possible ones
	counts uint64 // those for which it counts now; 0: it is not in the group
	node   uint32 // slot
	values uint32 // slot + 1, by source, of which there may be fewer; 0: none
}

// queued is a place of a fact whose inputs are to be looked at.
type queued struct {
	*fact
	*place
}

func (c *Chain) node(p *place) *node { return c.nodes.at(p.node) }

// valuesAt returns the values of a place, by source.
func (c *Chain) valuesAt(p *place) [][]int64 {
	if p.values == 0 {
		return nil
	}
	return c.aside.bySource.at(p.values - 1)
}

func (c *Chain) beside() *aside {
	if c.aside == nil {
		c.aside = &aside{}
	}
	return c.aside
}

// add notes inputs of a place, and values of theirs, whichever came first.
func (c *Chain) add(l *Level, p *place, inputs uint64, values []int64) {
	p.inputs |= inputs
	if len(values) == 0 {
		return
	}
	if p.values == 0 {
		p.values = c.beside().bySource.put(nil) + 1
	}
	all, source := c.valuesAt(p), l.source(inputs)
	for len(all) <= source {
		all = append(all, nil)
	}
	had := len(all[source])
	_, all[source] = l.Condition.Measure.unite(0, all[source], 0, slices.Clone(values))
	c.aside.bySource.items[p.values-1] = all
	c.size += len(all[source]) - had
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

// valuesOf returns those of the values of a place, by source, that it has for
// some of its inputs.
func (l *Level) valuesOf(bySource [][]int64, inputs uint64) []int64 {
	var all []int64
	rest := inputs
	for _, set := range l.Sources {
		rest &^= set
	}
	for i, values := range bySource {
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

// NewChain returns an empty chain with a definition of its own; see
// [DefineChain].
func NewChain(levels []Level) *Chain { return DefineChain(levels).NewChain() }

// NewChain returns an empty chain that is so defined.
func (d *ChainDefinition) NewChain() *Chain {
	return &Chain{chainLevels: &d.chainLevels, forgotten: none, oldest: math.MaxInt64}
}

// DefineChain returns the definition of chains with these levels. Level 0 is
// the outermost, whose groups are the roots. It panics if a level feeds one that
// does not exist, or itself through others, or if a condition is such that
// [Define] panics. The levels must not be changed.
func DefineChain(levels []Level) *ChainDefinition {
	c := &ChainDefinition{chainLevels{levels: make([]chainLevel, len(levels))}}
	for i, l := range levels {
		c.levels[i].Level = l
		c.levels[i].definition = Define(l.Timespan, l.Condition)
		c.longest = max(c.longest, l.Timespan)
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
func (c *Chain) Len() int { return c.facts.n }

// Size returns how much the chain remembers: its events, for each the groups in
// which it counts, or might, with its values there, and every group, as
// [SizeOfGroup] says. What it takes in memory is in proportion to it.
func (c *Chain) Size() int { return c.size }

// Newest returns the highest Seq that the chain was ever given.
func (c *Chain) Newest() uint64 { return c.newest }

// Roots returns the groups of the outermost level, ordered by their values,
// that have events, or events that are gone. A root stays the same as long as
// an event is remembered that counts for it, or might.
func (c *Chain) Roots() iter.Seq[*Root] {
	c.carry()
	var roots []*Root
	for _, n := range c.nodes.items {
		if n != nil && n.level == 0 && (n.Len() > 0 || n.link.gone != nil && n.link.gone.len() > 0) {
			roots = append(roots, &n.Root)
		}
	}
	slices.SortFunc(roots, func(a, b *Root) int { return slices.Compare(a.Values, b.Values) })
	return slices.Values(roots)
}

// Touched returns the roots that insertions have touched since it was called
// last, each once and in no order: whose group got an event by them, or lost
// one, or has one that is now another or was renewed.
func (c *Chain) Touched() []*Root {
	c.carry()
	roots := make([]*Root, len(c.touched))
	for i, n := range c.touched {
		n.touched = false
		roots[i] = &n.Root
	}
	c.touched = nil
	return roots
}

// Insert adds an event, and how it counts. Counts are all levels at which the
// event counts or might; one without any is passed over. Inputs and Values of
// the event itself are not looked at.
//
// What is said of repeats at [Group.Insert] is said of them here: their counts
// are united, group by group. Neither the order of arrival of the events nor
// that of the counts matters.
//
// Events of one Seq are carried outwards together, when somebody looks or an
// event of another Seq comes. Inserting costs what inserting into each group
// costs that is touched.
func (c *Chain) Insert(e Event, counts []Count) {
	if e.Seq != c.newest {
		c.carry()
	}
	c.newest, c.index = max(c.newest, e.Seq), e.Index
	if len(counts) == 0 {
		return
	}
	f := c.fact(e.ID)
	time := e.Time
	if f != nil {
		time = min(time, f.time)
	}
	// As in a group, what is near to what has been forgotten is not put off.
	near := c.forgotten != none && time-c.forgotten <= c.longest
	if near {
		c.carry()
	}
	if f == nil {
		c.oldest = min(c.oldest, e.Stored)
		f = &fact{
			time: e.Time, stored: momentOf(e.Stored), print: fingerprintOf(e.ID),
			sequence: e.Evidence.Sequence, record: e.Evidence.Record,
		}
		var packed bool
		if f.id, packed = pack(e.ID); !packed {
			f.id = c.beside().put(e.ID)
		}
		c.facts.add(f)
		c.size++
	} else {
		c.renew(f, e)
	}
	for _, n := range counts {
		c.count(f, n)
	}
	for p := f.places; p != nil; p = p.next {
		c.enqueue(f, p)
	}
	if near {
		c.carry()
	}
}

// fact returns the event with an identity, or nil.
func (c *Chain) fact(id string) *fact {
	key, packed := pack(id)
	return c.facts.find(fingerprintOf(id).hash(), func(f *fact) bool { return c.aside.is(&f.id, key, packed, id) })
}

// renew takes note of another arrival of an event.
func (c *Chain) renew(f *fact, e Event) {
	if e.Time < f.time {
		// It leaves all groups, and comes back with its other time.
		for p := f.places; p != nil; p = p.next {
			n := c.node(p)
			if p.counts != 0 {
				c.take(queued{f, p})
			}
			if gone, was := n.link.back(f.time, e.ID); was {
				gone.Time, gone.Evidence = e.Time, e.Evidence
				n.link.leave(n.definition, gone)
			}
		}
		f.time, f.sequence, f.record = e.Time, e.Evidence.Sequence, e.Evidence.Record
	}
	if e.Stored > f.stored.at() {
		f.stored = momentOf(e.Stored)
	}
	for p := f.places; p != nil; p = p.next {
		if n := c.node(p); p.counts != 0 || n.link.renew(f.time, e.ID, f.stored.at()) {
			c.touch(n)
		}
	}
}

func (c *Chain) touch(n *node) {
	n.newest = max(n.newest, c.newest)
	if n.level == 0 && !n.touched {
		n.touched = true
		c.touched = append(c.touched, n)
	}
}

// count notes that an event counts, or might, for a group.
func (c *Chain) count(f *fact, n Count) {
	l := &c.levels[n.Level]
	in := c.group(n)
	// All bits are kept, for a measure that does not look at them, too: they
	// say whether the event counts.
	inputs := max(n.Inputs, 1)
	_, values := l.Condition.Measure.trim(inputs, n.Values)
	p := f.places
	for p != nil && p.node != in.slot {
		p = p.next
	}
	if p == nil {
		p = &place{node: in.slot, next: f.places}
		f.places = p
		in.places++
		c.size++
	}
	c.add(&l.Level, p, inputs, values)
}

// SizeOfGroup returns what a group of some values takes beside its events, in the
// unit of [Group.Size], which is about a hundred bytes: as much as three events,
// and its values.
func SizeOfGroup(values []string) int {
	bytes := 0
	for _, v := range values {
		bytes += len(v)
	}
	return 3 + bytes/100
}

// group returns the group that an event counts for.
func (c *Chain) group(n Count) *node {
	key := strconv.AppendInt(make([]byte, 0, 64), int64(n.Level), 10)
	for _, v := range n.Group {
		key = append(append(key, ','), v...)
	}
	print := fingerprintOf(string(key))
	in := c.groups.find(print.hash(), func(in *node) bool { return int(in.level) == n.Level && slices.Equal(in.Values, n.Group) })
	if in == nil {
		in = &node{print: print, level: int32(n.Level), group: *c.levels[n.Level].definition.NewGroup()}
		in.group.link = &in.link
		in.Root = Root{Values: make([]string, len(n.Group)), Group: &in.group}
		for i, v := range n.Group {
			in.Values[i] = strings.Clone(v)
		}
		in.slot = c.nodes.put(in)
		c.groups.add(in)
		c.size += SizeOfGroup(in.Values)
	}
	return in
}

func (c *Chain) enqueue(f *fact, p *place) {
	if c.queue == nil {
		c.queue = make([][]queued, len(c.levels))
	}
	l := c.node(p).level
	c.queue[l] = append(c.queue[l], queued{f, p})
}

// carry makes the groups what they should be, from the innermost level
// outwards.
func (c *Chain) carry() {
	if c.queue == nil {
		return
	}
	for _, l := range c.order {
		c.turn(l)
	}
	c.queue = nil
}

// turn makes the groups of a level what they should be, given those inside.
func (c *Chain) turn(l int) {
	queue := c.queue[l]
	// What leaves, leaves first: no verdict may rest on events that would not
	// count together.
	wanted := make([]uint64, len(queue))
	for i, q := range queue {
		if wanted[i] = c.inputs(q); wanted[i] == 0 && q.counts != 0 {
			c.take(q)
		}
	}
	for i, q := range queue {
		if wanted[i] != 0 {
			c.put(q, wanted[i])
		}
	}
	for _, q := range queue {
		c.tell(l, c.node(q.place))
	}
}

// inputs returns what a place counts for: the inputs that are rules, and those
// that are levels which hold at the event.
func (c *Chain) inputs(q queued) uint64 {
	l := &c.levels[c.node(q.place).level]
	inputs := q.inputs &^ l.inner
	for _, in := range l.fedBy {
		if q.inputs>>in.bit&1 == 1 && c.holds(q.fact, in.level) {
			inputs |= 1 << in.bit
		}
	}
	return inputs
}

// holds reports whether the condition of a level holds at the event, in any
// group.
func (c *Chain) holds(f *fact, level int) bool {
	for p := f.places; p != nil; p = p.next {
		if n := c.node(p); int(n.level) == level && p.counts != 0 {
			if i, _ := n.find(f.time, c.aside.text(&f.id)); n.entries.at(i).is(holds) {
				return true
			}
		}
	}
	return false
}

// put makes a place count for some inputs.
func (c *Chain) put(q queued, inputs uint64) {
	n := c.node(q.place)
	e := Event{
		Time: q.time, ID: c.aside.text(&q.id), Stored: q.stored.at(), Seq: c.newest, Index: c.index,
		Evidence: Ref{Sequence: q.sequence, Record: q.record},
	}
	l := &c.levels[n.level].Level
	e.Inputs, e.Values = l.Condition.Measure.trim(inputs, l.valuesOf(c.valuesAt(q.place), inputs))
	i, counted := n.find(e.Time, e.ID)
	q.counts = inputs
	if counted {
		was := n.event(i)
		e.Seq, e.Index = was.Seq, was.Index
		if n.replace(i, was, e) {
			c.touch(n)
		}
		return
	}
	if was, ok := n.link.back(e.Time, e.ID); ok {
		e.Seq, e.Index = was.Seq, was.Index
	}
	n.insert(i, e)
	c.touch(n)
}

// take makes a place count no more.
func (c *Chain) take(q queued) {
	n := c.node(q.place)
	i, _ := n.find(q.time, c.aside.text(&q.id))
	e := n.remove(i)
	e.Stored = q.stored.at()
	n.link.leave(n.definition, e)
	q.counts = 0
	c.touch(n)
}

// tell has all places looked at that the flips in a group of level l may
// matter to.
func (c *Chain) tell(l int, n *node) {
	n.judge()
	for _, id := range n.link.flips {
		f := c.fact(id)
		for p := f.places; p != nil; p = p.next {
			for _, in := range c.levels[l].Outer {
				if int(c.node(p).level) == in.Level && p.inputs>>in.Bit&1 == 1 {
					c.enqueue(f, p)
				}
			}
		}
	}
	n.link.flips = nil
}

// Forget drops the events, at all levels, that the log stored before cutoff,
// in milliseconds since the Unix epoch. As in [Group.Forget], no verdict is
// revised by it at any level, so that what counts goes on counting.
func (c *Chain) Forget(cutoff int64) {
	if cutoff <= c.oldest {
		return
	}
	c.carry()
	for _, n := range c.nodes.items {
		if n != nil {
			n.Group.Forget(cutoff)
		}
	}
	c.oldest = math.MaxInt64
	c.facts.filter(func(f *fact) bool {
		if stored := f.stored.at(); stored >= cutoff {
			c.oldest = min(c.oldest, stored)
			return true
		}
		c.forgotten = max(c.forgotten, f.time)
		c.drop(f)
		return false
	})
	c.touched = slices.DeleteFunc(c.touched, func(n *node) bool { return n.places == 0 })
}

// drop gives up what an event has in its groups, and the groups that no event
// is left of.
func (c *Chain) drop(f *fact) {
	c.size--
	if f.id.form == formSlot {
		c.aside.texts.drop(f.id.slot())
	}
	for p := f.places; p != nil; p = p.next {
		c.size--
		for _, values := range c.valuesAt(p) {
			c.size -= len(values)
		}
		if p.values != 0 {
			c.aside.bySource.drop(p.values - 1)
		}
		n := c.node(p)
		if n.places--; n.places == 0 {
			c.groups.drop(n)
			c.nodes.drop(n.slot)
			c.size -= SizeOfGroup(n.Values)
		}
	}
}
