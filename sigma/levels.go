package sigma

import "github.com/trailbell/trailbell/sigma/window"

var windowOps = map[string]window.Op{
	"gt": window.GT, "gte": window.GTE, "lt": window.LT, "lte": window.LTE, "eq": window.EQ, "neq": window.NEQ,
}

// Levels describes the correlation to the window engine: the first level is
// the correlation itself.
func (c *CompiledCorrelation) Levels() []window.Level {
	level := window.Level{Timespan: c.timespan.Milliseconds()}
	for _, b := range c.condition {
		level.Condition.Bounds = append(level.Condition.Bounds, window.Bound{Op: windowOps[b.Op], Value: int64(b.Value)})
	}
	return []window.Level{level}
}
