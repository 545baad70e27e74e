package lease

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// A table says which process holds which piece of work. It is the value of one
// key; every member of it writes it again once a heartbeat.
type table struct {
	// Members are never more than there are pieces.
	Members map[string]member `json:"members"`
	// Pieces are the holders, each a member, or empty while a piece is free.
	Pieces []string `json:"pieces"`
}

// A member is a process that holds pieces or waits for its share of them.
type member struct {
	Beat  uint64 `json:"beat"`  // another with each write of the member
	Wants int    `json:"wants"` // the most pieces that it would hold
}

func newTable(n int) table {
	return table{Members: map[string]member{}, Pieces: make([]string, n)}
}

// parseTable reads a table of n pieces. What contradicts itself is an error.
func parseTable(data []byte, n int) (table, error) {
	t := newTable(0)
	if err := json.Unmarshal(data, &t); err != nil {
		return table{}, fmt.Errorf("not a table of leases: %w", err)
	}
	if len(t.Pieces) != n {
		return table{}, fmt.Errorf("a table of %d pieces, not %d", len(t.Pieces), n)
	}
	if len(t.Members) > n {
		return table{}, fmt.Errorf("%d members for %d pieces", len(t.Members), n)
	}
	if t.Members == nil {
		t.Members = map[string]member{}
	}
	for name, m := range t.Members {
		if name == "" || m.Wants < 0 || m.Wants > n {
			return table{}, fmt.Errorf("member %q wants %d of %d pieces", name, m.Wants, n)
		}
	}
	for i, holder := range t.Pieces {
		if _, ok := t.Members[holder]; holder != "" && !ok {
			return table{}, fmt.Errorf("the holder of piece %d, %q, is no member", i, holder)
		}
	}
	return t, nil
}

func (t table) marshal() []byte {
	data, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return data
}

// names returns the members in order.
func (t table) names() []string { return slices.Sorted(maps.Keys(t.Members)) }

func (t table) clone() table {
	return table{Members: maps.Clone(t.Members), Pieces: slices.Clone(t.Pieces)}
}

// remove takes a member away and frees what it held.
func (t table) remove(name string) {
	delete(t.Members, name)
	for i, holder := range t.Pieces {
		if holder == name {
			t.Pieces[i] = ""
		}
	}
}

// shares spreads the pieces over the members as evenly as what they want
// allows. Where it does not come out even, the larger share goes to who holds
// as much, so that nothing moves unless somebody joins or leaves.
func (t table) shares() map[string]int {
	held := make(map[string]int, len(t.Members))
	for _, holder := range t.Pieces {
		held[holder]++
	}
	shares := make(map[string]int, len(t.Members))
	names := t.names()
	for each, left := 0, len(t.Pieces); left > 0; each++ {
		// A piece more for all who want it, or for as many as there are pieces.
		names = slices.DeleteFunc(names, func(name string) bool { return t.Members[name].Wants <= each })
		if len(names) == 0 {
			break
		}
		// Whether somebody holds more counts, and not how much more: who is about
		// to give up the most must not keep the larger share for it.
		keepers := slices.SortedStableFunc(slices.Values(names), func(a, b string) int {
			return cmp.Compare(min(held[b], each+1), min(held[a], each+1))
		})
		for _, name := range keepers[:min(left, len(keepers))] {
			shares[name]++
			left--
		}
	}
	return shares
}
