package main

import (
	"github.com/spf13/cobra"
)

func rulesCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Look for mistakes in rules",
		Long: `Examples:
  trailbell rules check ./my-rules
  trailbell rules check ./my-rules --config trailbell.yaml

Says what is wrong with rules, correlations and filters, and with the tests
beside them, a line each: FILE:LINE:COLUMN, what, and what to write instead.
Warnings are about what runs and may not do what was meant.

` + whichRules + `

It ends with 1 when there was an error, not for warnings.`,
	}
	f := newRuleFlags(cmd, "an object a line for each mistake")
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		book, err := f.open(paths)
		if err != nil {
			return err
		}
		checked := book.Check()
		if f.format == "json" {
			err = checked.Encode(cmd.OutOrStdout())
		} else {
			err = checked.Format(cmd.OutOrStdout(), lookOf(cmd.OutOrStdout()))
		}
		if err != nil {
			return err
		}
		if checked.Errors > 0 {
			text := plural(checked.Errors, "error")
			if warnings := len(checked.Mistakes) - checked.Errors; warnings > 0 {
				text += ", " + plural(warnings, "warning")
			}
			return &exitError{code: exitFailed, text: text}
		}
		return nil
	}
	return cmd
}
