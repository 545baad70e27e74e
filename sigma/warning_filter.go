package sigma

import "slices"

func (w warner) filter(f *Filter) {
	w.detections(f.Detections, f.Condition)
	w.filterForNothing(f)
	w.filterIsNoException(f)
}

func (w warner) filterForNothing(f *Filter) {
	takesIn := func(e *entry) bool { return e.source != nil && f.LogSource.contains(e.source.LogSource) }
	if f.Any && !slices.ContainsFunc(w.k.order, takesIn) {
		w.at(position{}, "filter: there is no rule whose logsource has %s", f.LogSource)
	}
}

func (w warner) filterIsNoException(f *Filter) {
	if !absentHolds(f.Condition) {
		w.at(f.conditionAt, `filter.condition: %q is not a negation: rules ring only where it holds; for an exception write "not (%s)"`, f.Condition, f.Condition)
	}
}

// absentHolds reports whether a condition holds for a record in which none of
// its detections is found. It does for an exception.
func absentHolds(x Expr) bool {
	switch x := x.(type) {
	case And:
		return !slices.ContainsFunc(x, func(y Expr) bool { return !absentHolds(y) })
	case Or:
		return slices.ContainsFunc(x, absentHolds)
	case Not:
		return !absentHolds(x.X)
	}
	return false
}
