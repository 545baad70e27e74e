package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/rulebook"
	"github.com/trailbell/trailbell/internal/screen"
)

func rulesExplainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain EVENT.json",
		Short: "Say why rules match a record, or do not",
		Long: `Examples:
  trailbell rules explain event.json
  trailbell rules explain log.json.gz --event-id ID --rule trail_tampering

EVENT.json is one record, a log file of CloudTrail, what
` + "`aws cloudtrail lookup-events`" + ` prints, or - for stdin. Of several records it
takes the first, or with --rule the first that the rule is tried on.

Prints the verdict of every rule that is tried on such a record. With --rule it
prints each part of the rule's condition, whether it held, what it wants, and
what it found; of a correlation, those of the rules that it counts.

The rules are those that ` + "`trailbell up`" + ` would run. It ends with 0 whether rules
match or not, and with 1 when there is no such record or rule.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("write one EVENT.json, or - for stdin; see `%s --help`", cmd.CommandPath())
			}
			return nil
		},
	}
	f := newRuleFlags(cmd, "an object a line for each rule")
	names := cmd.Flags().StringArray("rule", nil, "id, name or title of a rule to explain in full (repeatable)")
	id := cmd.Flags().String("event-id", "", "which record of a file: its eventID")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		book, err := f.open(nil)
		if err != nil {
			return err
		}
		tried, err := book.Tried(*names)
		if err != nil {
			return err
		}
		event, err := readEvent(cmd, args[0], rulebook.Choice{EventID: *id, Prefer: tried})
		if err != nil {
			return err
		}
		answer, err := book.Explain(event.Record, *names)
		if err != nil {
			return err
		}
		if event.Of > 1 && *id == "" {
			sayOthers(cmd.ErrOrStderr(), event)
		}
		if f.format == "json" {
			return answer.Encode(cmd.OutOrStdout())
		}
		return answer.Format(cmd.OutOrStdout(), lookOf(cmd.OutOrStdout()), len(*names) > 0)
	}
	return cmd
}

// sayOthers names the records that might have been chosen.
func sayOthers(w io.Writer, e rulebook.Event) {
	_, _ = fmt.Fprintf(w, "trailbell: this is no. %d of %s; choose another with --event-id ID\n", e.Number, plural(e.Of, "record"))
	for _, line := range e.First {
		_, _ = fmt.Fprintln(w, "  "+screen.Safe(line))
	}
	if more := e.Of - len(e.First); more > 0 {
		_, _ = fmt.Fprintf(w, "  and %d more\n", more)
	}
}

// readEvent reads until the end of the file, or of the context: what is typed, or
// comes through a pipe, may never end.
func readEvent(cmd *cobra.Command, name string, choice rulebook.Choice) (rulebook.Event, error) {
	type outcome struct {
		event rulebook.Event
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		event, err := openEvent(cmd.InOrStdin(), name, choice)
		done <- outcome{event, err}
	}()
	select {
	case o := <-done:
		return o.event, o.err
	case <-cmd.Context().Done():
		return rulebook.Event{}, cmd.Context().Err()
	}
}

func openEvent(stdin io.Reader, name string, choice rulebook.Choice) (rulebook.Event, error) {
	if name == "-" {
		return rulebook.ReadEvent(stdin, "stdin", choice)
	}
	file, err := os.Open(name)
	if err != nil {
		return rulebook.Event{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return rulebook.Event{}, fmt.Errorf("%s is a directory; name one file in it", name)
	}
	return rulebook.ReadEvent(file, name, choice)
}
