package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/rulebook"
)

func rulesTestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Run the tests that stand beside rules",
		Long: `Examples:
  trailbell rules test ./my-rules
  trailbell rules test -v --run brute_force

Runs the cases of every NAME.test.yml beside a NAME.yml, and those in rule files
themselves: which rules match the events of a case, and which episodes the
correlations have, in whatever order events come and however often.

` + whichRules + `

It ends with 1 when a case failed or a file is broken; with --strict also when a
rule has no test, or none that makes it ring.`,
	}
	f := newRuleFlags(cmd, "an object a line for each case")
	run := cmd.Flags().String("run", "", "run only the cases whose FILE/CASE matches this regular expression")
	strict := cmd.Flags().Bool("strict", false, "fail for rules without tests, and for those that no test makes ring")
	verbose := cmd.Flags().BoolP("verbose", "v", false, "show the cases that pass, too")
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		if *strict && *run != "" {
			return errors.New("--strict is about all tests, and --run runs some of them; leave one of the two out")
		}
		var only *regexp.Regexp
		if *run != "" {
			var err error
			if only, err = regexp.Compile(*run); err != nil {
				return fmt.Errorf("--run: %w", err)
			}
		}
		book, err := f.open(paths)
		if err != nil {
			return err
		}
		tested, err := book.Test(cmd.Context(), cmd.OutOrStdout(), rulebook.TestOptions{Run: only, JSON: f.format == "json", Verbose: *verbose, Look: lookOf(cmd.OutOrStdout())})
		if err != nil {
			return err
		}
		if verdict := tested.Verdict(); verdict != "" {
			return &exitError{code: exitFailed, text: verdict}
		}
		if n := len(tested.Untested) + len(tested.Silent); *strict && n > 0 {
			return &exitError{code: exitFailed, text: "--strict: no test makes " + plural(n, "rule") + " ring"}
		}
		if only != nil && tested.Cases == 0 {
			return fmt.Errorf("--run: no case matches %q", *run)
		}
		return nil
	}
	return cmd
}
