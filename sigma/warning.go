package sigma

import (
	"cmp"
	"slices"
)

// warn looks for what runs and may not do what was meant. What does not run is
// passed over.
func (k *compiler) warn() {
	for _, e := range k.order {
		before := len(k.set.warnings)
		w := warner{k, e.meta}
		switch {
		case e.rule != nil && e.rule.runs():
			w.oddKeys(e.source.top.oddities)
			w.timeframe(e.source)
			w.detections(e.source.Detections, e.source.Condition)
		case e.link != nil:
			w.oddKeys(e.correlation.top.oddities)
			w.correlation(e)
		case e.filter != nil:
			w.oddKeys(e.filter.top.oddities)
			w.filter(e.filter)
		}
		slices.SortStableFunc(k.set.warnings[before:], func(a, b *Error) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
	}
	for i := range k.set.skipped {
		if s := &k.set.skipped[i]; s.misspelt != nil {
			warner{k, &s.Meta}.at(s.misspelt.at, "%s", s.misspelt.msg)
		}
	}
}

// warner collects the warnings about one document.
type warner struct {
	k    *compiler
	meta *Meta
}

func (w warner) at(at position, format string, args ...any) {
	w.k.set.warnings = append(w.k.set.warnings, newError(w.meta, at, format, args...))
}
