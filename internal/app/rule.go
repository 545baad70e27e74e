package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/trailbell/trailbell/rules"
	"github.com/trailbell/trailbell/sigma"
)

// ReadRules reads the rules of a configuration, and what it says about them. A
// broken rule is one of the errors and does not keep the others out. A path
// that does not exist is an error that wraps a *fs.PathError.
func ReadRules(c Correlator) (*sigma.Collection, sigma.Options, []error) {
	all := &sigma.Collection{}
	var errs []error
	if c.Rules.Shipped {
		shipped, e := rules.Load()
		all.Add(shipped)
		errs = append(errs, e...)
	}
	for _, path := range c.Rules.Paths {
		if _, err := os.Stat(path); err != nil {
			errs = append(errs, fmt.Errorf("rules: %w; check --rules and correlator.rules.paths%s", err, from(path)))
			continue
		}
		more, e := sigma.LoadPath(path)
		all.Add(more)
		errs = append(errs, e...)
	}
	o := sigma.Options{
		Horizon: time.Duration(c.Horizon), Disable: c.Rules.Disable, Level: map[string]sigma.Level{},
		Placeholders: c.Rules.Placeholders,
	}
	for rule, name := range c.Rules.Level {
		level, err := sigma.ParseLevel(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("correlator.rules.level.%s: %w", rule, err))
			continue
		}
		o.Level[rule] = level
	}
	return all, o, errs
}

// from says where a relative path begins.
func from(path string) string {
	dir, err := os.Getwd()
	if err != nil || filepath.IsAbs(path) {
		return ""
	}
	return fmt.Sprintf(" (looked for from %s)", dir)
}

func isPath(err error) bool {
	_, is := errors.AsType[*fs.PathError](err)
	return is
}

// LoadRules reads and compiles the rules of a configuration. A broken rule is
// one of the errors and does not keep the others out; the set is nil only when
// nothing is left, or when a path does not exist: all that somebody meant to
// run is missing then.
func LoadRules(c Correlator) (*sigma.Set, []error) {
	all, o, errs := ReadRules(c)
	if slices.ContainsFunc(errs, isPath) {
		return nil, errs
	}
	set, e := sigma.Compile(all, o)
	for _, err := range e {
		errs = append(errs, c.Rules.Place(err))
	}
	if set == nil || len(set.Rules()) == 0 {
		return nil, append(errs, errors.New("no rules are left to run; see --rules and correlator.rules in the configuration"))
	}
	return set, errs
}

// Place puts file, line and key in front of an error of sigma.Compile that is
// about what the configuration says of rules; any other it returns as it is.
func (r Rules) Place(err error) error {
	e, ok := errors.AsType[*sigma.Error](err)
	if !ok || e.Option == "" {
		return err
	}
	key := "correlator.rules." + e.Option
	switch e.Option {
	case "disable":
		key += fmt.Sprintf("[%d]", slices.Index(r.Disable, e.Value))
	default:
		key += "." + e.Value
	}
	place := ""
	if r.origin != nil {
		place = fmt.Sprintf("%s:%d: ", r.origin.path, r.origin.line(invalid{key: key}))
	}
	return fmt.Errorf("%s%s: %s", place, key, e.Msg)
}
