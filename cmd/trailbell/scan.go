package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/app"
)

func scanCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "scan PATH...",
		GroupID: "start",
		Short:   "Run the rules over files or a bucket, once",
		Long: `Examples:
  trailbell scan ./logs
  trailbell scan s3://my-trail --since 24h --profile default --format json

A PATH is a directory with CloudTrail files in any layout, a single .json.gz,
.json or .ndjson file (one record a line), or s3://BUCKET/PREFIX. The rules see
the records in the same way as those of a watched bucket. Alerts go to stdout,
everything else to stderr.

It ends with 0 when everything was processed, with 3 when something could not be
(each is named on stderr) or correlations had to forget events, and with 1
otherwise. A broken rule is named on stderr and changes none of this: the scan
goes on with the others. To be stopped by one, run
` + "`trailbell rules check`" + ` before.`,
		Args: func(cmd *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return fmt.Errorf("there is no PATH to scan; see `%s --help`", cmd.CommandPath())
			}
			return nil
		},
	}
	f := newConfigFlagsAt(cmd, "warn").withAccess().withRules()
	var (
		since, until app.Since
		format       string
		yes          bool
	)
	cmd.Flags().Var(&since, "since", "S3: files delivered from then on: a date, or a time span such as 24h")
	cmd.Flags().Var(&until, "until", "S3: files delivered before then")
	cmd.Flags().StringVar(&format, "format", "text", "text, or json: the final revision of each alert, one a line")
	cmd.Flags().BoolVar(&yes, "yes", false, fmt.Sprintf("S3: scan more than %s objects", humanize.Comma(app.MaxObjects)))
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		c, err := f.load()
		if err != nil {
			return err
		}
		if format != "text" && format != "json" {
			return fmt.Errorf("--format: %q is not a format; write text or json", format)
		}
		now := time.Now()
		o := app.ScanOptions{Paths: paths, Bucket: f.bucket, Yes: yes, JSON: format == "json"}
		if !since.IsZero() {
			o.Since = since.Time(now)
		}
		if !until.IsZero() {
			o.Until = until.Time(now)
			if !o.Since.Before(o.Until) {
				return fmt.Errorf("--until %s is not after --since %s; there is nothing between them", until, since)
			}
		}
		done := func() {}
		if isTerminal(cmd.ErrOrStderr()) {
			o.Progress, done = progress(cmd)
		}
		r, err := app.Scan(cmd.Context(), c, o, env(cmd, c))
		done()
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s and %s in %s\n",
			plural(r.Objects, "object"), plural(r.Records, "record"), plural(r.Alerts, "alert"), r.Took.Round(10*time.Millisecond))
		if why := missing(r, c); len(why) > 0 {
			return &exitError{code: exitPart, text: strings.Join(why, "\n")}
		}
		return nil
	}
	return cmd
}

// missing says, a line each, why alerts of a scan may be missing.
func missing(r app.ScanResult, c app.Config) (lines []string) {
	if r.Dead > 0 {
		lines = append(lines, plural(r.Dead, "part")+" of the input could not be processed; see each \"dead:\" above")
	}
	if r.Forgotten > 0 {
		lines = append(lines, fmt.Sprintf("correlations forgot events before their time, %s as max_events counts them, so that alerts may be missing; "+
			"raise correlator.max_events, which is %d, in a configuration file", humanize.Comma(int64(r.Forgotten)), c.Correlator.MaxEvents))
	}
	return lines
}

// plural is "1 object", "2,000 objects".
func plural(n int, one string) string {
	if n != 1 {
		one += "s"
	}
	return humanize.Comma(int64(n)) + " " + one
}

// progress draws a bar on a terminal.
func progress(cmd *cobra.Command) (update func(done, total int), finish func()) {
	var bar *progressbar.ProgressBar
	return func(done, total int) {
			if bar == nil {
				bar = progressbar.NewOptions(total,
					progressbar.OptionSetWriter(cmd.ErrOrStderr()), progressbar.OptionSetDescription("objects"),
					progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
			}
			_ = bar.Set(done) // a bar that cannot be drawn is not worth an error
		}, func() {
			if bar != nil {
				_ = bar.Clear()
			}
		}
}
