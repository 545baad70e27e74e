package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/rulebook"
	"github.com/trailbell/trailbell/sigma"
)

func rulesListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [PATH...]",
		Short: "List rules: level, name, ATT&CK technique, what they look at",
		Long: `Examples:
  trailbell rules list
  trailbell rules list ./my-rules --by technique

The last column is what a record must be for a rule to be tried: the calls, by
eventSource and eventName, or every record. A rule that is "counted" does not
alert by itself, only by the correlations over it. On a terminal what does not
fit is cut; in a file or a pipe lines are whole, and have the rule's file.

` + whichRules + `

It ends with 1 when a rule is broken, or what the configuration says of rules.`,
	}
	f := newRuleFlags(cmd, "an object a line for each rule")
	by := cmd.Flags().String("by", "", "group by "+strings.Join(rulebook.Orders, ", "))
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		if *by != "" && !slices.Contains(rulebook.Orders, *by) {
			return fmt.Errorf("--by: rules cannot be grouped by %q%s", *by, sigma.Suggest(*by, rulebook.Orders))
		}
		book, err := f.open(paths)
		if err != nil {
			return err
		}
		entries := book.List()
		if f.format == "json" {
			err = rulebook.EncodeList(cmd.OutOrStdout(), entries)
		} else {
			groups := []rulebook.Group{{Entries: entries}}
			if *by != "" {
				groups = rulebook.GroupBy(entries, *by)
			}
			err = rulebook.FormatList(cmd.OutOrStdout(), groups, lookOf(cmd.OutOrStdout()))
		}
		return errors.Join(append(book.Errors(), err)...)
	}
	return cmd
}
