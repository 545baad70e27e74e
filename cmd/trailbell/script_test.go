package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/klauspost/compress/gzip"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trailbell/trailbell/internal/alert"
	"github.com/trailbell/trailbell/internal/generator"
	"github.com/trailbell/trailbell/internal/natsserver"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"trailbell": func() { os.Exit(run()) }})
}

// TestScripts types what a user types. Each script has a home directory of its
// own, no network but this machine, and these commands besides the usual ones:
//
//	exits CODE trailbell ARG...    run it and compare the exit code
//	one-line PART...               stderr is a single line that holds every PART
//	trail DIR [ATTACK...]          grow a trail of 400 records into DIR, whose
//	                               name is the seed
//	rang FILE NAME...              the alerts in FILE, one a line, are of these
//	                               rules, each as often as it is named
//	episodes FILE WANT             the alerts in FILE, one a line, are those of
//	                               WANT in any order: RULE GROUP FIRST_SEEN
//	                               LAST_SEEN EVENT_ID..., and GROUP is - for none
//	arrange ORDER FROM TO          the files of FROM, under names by which they
//	                               come in another order: "reversed", and the lines
//	                               of each as well; or a number, which is the seed
//	                               of a shuffle, and then each is there twice
//	pack FROM TO [BYTES]           compress a file, and keep the first BYTES
//	s3server BUCKET [DIR]          an S3 server with the files of DIR; its URL is
//	                               in $ENDPOINT, its keys are in profile "default"
//	natsserver                     a NATS server; its URL is in $NATS, host and
//	                               port are in $NATS_ADDRESS
//	await FILE PATTERN [N]         wait until N lines of FILE match, 1 by default
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("HOME", home)
			// An instance is asked for its role last, over the network.
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "one-line": oneLine, "trail": trail, "rang": rang, "episodes": episodes,
			"arrange": arrange, "pack": pack,
			"s3server": s3server, "natsserver": startNATS, "await": await,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("it ended with %d, want %d; stderr:\n%s", got, want, ts.ReadFile("stderr"))
	}
}

func oneLine(ts *testscript.TestScript, neg bool, parts []string) {
	if neg || len(parts) == 0 {
		ts.Fatalf("usage: one-line PART...")
	}
	text := ts.ReadFile("stderr")
	if strings.Count(text, "\n") != 1 {
		ts.Fatalf("stderr is not a single line:\n%s", text)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			ts.Fatalf("stderr does not hold %q:\n%s", part, text)
		}
	}
}

func trail(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: trail DIR [ATTACK...]")
	}
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(args[0])) // never fails
	o := generator.Options{
		Seed: seed.Sum64(), Records: 400, RecordsPerFile: 40,
		Start: time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC),
	}
	for _, a := range args[1:] {
		o.Attacks = append(o.Attacks, generator.Attack(a))
	}
	grown, err := generator.New(o)
	ts.Check(err)
	for object := range grown.Objects() {
		file := filepath.Join(ts.MkAbs(args[0]), filepath.FromSlash(object.Key))
		ts.Check(os.MkdirAll(filepath.Dir(file), 0o700))
		ts.Check(os.WriteFile(file, object.Body, 0o600))
	}
}

func rang(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: rang FILE NAME...")
	}
	want, got := slices.Sorted(slices.Values(args[1:])), []string{}
	for _, a := range alerts(ts, args[0]) {
		got = append(got, a.Rule.Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		ts.Fatalf("rang %q, want %q", got, want)
	}
}

// alerts reads alerts, one a line, which stand for something that happened.
func alerts(ts *testscript.TestScript, file string) []alert.Alert {
	var all []alert.Alert
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(file)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !json.Valid(lines.Bytes()) {
			ts.Fatalf("not a line of JSON: %s", lines.Text())
		}
		a, err := alert.Parse(lines.Bytes())
		ts.Check(err)
		if !a.State.Living() {
			ts.Fatalf("alert %s of %s is %s", a.ID, a.Rule.Name, a.State)
		}
		all = append(all, a)
	}
	ts.Check(lines.Err())
	return all
}

func episodes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: episodes FILE WANT")
	}
	var want, got []string
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			want = append(want, strings.Join(words, " "))
		}
	}
	for _, a := range alerts(ts, args[0]) {
		var group []string
		for field, value := range a.Group {
			group = append(group, field+"="+value)
		}
		slices.Sort(group)
		words := []string{a.Rule.Name, cmp.Or(strings.Join(group, ","), "-"), a.FirstSeen.Format(time.RFC3339Nano), a.LastSeen.Format(time.RFC3339Nano)}
		got = append(got, strings.Join(append(words, a.EventIDs...), " "))
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := diff.Diff("want", []byte(strings.Join(want, "\n")+"\n"), "got", []byte(strings.Join(got, "\n")+"\n")); d != nil {
		ts.Fatalf("other episodes:\n%s", d)
	}
}

func arrange(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: arrange ORDER FROM TO")
	}
	var files []string
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, file)
		}
		return err
	}))
	if args[0] == "reversed" {
		slices.Reverse(files)
	} else {
		seed, err := strconv.ParseUint(args[0], 10, 64)
		ts.Check(err)
		files = append(files, files...)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	}
	ts.Check(os.MkdirAll(ts.MkAbs(args[2]), 0o700))
	for i, file := range files {
		lines := slices.Collect(strings.Lines(ts.ReadFile(file)))
		if args[0] == "reversed" {
			slices.Reverse(lines)
		}
		name := fmt.Sprintf("%03d%s", i, filepath.Ext(file))
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[2]), name), []byte(strings.Join(lines, "")), 0o600))
	}
}

func pack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: pack FROM TO [BYTES]")
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(errors.Join(err, z.Close()))
	if len(args) == 3 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		b.Truncate(n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o600))
}

func s3server(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: s3server BUCKET [DIR]")
	}
	backend := s3mem.New()
	ts.Check(backend.CreateBucket(args[0]))
	if len(args) == 2 {
		root := os.DirFS(ts.MkAbs(args[1]))
		ts.Check(fs.WalkDir(root, ".", func(key string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			body, err := fs.ReadFile(root, key)
			if err != nil {
				return err
			}
			_, err = backend.PutObject(args[0], key, nil, bytes.NewReader(body), int64(len(body)), nil)
			return err
		}))
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	ts.Defer(server.Close)
	ts.Setenv("ENDPOINT", server.URL)
	aws := filepath.Join(ts.Getenv("HOME"), ".aws")
	ts.Check(os.MkdirAll(aws, 0o700))
	ts.Check(os.WriteFile(filepath.Join(aws, "credentials"),
		[]byte("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = wJalrXUtnFEMI\n"), 0o600))
}

func startNATS(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: natsserver")
	}
	s, err := natsserver.Start(natsserver.Options{Dir: filepath.Join(ts.Getenv("WORK"), "nats"), Listen: "127.0.0.1:0"})
	ts.Check(err)
	ts.Defer(s.Stop)
	ts.Setenv("NATS", s.URL())
	ts.Setenv("NATS_ADDRESS", strings.TrimPrefix(s.URL(), "nats://"))
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: await FILE PATTERN [N]")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	want := 1
	if len(args) == 3 {
		want, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	const patience = 2 * time.Minute
	limit := time.After(patience)
	for {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err)
		}
		if len(pattern.FindAll(text, -1)) >= want {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			ts.Fatalf("%s: not %d lines that match %q after %s:\n%s", args[0], want, args[1], patience, text)
		}
	}
}
