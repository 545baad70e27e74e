package sigma

import "sync"

// Set is a compiled collection. It is immutable and safe for concurrent use.
type Set struct {
	rules        []*CompiledRule
	correlations []*CompiledCorrelation
	skipped      []Skipped
	warnings     []*Error
	byID         map[string]*CompiledCorrelation
	fields       []fieldPath
	index        index
	readers      sync.Pool
	placeholders map[string][]string
	// Slots of the fields whose values the caller of Candidates knows; -1 when
	// no rule reads them.
	sourceSlot, nameSlot int
}

// CompiledRule is a detection rule of a Set.
type CompiledRule struct {
	meta      Meta
	source    *Rule // for people who ask why
	condition node
	alerts    bool
	feeds     []*CompiledCorrelation
	filters   []*Filter
	pins      pins
	order     int // in the set
}

// Meta describes the rule, with its level as overridden. It must not be
// changed.
func (r *CompiledRule) Meta() *Meta { return &r.meta }

// Alerts reports whether a match is an alert by itself. It is not when the
// rule is disabled, and not when correlations refer to the rule and none of
// them says "generate: true".
func (r *CompiledRule) Alerts() bool { return r.alerts }

// runs reports whether anything comes of a match.
func (r *CompiledRule) runs() bool { return r.alerts || len(r.feeds) > 0 }

// Feeds returns the correlations that alert and need the rule's matches,
// directly or through the correlations that they count. It must not be
// changed.
func (r *CompiledRule) Feeds() []*CompiledCorrelation { return r.feeds }

// Filters returns the filters that a match has passed, in the order of the
// collection. It must not be changed.
func (r *CompiledRule) Filters() []*Filter { return r.filters }

// Rules returns the rules that are tried, in the order of the collection. A
// rule that neither alerts nor feeds a correlation is not among them. The
// slice must not be changed.
func (s *Set) Rules() []*CompiledRule { return s.rules }

// Correlations returns the correlations that alert, in the order of the
// collection. One that another counts is among them only when one that counts
// it says "generate: true"; it is then here, and a level of the other as well.
// The slice must not be changed.
func (s *Set) Correlations() []*CompiledCorrelation { return s.correlations }

// Correlation returns the correlation that alerts under an id, or nil.
func (s *Set) Correlation(id string) *CompiledCorrelation { return s.byID[id] }

// Skipped returns the rules, correlations and filters that are not for
// CloudTrail.
func (s *Set) Skipped() []Skipped { return s.skipped }

// Warnings returns what is legal but odd: it runs, and may not do what its
// author meant. Those about rules come first, then those about correlations,
// then those about filters, each in the order of the collection. The slice must
// not be changed.
func (s *Set) Warnings() []*Error { return s.warnings }
