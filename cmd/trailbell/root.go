package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trailbell/trailbell/internal/screen"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitPart   = 3 // it came to an end, but not all of the input was processed
)

// exitError ends the program with a code of its own. Without a text everything
// has been said already.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		for line := range strings.Lines(exit.text) {
			_, _ = fmt.Fprintln(stderr, "trailbell: "+strings.TrimSuffix(line, "\n"))
		}
		return exit.code
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(stderr, "trailbell: interrupted")
		return exitFailed
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		// An error may quote what a server or a file name says.
		_, _ = fmt.Fprintln(stderr, "trailbell: "+screen.Safe(line))
	}
	return exitFailed
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "trailbell",
		Short: "Alerts from AWS CloudTrail",
		Long: `Examples:
  trailbell demo                      see it work: no AWS, no set-up
  trailbell up --bucket my-trail      watch a bucket

Trailbell finds every CloudTrail log object in S3, runs Sigma rules and windowed
correlations over the records, and forwards alerts. Alerts are also messages on
NATS subjects that any program may subscribe to.

Every flag can be given in the environment: --log-level is TRAILBELL_LOG_LEVEL.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		// As far as a typing mistake goes.
		SuggestionsMinimumDistance: 2,
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return fromEnvironment(cmd.Flags())
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(flagMistake)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddGroup(
		&cobra.Group{ID: "start", Title: "Start here:"},
		&cobra.Group{ID: "services", Title: "One service a process, against a NATS server:"},
		&cobra.Group{ID: "tools", Title: "Tools:"},
	)
	root.AddCommand(demoCommand(), checkCommand(), scanCommand(), upCommand())
	root.AddCommand(serviceCommands()...)
	root.AddCommand(rulesCommand(), benchCommand(), generateCommand(), versionCommand())
	root.SetHelpCommandGroupID("tools")
	// A terminal of 80 columns folds nothing by itself that reads well.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", ".FlagUsagesWrapped 80 "))
	return root
}

// fromEnvironment sets every flag that was not given from its variable.
func fromEnvironment(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "TRAILBELL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if f.Changed || !ok || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, reason(err)))
		}
	})
	return errors.Join(errs...)
}
