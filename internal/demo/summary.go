package demo

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/streams"
	"github.com/trailbell/trailbell/sigma"
)

// introduction says what is about to be seen.
func (d *demo) introduction() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: a bucket goes in, alerts come out\n\n", d.Look.Bold("trailbell demo"))
	d.line(&b, "bucket", "s3://%s, served by this process at %s", bucket, d.store.url)
	d.line(&b, "trail", "%s records of two days in %s objects", comma(d.Records), comma(len(d.scenario.first)+1))
	d.line(&b, "planted", "%d attacks that have to ring %d alerts, and nothing else may", len(attacks), len(d.scenario.planted))
	d.line(&b, "running", "%s, as in `trailbell up`", strings.Join(app.Services, ", "))
	b.WriteByte('\n')
	return b.String()
}

// lateness says that the second wave has come.
func (d *demo) lateness() string {
	return "\n" + d.Look.Bold("One file arrives late") + fmt.Sprintf(", and sorts before %d that were read already.\n"+
		"The brute force from one address can ring only now:\n\n", d.scenario.before)
}

// summary is what a demo ends with.
func (d *demo) summary() string {
	r := &d.result
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", d.Look.Bold("Summary"))
	d.line(&b, "read", "%s objects, %s records, %s in %s: %s records/s",
		comma(r.Objects), comma(r.Records), humanize.Bytes(uint64(r.Bytes)), r.Took.Round(10*time.Millisecond), comma(int(r.Rate)))
	d.line(&b, "rang", "%s", alertsLine(r.Levels))
	if !r.through() {
		d.failed(&b, "%s of %s objects and %s of %s records came through in %s",
			comma(r.Objects), comma(r.OfObjects), comma(r.Records), comma(r.OfRecords), patience)
	}
	if r.Dead > 0 {
		d.failed(&b, "%d inputs could not be processed", r.Dead)
	}
	fmt.Fprintf(&b, "\n    %s\n", d.Look.Dim(fmt.Sprintf("%-34s  %-30s  found", "planted", "rule that has to ring")))
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s %-34s  %-30s  %d of %d\n", d.Look.Check(f.Found == f.Planted), f.Attack, f.Rule, f.Found, f.Planted)
	}
	for _, s := range r.Surprises {
		d.failed(&b, "rang and was not planted: %s", s)
	}
	if r.Good() {
		b.WriteString("\nAll that was planted was found, and nothing else rang.\n")
	}
	b.WriteString("Next, on a bucket of your own:\n\n" + next())
	return b.String()
}

// next are the commands to type after a demo. `go run` leaves no trailbell to
// call.
func next() string {
	const check = "  trailbell check --bucket my-trail\n"
	if _, err := exec.LookPath("trailbell"); err != nil {
		return "  go install ./cmd/trailbell\n" + check
	}
	return check
}

// invitation says what to look at while everything goes on running.
func (d *demo) invitation(run app.Running) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", d.Look.Bold("Running until Ctrl-C"))
	d.line(&b, "alerts", "nats sub -s %s '%s' --all", run.NATS, streams.AllAlerts)
	d.line(&b, "metrics", "http://%s/metrics", run.HTTP)
	d.line(&b, "bucket", `AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s \`, keys.Access, keys.Secret)
	d.line(&b, "", "trailbell scan s3://%s --endpoint %s", bucket, d.store.url)
	return b.String()
}

func (d *demo) line(b *strings.Builder, name, format string, args ...any) {
	fmt.Fprintf(b, "  %s  %s\n", d.Look.Dim(fmt.Sprintf("%-7s", name)), fmt.Sprintf(format, args...))
}

// failed is a line about something that went wrong.
func (d *demo) failed(b *strings.Builder, format string, args ...any) {
	fmt.Fprintf(b, "  %s %s\n", d.Look.Check(false), fmt.Sprintf(format, args...))
}

// alertsLine counts alerts by level, the worst first.
func alertsLine(levels map[string]int) string {
	total := 0
	var parts []string
	for _, l := range slices.Backward(sigma.Levels()) {
		if n := levels[l.String()]; n > 0 {
			total += n
			parts = append(parts, fmt.Sprintf("%d %s", n, l))
		}
	}
	if total == 0 {
		return "no alerts"
	}
	return fmt.Sprintf("%d alerts: %s", total, strings.Join(parts, ", "))
}

func comma(n int) string { return humanize.Comma(int64(n)) }
