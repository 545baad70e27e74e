package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// knownCommand is for the root, to which what is no command is an argument.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %q%s; see `%s --help`", args[0], meant("", root.SuggestionsFor(args[0])), root.CommandPath())
}

// noArgs is for a command that takes flags only. The argument may be the bucket,
// which for other commands is one.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if rest, ok := strings.CutPrefix(args[0], "s3://"); ok && cmd.Flags().Lookup("bucket") != nil {
		bucket, prefix, _ := strings.Cut(rest, "/")
		try := "--bucket " + bucket
		if prefix = strings.TrimSuffix(prefix, "/"); prefix != "" {
			try += " --prefix " + prefix
		}
		return fmt.Errorf("%s takes no arguments; for %s write %s", cmd.CommandPath(), args[0], try)
	}
	return fmt.Errorf("%s takes no arguments, and %q is one; see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())
}

// flagMistake says what is wrong with the flags of a command.
func flagMistake(cmd *cobra.Command, err error) error {
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s: %w", bad.GetFlag().Name, reason(err))
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		return fmt.Errorf("%w%s; see `%s --help`", err, meant("--", nearFlags(cmd, unknown.GetSpecifiedName())), cmd.CommandPath())
	}
	return fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())
}

// reason is why a value does not fit a flag, without the repetition of both that
// package pflag puts before it.
func reason(err error) error {
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return bad.Unwrap()
	}
	return err
}

// nearFlags are the flags of a command that a name may have been meant for, by
// the rules for commands.
func nearFlags(cmd *cobra.Command, name string) []string {
	names := &cobra.Command{SuggestionsMinimumDistance: cmd.Root().SuggestionsMinimumDistance}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return names.SuggestionsFor(name)
}

func meant(before string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", before+names[0])
}
