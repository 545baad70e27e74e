package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trailbell/trailbell/internal/app"
	"github.com/trailbell/trailbell/internal/bench"
)

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "bench",
		GroupID: "tools",
		Short:   "Measure records a second, CPU a record and memory",
		Long: `Examples:
  trailbell bench
  trailbell bench --records 50000 --json

Grows a trail twice into a temporary directory, in files of 2,000 records and of
50, and measures what "trailbell scan" with the shipped rules takes to read it.
Beside it, in the same run, stands the floor: decompressing the same files and
nothing else. Each measurement is a process of its own.

It says whether the bar is met, and ends with 0 whether it is or not.`,
		Args: noArgs,
	}
	records := cmd.Flags().Int("records", 200_000, "records of each trail")
	rounds := cmd.Flags().Int("rounds", 3, "measurements of each, of which the middle one counts")
	asJSON := cmd.Flags().Bool("json", false, "print the report as JSON")
	profile := cmd.Flags().String("cpuprofile", "", "file for a CPU profile of the last scan of the large files, as go tool pprof reads it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *records < 1000 || *records > 100_000_000 {
			return fmt.Errorf("--records: %d is not from 1000 to 100000000", *records)
		}
		if *rounds < 1 || *rounds > 100 {
			return fmt.Errorf("--rounds: %d is not from 1 to 100", *rounds)
		}
		program, err := os.Executable()
		if err != nil {
			return fmt.Errorf("this program does not find itself: %w", err)
		}
		o := bench.Options{
			Records: *records, Rounds: *rounds,
			Child: func(ctx context.Context, kind bench.Kind, dir, profile string) *exec.Cmd {
				return exec.CommandContext(ctx, program, "bench", "measure", string(kind), dir, "--cpuprofile", profile)
			},
			Doing: func(what string) { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), what) },
		}
		if *profile != "" {
			if o.Profile, err = filepath.Abs(*profile); err != nil {
				return fmt.Errorf("--cpuprofile: %w", err)
			}
		}
		r, err := bench.Run(cmd.Context(), o)
		if err != nil {
			return err
		}
		if *asJSON {
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(r)
		}
		_, err = io.WriteString(cmd.OutOrStdout(), r.Text(env(cmd, app.DefaultConfig()).Look))
		return err
	}
	cmd.AddCommand(measureCommand())
	return cmd
}

// measureCommand is what bench starts for each measurement.
func measureCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "measure KIND DIR", Hidden: true, Args: cobra.ExactArgs(2), Long: `Examples:
  trailbell bench measure floor ./logs
  trailbell bench measure scan ./logs --cpuprofile scan.pprof

One measurement of bench, as JSON.`}
	profile := cmd.Flags().String("cpuprofile", "", "file for a CPU profile")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c := app.DefaultConfig()
		c.Log.Level = "warn"
		return bench.Measure(cmd.Context(), bench.Kind(args[0]), args[1], *profile, env(cmd, c))
	}
	return cmd
}
