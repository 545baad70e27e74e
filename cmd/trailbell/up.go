package main

import (
	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/services/lister"
)

func upCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "up",
		GroupID: "start",
		Short:   "Watch buckets and ring: all services in one process",
		Long: `Examples:
  trailbell up --bucket my-trail --profile default
  trailbell up --config trailbell.yaml

Watches buckets until it is stopped; started again it goes on where it was. It
brings a NATS server of its own, whose store is in --data-dir.

It begins with the files of today, UTC, less the look-back of 48 h, and not with
the beginning of the bucket; --since says otherwise.

A broken rule is logged, and the others run; ` + "`trailbell rules check`" + ` with the
same --rules and --config says what is wrong with it.`,
		Args: noArgs,
	}
	f := newConfigFlags(cmd).withBucket().withRules().withNATS().withStore().withHTTP()
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.load()
		if err != nil {
			return err
		}
		e := env(cmd, c)
		e.Polled = func(bucket string, r lister.Report, err error) {
			if r.New > 0 {
				e.Log.Info("new objects", "bucket", bucket, "objects", r.New, "bytes", r.Bytes, "trails", r.Trails, "requests", r.Requests)
			}
		}
		return app.Up(cmd.Context(), c, e)
	}
	return cmd
}
