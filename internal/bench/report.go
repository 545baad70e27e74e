package bench

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/trailbell/trailbell/internal/screen"
)

// Report is what a benchmark has come to.
type Report struct {
	Go           string `json:"go"`
	System       string `json:"system"`
	Cores        int    `json:"cores"`
	Rules        int    `json:"rules"`
	Correlations int    `json:"correlations"`
	// Trails are that of large files and that of small ones.
	Trails []Trail `json:"trails"`
	Bars   []Bar   `json:"bars"`
}

// Trail is what was read, and what reading it has cost.
type Trail struct {
	RecordsPerFile int   `json:"records_per_file"`
	Objects        int   `json:"objects"`
	Records        int   `json:"records"`
	Bytes          int64 `json:"bytes"`   // compressed
	Content        int64 `json:"content"` // decompressed
	Planted        int   `json:"planted"` // alerts, all of which rang
	Floor          Cost  `json:"floor"`
	Scan           Cost  `json:"scan"`
	// Ratio is the CPU of the scan in that of the floor.
	Ratio float64 `json:"ratio"`
}

// Cost is what reading a trail has cost.
type Cost struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
	Peak    int64   `json:"peak_bytes"`
	// Rate is records a second, Micros the microseconds of CPU a record.
	Rate   float64 `json:"records_per_second"`
	Micros float64 `json:"cpu_micros_per_record"`
}

func (t Trail) cost(s Sample) Cost {
	n := float64(t.Records)
	return Cost{Seconds: s.Seconds, CPU: s.CPU, Peak: s.Peak, Rate: n / s.Seconds, Micros: s.CPU / n * 1e6}
}

// Bar is something that is asked for, on two cores and over large files.
type Bar struct {
	Name  string  `json:"name"`
	Bound float64 `json:"bound"`
	Value float64 `json:"value"`
	Met   bool    `json:"met"`
}

func bars(t Trail) []Bar {
	mega := float64(t.Scan.Peak) / 1e6
	return []Bar{
		{"records a second, at least", 40_000, t.Scan.Rate, t.Scan.Rate >= 40_000},
		{"CPU of the floor, times, at most", 10, t.Ratio, t.Ratio <= 10},
		{"peak memory in MB, at most", 400, mega, mega <= 400},
	}
}

func newReport(rules, correlations int) Report {
	return Report{
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.GOMAXPROCS(0),
		Rules: rules, Correlations: correlations,
	}
}

// Text is the report as a table.
func (r Report) Text(look screen.Look) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s records, %d rules and %d correlations, %s %s, %d cores\n\n",
		humanize.Comma(int64(r.Trails[0].Records)), r.Rules, r.Correlations, r.Go, r.System, r.Cores)
	for line := range strings.Lines(r.table()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	fmt.Fprintf(&b, "\nThe bar, for two cores and files of %s:\n", humanize.Comma(Large))
	for _, bar := range r.Bars {
		value := fmt.Sprintf("%.1f", bar.Value)
		if bar.Value >= 100 {
			value = humanize.Comma(int64(bar.Value))
		}
		fmt.Fprintf(&b, "  %s %-34s %7s: %8s\n", look.Check(bar.Met), bar.Name, humanize.Comma(int64(bar.Bound)), value)
	}
	return b.String()
}

// table has a column for each trail.
func (r Report) table() string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 3, ' ', tabwriter.AlignRight)
	row := func(name string, value func(Trail) string) {
		fmt.Fprintf(table, "  %-34s\t", name)
		for _, t := range r.Trails {
			fmt.Fprintf(table, "%s\t", value(t))
		}
		fmt.Fprintln(table)
	}
	blank := func() { row("", func(Trail) string { return "" }) }
	comma := func(n float64) string { return humanize.Comma(int64(n)) }
	micros := func(c Cost) string { return fmt.Sprintf("%.2f µs", c.Micros) }
	megabytes := func(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
	row("", func(t Trail) string { return "files of " + comma(float64(t.RecordsPerFile)) })
	row("objects", func(t Trail) string { return comma(float64(t.Objects)) })
	row("compressed", func(t Trail) string { return megabytes(t.Bytes) })
	row("decompressed", func(t Trail) string { return megabytes(t.Content) })
	row("alerts, all planted", func(t Trail) string { return comma(float64(t.Planted)) })
	blank()
	row("floor: gunzip, records a second", func(t Trail) string { return comma(t.Floor.Rate) })
	row("floor: CPU a record", func(t Trail) string { return micros(t.Floor) })
	row("floor: peak memory", func(t Trail) string { return megabytes(t.Floor.Peak) })
	blank()
	row("scan: records a second", func(t Trail) string { return comma(t.Scan.Rate) })
	row("scan: CPU a record", func(t Trail) string { return micros(t.Scan) })
	row("scan: CPU, times the floor's", func(t Trail) string { return fmt.Sprintf("%.1f", t.Ratio) })
	row("scan: peak memory", func(t Trail) string { return megabytes(t.Scan.Peak) })
	_ = table.Flush() // a strings.Builder takes everything
	return b.String()
}
