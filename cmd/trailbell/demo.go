package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/demo"
	"github.com/trailbell/trailbell/internal/screen"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "demo",
		GroupID: "start",
		Short:   "See it work on a made-up trail: no AWS, no set-up",
		Long: `Examples:
  trailbell demo
  trailbell demo --keep --seed 7

Grows a CloudTrail trail of two days with planted attacks into an S3 server of
its own, runs what "trailbell up" runs on it, and prints each alert as it rings.
One log file arrives late and sorts before files that were read already.

It needs no AWS, no NATS, no configuration and no network, leaves nothing
behind, and ends within 20 seconds: with 0 when everything that was planted rang
and nothing else did, with 1 otherwise.`,
		Args: noArgs,
	}
	keep := cmd.Flags().Bool("keep", false, "go on running after the summary, until Ctrl-C")
	seed := cmd.Flags().Uint64("seed", 1, "which trail to grow")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		app.LimitMemory(0)
		o := demo.Options{
			Seed: *seed, Now: time.Now(), Keep: *keep, Out: cmd.OutOrStdout(),
			Log: logger(cmd.ErrOrStderr(), app.Log{Level: "warn", Format: "text"}),
		}
		if out, ok := o.Out.(*os.File); ok {
			o.Look = screen.LookOf(out)
		}
		r, err := demo.Run(cmd.Context(), o)
		if err != nil {
			return err
		}
		if !r.Good() {
			return &exitError{code: exitFailed, text: "the demo did not go as planted; the summary says what is missing or too much"}
		}
		return nil
	}
	return cmd
}
