package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/check"
)

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check",
		GroupID: "start",
		Short:   "See whether everything is in place, bucket by bucket",
		Long: `Examples:
  trailbell check --bucket my-trail --profile default
  trailbell check --config trailbell.yaml

Looks at what ` + "`trailbell up`" + ` with the same flags would need: configuration,
rules, NATS, and for each bucket the credentials, whose they are, listing, the
layout (organizations, accounts, regions), the age of the newest object, and
reading it. It changes nothing. Every ✗ says what to try; ! works and may not be
what was meant.

It ends with 1 when there was a ✗.`,
		Args: noArgs,
	}
	f := newConfigFlags(cmd).withBucket().withRules().withNATS().withStore().withHTTP()
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.load()
		in := check.Input{File: f.file, Config: c, Err: err, Now: time.Now()}
		look := env(cmd, c).Look
		wrong, odd := 0, 0
		err = check.Run(cmd.Context(), in, func(s check.Section) {
			wrong += s.Failed()
			odd += s.Odd()
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), s.Format(look))
		})
		if err != nil {
			return err
		}
		if wrong > 0 {
			return &exitError{code: exitFailed, text: fmt.Sprintf("%d of the checks failed; each ✗ above says what to try", wrong)}
		}
		verdict := "Everything is in place"
		if odd > 0 {
			verdict = "It will work; see each ! above"
		}
		next := "`trailbell up` with the same flags starts it"
		if len(c.Lister.Buckets) == 0 {
			next = "`trailbell up` needs a bucket as well, which was not looked at: --bucket NAME"
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), look.Fold(fmt.Sprintf("%s. %s.", verdict, next), 0, 0))
		return err
	}
	return cmd
}
