package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/services/lister"
)

// serviceCommands are the services as processes of their own.
func serviceCommands() []*cobra.Command {
	bucket := "--bucket my-trail"
	about := []struct{ name, short, long, args string }{
		{"lister", "Find log objects in buckets", "Of several listers one works on a bucket and the others stand by.", bucket},
		{"fetcher", "Get objects and cut them at record borders", "Any number of fetchers share the work. Buckets of the configuration say how\nto reach them; others are reached by the SDK's own chain.", bucket},
		{"decoder", "Validate records and extract their hot fields", "Any number of decoders share the work.", ""},
		{"correlator", "Run the rules, keep the windows", "Any number of correlators share the matching and the partitions of the windows.", "--rules ./rules"},
		{"forwarder", "Bring alerts to their sinks", "Of several forwarders one serves a sink and the others stand by.", "--config trailbell.yaml"},
	}
	var all []*cobra.Command
	for _, s := range about {
		examples := fmt.Sprintf("Examples:\n  trailbell %s --nats nats://127.0.0.1:4222 %s\n  TRAILBELL_NATS=nats://nats:4222 trailbell %s %s\n\n", s.name, s.args, s.name, s.args)
		cmd := &cobra.Command{Use: s.name, GroupID: "services", Short: s.short, Long: examples + s.long, Args: noArgs}
		f := newConfigFlags(cmd).withNATS().withHTTP()
		switch s.name {
		case "lister", "fetcher":
			f.withBucket()
		case "correlator":
			f.withRules()
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			c, err := f.load()
			if err != nil {
				return err
			}
			e := env(cmd, c)
			e.Polled = func(bucket string, r lister.Report, _ error) {
				if r.New > 0 {
					e.Log.Info("new objects", "bucket", bucket, "objects", r.New, "bytes", r.Bytes, "trails", r.Trails, "requests", r.Requests)
				}
			}
			return app.Service(cmd.Context(), s.name, c, e)
		}
		all = append(all, cmd)
	}
	return all
}
