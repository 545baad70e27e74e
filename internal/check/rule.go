package check

import (
	"fmt"

	"github.com/trailbell/trailbell/internal/app"
)

func ruleset(c app.Correlator) Section {
	s := Section{Title: "Rules"}
	set, errs := app.LoadRules(c)
	if set != nil {
		text := fmt.Sprintf("%s and %s", count(len(set.Rules()), "rule"), count(len(set.Correlations()), "correlation"))
		if n := len(set.Skipped()); n > 0 {
			text += fmt.Sprintf("; %d more are not for CloudTrail", n)
		}
		s.Items = append(s.Items, Item{OK, "loaded", text})
	}
	for _, err := range errs {
		s.Items = append(s.Items, each("broken", Failed, err)...)
	}
	if set != nil {
		for _, warning := range set.Warnings() {
			s.Items = append(s.Items, each("odd", Odd, warning)...)
		}
	}
	return s
}
