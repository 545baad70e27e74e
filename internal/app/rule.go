package app

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/trailbell/trailbell/rules"
	"github.com/trailbell/trailbell/sigma"
)

// LoadRules reads and compiles the rules of a configuration. A broken rule is
// one of the errors and does not keep the others out; the set is nil only when
// nothing is left, or when a path does not exist: all that somebody meant to
// run is missing then.
func LoadRules(c Correlator) (*sigma.Set, []error) {
	var all sigma.Collection
	var errs []error
	if c.Rules.Shipped {
		shipped, e := sigma.Load(rules.FS, ".")
		all.Add(shipped)
		errs = append(errs, e...)
	}
	for _, path := range c.Rules.Paths {
		if _, err := os.Stat(path); err != nil {
			return nil, append(errs, fmt.Errorf("rules: %w; check --rules and correlator.rules.paths", err))
		}
		more, e := sigma.LoadPath(path)
		if more != nil {
			all.Add(more)
		}
		errs = append(errs, e...)
	}
	o := sigma.Options{Horizon: time.Duration(c.Horizon), Disable: c.Rules.Disable, Level: map[string]sigma.Level{}}
	for rule, name := range c.Rules.Level {
		level, err := sigma.ParseLevel(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("correlator.rules.level: %s: %w", rule, err))
			continue
		}
		o.Level[rule] = level
	}
	set, e := sigma.Compile(&all, o)
	errs = append(errs, e...)
	if set == nil || len(set.Rules()) == 0 {
		return nil, append(errs, errors.New("no rules are left to run; see --rules and correlator.rules in the configuration"))
	}
	return set, errs
}
