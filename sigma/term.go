package sigma

import (
	"fmt"
	"math/bits"

	"github.com/trailbell/trailbell/sigma/window"
)

// maxTerms bounds the alternatives of a temporal condition.
const maxTerms = 64

// term is a conjunction over inputs: all bits of need, none of absent.
type term struct{ need, absent uint64 }

// implies reports whether whatever satisfies t satisfies u.
func (t term) implies(u term) bool { return u.need&^t.need == 0 && u.absent&^t.absent == 0 }

// bitsByName returns the bits of each name: a rule that is there twice has two.
func bitsByName(rules []string) map[string]uint64 {
	of := map[string]uint64{}
	for i, name := range rules {
		of[name] |= 1 << i
	}
	return of
}

// termsOf turns a condition over rules into alternatives that the window
// engine can test. It refuses a condition that no window can satisfy, and one
// of too many alternatives.
func termsOf(x Expr, bitsOf map[string]uint64) ([]term, error) {
	terms, ok := alternatives(x, bitsOf, false)
	if !ok {
		return nil, fmt.Errorf("it has too many alternatives; at most %d combinations of rules are possible once the parentheses are multiplied out", maxTerms)
	}
	var all uint64
	for _, b := range bitsOf {
		all |= b
	}
	var possible []term
	for _, t := range terms {
		// The event at the end of a window is an event of one of the rules.
		if t.absent != all {
			possible = append(possible, t)
		}
	}
	if len(possible) == 0 {
		return nil, fmt.Errorf("no window can satisfy it: it is tested at events of its rules")
	}
	return possible, nil
}

// alternatives returns the disjunctive normal form of x, or of its negation.
func alternatives(x Expr, bitsOf map[string]uint64, negated bool) ([]term, bool) {
	switch x := x.(type) {
	case Not:
		return alternatives(x.X, bitsOf, !negated)
	case And:
		if negated {
			return anyTerm(x, bitsOf, negated)
		}
		return allTerms(x, bitsOf, negated)
	case Or:
		if negated {
			return allTerms(x, bitsOf, negated)
		}
		return anyTerm(x, bitsOf, negated)
	case Ref:
		if negated {
			return []term{{absent: bitsOf[x.Name]}}, true
		}
		return []term{{need: bitsOf[x.Name]}}, true
	}
	panic(fmt.Sprintf("sigma: %T in a condition over rules", x))
}

func anyTerm(xs []Expr, bitsOf map[string]uint64, negated bool) ([]term, bool) {
	var all []term
	for _, x := range xs {
		terms, ok := alternatives(x, bitsOf, negated)
		if !ok {
			return nil, false
		}
		all = append(all, terms...)
		if len(all) > 4*maxTerms { // keeps a hostile text from growing the work
			if all, ok = reduce(all); !ok {
				return nil, false
			}
		}
	}
	return reduce(all)
}

func allTerms(xs []Expr, bitsOf map[string]uint64, negated bool) ([]term, bool) {
	product := []term{{}}
	for _, x := range xs {
		terms, ok := alternatives(x, bitsOf, negated)
		if !ok {
			return nil, false
		}
		var next []term
		for _, a := range product {
			for _, b := range terms {
				t := term{a.need | b.need, a.absent | b.absent}
				if t.need&t.absent == 0 {
					next = append(next, t)
				}
			}
		}
		if product, ok = reduce(next); !ok {
			return nil, false
		}
	}
	return product, true
}

// reduce drops terms that another one makes superfluous.
func reduce(terms []term) ([]term, bool) {
	var kept []term
	for i, t := range terms {
		superfluous := false
		for j, u := range terms {
			// Of two equal ones the first stays.
			if i != j && t.implies(u) && (!u.implies(t) || j < i) {
				superfluous = true
			}
		}
		if !superfluous {
			kept = append(kept, t)
		}
	}
	return kept, len(kept) <= maxTerms
}

// engineTerms writes terms as the window engine takes them: what is needed in
// the order of the rules.
func engineTerms(terms []term) []window.Term {
	out := make([]window.Term, len(terms))
	for i, t := range terms {
		out[i].Absent = t.absent
		for need := t.need; need != 0; need &= need - 1 {
			out[i].Need = append(out[i].Need, bits.TrailingZeros64(need))
		}
	}
	return out
}
