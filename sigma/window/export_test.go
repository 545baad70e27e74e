package window

import "fmt"

// Consistent reports an error if an event of a chain does not count as the
// levels inside say, or if a size is not what there is.
func (c *Chain) Consistent() error {
	size := 0
	for _, f := range c.facts {
		size += f.size()
	}
	if c.size != size {
		return fmt.Errorf("the size is %d, want %d", c.size, size)
	}
	for _, l := range c.levels {
		for _, n := range l.groups {
			if err := n.Consistent(); err != nil {
				return err
			}
		}
	}
	for id, f := range c.facts {
		for _, p := range f.places {
			if want := c.inputs(p); p.counts != want {
				return fmt.Errorf("%q counts as %b at level %d, want %b", id, p.counts, p.level, want)
			}
			if i, known := p.node.find(p.time, id); known != (p.counts != 0) || known && (p.time != f.Time || p.node.entries.at(i).storedAt() != f.Stored) {
				return fmt.Errorf("%q is in its group at level %d: %v", id, p.level, known)
			}
			if e, gone := p.node.link.gone[id]; gone && (p.counts != 0 || e.Stored != f.Stored) {
				return fmt.Errorf("%q is gone from its group at level %d, and counts as %b, stored %d, want %d", id, p.level, p.counts, e.Stored, f.Stored)
			}
		}
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
