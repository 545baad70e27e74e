package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/rulebook"
)

func rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rules",
		GroupID: "tools",
		Short:   "Test, check, list and explain rules",
		Long: `Examples:
  trailbell rules test ./my-rules
  trailbell rules explain event.json --rule trail_tampering

Rules are Sigma files; docs/rules.md says how to write one, and tests beside it.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return fmt.Errorf("unknown command %q%s; see `%s --help`", args[0], meant("", cmd.SuggestionsFor(args[0])), cmd.CommandPath())
		},
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(rulesTestCommand(), rulesCheckCommand(), rulesListCommand(), rulesExplainCommand())
	return cmd
}

// whichRules is the part of a help page about PATH.
const whichRules = `A PATH is a file or a directory of rules. Without one it is about the rules that
` + "`trailbell up`" + ` would run. With both a PATH and --rules or --config it is about
the PATH, and the others are there for its rules to refer to.`

// ruleFlags are the flags of a command about rules.
type ruleFlags struct {
	*configFlags
	format string
}

func newRuleFlags(cmd *cobra.Command, json string) *ruleFlags {
	f := &ruleFlags{configFlags: (&configFlags{flags: cmd.Flags(), level: "warn"}).withFile().withRules()}
	cmd.Flags().StringVar(&f.format, "format", "text", "text, or json: "+json)
	return f
}

// open reads the rules that a command is about.
func (f *ruleFlags) open(paths []string) (*rulebook.Book, error) {
	if f.format != "text" && f.format != "json" {
		return nil, fmt.Errorf("--format: %q is not a format; write text or json", f.format)
	}
	c, err := f.load()
	if err != nil {
		return nil, err
	}
	return rulebook.Open(rulebook.Source{
		Config: c.Correlator, Paths: paths,
		Beside: f.flags.Changed("config") || f.flags.Changed("rules"),
	})
}
