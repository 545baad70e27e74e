package window

import "fmt"

// Consistent reports an error if an event of a chain does not count as the
// levels inside say, or if a size is not what there is.
func (c *Chain) Consistent() error {
	c.carry()
	size := 0
	for _, n := range c.nodes.items {
		if n == nil {
			continue
		}
		size += SizeOfGroup(n.Values)
		if err := n.Consistent(); err != nil {
			return err
		}
	}
	for _, f := range c.facts.slots {
		if f == nil {
			continue
		}
		id := c.aside.text(&f.id)
		size++
		for p := f.places; p != nil; p = p.next {
			size++
			for _, values := range c.valuesAt(p) {
				size += len(values)
			}
			n := c.node(p)
			if want := c.inputs(queued{f, p}); p.counts != want {
				return fmt.Errorf("%q counts as %b at level %d, want %b", id, p.counts, n.level, want)
			}
			if i, known := n.find(f.time, id); known != (p.counts != 0) || known && n.event(i).Stored != f.stored.at() {
				return fmt.Errorf("%q is in its group at level %d: %v", id, n.level, known)
			}
			for e := range n.Gone() {
				if e.ID == id && (p.counts != 0 || e.Stored != f.stored.at() || e.Time != f.time) {
					return fmt.Errorf("%q is gone from its group at level %d, and counts as %b: %+v", id, n.level, p.counts, e)
				}
			}
		}
	}
	if c.size != size {
		return fmt.Errorf("the size is %d, want %d", c.size, size)
	}
	return nil
}

// Remove takes an event out of a group as if it had never been there.
func (g *Group) Remove(e Event) {
	if i, known := g.find(e.Time, e.ID); known {
		g.remove(i)
	}
}

// Consistent reports an error if the size of a group is not what there is.
func (g *Group) Consistent() error {
	size := 0
	for e := range g.Events() {
		size += 1 + len(e.Values)
	}
	if g.Size() != size {
		return fmt.Errorf("the size is %d, want %d", g.Size(), size)
	}
	return nil
}
