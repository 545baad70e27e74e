package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/trailbell/trailbell"

// arrows are the directions in which packages may not be imported, however
// many others are in between:
//
//	cmd -> internal/app -> services/* -> internal/{stage,streams,lease,…}, sigma -> proto
var arrows = []struct{ name, from, never string }{
	{"no service imports another", `^\./services/\w+`, `^\./services/`},
	{"a service does not know who puts it together", `^\./services/`, `^\./(internal/(app|check|demo|bench)|cmd)\b`},
	{"what services share does not know them", `^\./internal/(alert|cloudtrail|directory|generator|lease|listing|natsserver|s3|screen|seeder|stage|streams)\b`, `^\./(services|internal/app|cmd)\b`},
	{"any Go program can import the rule language", `^\./sigma\b`, `^\./(cmd|internal|proto|rules|services)\b`},
	{"rules and format know no NATS", `^\./(sigma|internal/cloudtrail)\b`, `^github\.com/nats-io/`},
	{"rules and format know no AWS", `^\./(sigma|internal/cloudtrail)\b`, `^github\.com/aws/`},
	{"messages know nothing", `^\./proto/`, `^\./(cmd|internal|rules|services|sigma)\b`},
}

func TestPackagesAreImportedInOneDirection(t *testing.T) {
	packages := listed(t)
	for _, arrow := range arrows {
		t.Run(arrow.name, func(t *testing.T) {
			from, never := regexp.MustCompile(arrow.from), regexp.MustCompile(arrow.never)
			checked := 0
			for _, p := range packages {
				own := from.FindString(p.name())
				if own == "" {
					continue
				}
				checked++
				for _, dep := range slices.Concat(p.Deps, p.TestImports, p.XTestImports) {
					dep = short(dep)
					inside := dep == own || strings.HasPrefix(dep, own+"/")
					if never.MatchString(dep) && !inside {
						t.Errorf("%s imports %s", p.name(), dep)
					}
				}
			}
			if checked == 0 {
				t.Errorf("no package matches %s", from)
			}
		})
	}
}

// TestOnlyTheShellAnswersAndPublishes: when an input is acknowledged is decided
// in one place.
func TestOnlyTheShellAnswersAndPublishes(t *testing.T) {
	verb := regexp.MustCompile(`^(Ack|DoubleAck|Nak|NakWithDelay|Term|TermWithReason|InProgress|Publish\w*|RespondMsg|Respond|Request\w*)$`)
	users := map[string]bool{}
	for _, use := range uses(t) {
		path := use.object.Pkg().Path()
		if (path == "github.com/nats-io/nats.go" || path == "github.com/nats-io/nats.go/jetstream") && verb.MatchString(use.object.Name()) {
			users[use.in] = true
			if use.in != "./internal/stage" {
				t.Errorf("%s uses %s", use.at, use.object.FullName())
			}
		}
	}
	if !users["./internal/stage"] {
		t.Error("not even internal/stage publishes: this test looks for the wrong thing")
	}
}

// TestRulesAndFormatReadNoClock: they take time as an argument, so that a run
// over last month finds what a live one would have found.
func TestRulesAndFormatReadNoClock(t *testing.T) {
	clock := regexp.MustCompile(`^(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTicker|NewTimer)$`)
	pure := regexp.MustCompile(`^\./(sigma|internal/cloudtrail)\b`)
	seen := false
	for _, use := range uses(t) {
		if !pure.MatchString(use.in) {
			continue
		}
		seen = true
		// A package's functions only: time.Time has a method After.
		if use.object.Pkg().Path() == "time" && use.object.Signature().Recv() == nil && clock.MatchString(use.object.Name()) {
			t.Errorf("%s uses time.%s", use.at, use.object.Name())
		}
	}
	if !seen {
		t.Error("no function is used in sigma or internal/cloudtrail")
	}
}

// TestSubjectsAndStreamsAreSpelledOnce holds for tests too: what a test expects
// on a subject of its own making would stay green when nobody listens there.
func TestSubjectsAndStreamsAreSpelledOnce(t *testing.T) {
	spelled := regexp.MustCompile(`^(trailbell\.(keys|batches|events|matches|alerts|dead)\b.*|KEYS|BATCHES|EVENTS|MATCHES|ALERTS|DEAD)$`)
	found := map[string]bool{}
	for _, p := range listed(t) {
		if p.name() == "./internal/app" {
			continue // this file
		}
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				l, ok := n.(*ast.BasicLit)
				if !ok || l.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(l.Value)
				if err == nil && spelled.MatchString(text) {
					found[p.name()] = true
					if p.name() != "./internal/streams" {
						t.Errorf("%s spells %s; take it from internal/streams", set.Position(l.Pos()), l.Value)
					}
				}
				return true
			})
		}
	}
	if !found["./internal/streams"] {
		t.Error("not even internal/streams spells a stream: this test looks for the wrong thing")
	}
}

// goPackage is a package as `go list -json` describes it.
type goPackage struct {
	ImportPath, Dir, Export                  string
	GoFiles, TestGoFiles, XTestGoFiles       []string
	Imports, Deps, TestImports, XTestImports []string
}

// name is ./FOLDER for a package of this module, and its path for another.
func (p goPackage) name() string { return short(p.ImportPath) }

func short(path string) string {
	if folder, ok := strings.CutPrefix(path, module+"/"); ok {
		return "./" + folder
	}
	return path
}

// golist runs the go command that runs this test.
func golist(args ...string) ([]goPackage, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Export,GoFiles,TestGoFiles,XTestGoFiles,Imports,Deps,TestImports,XTestImports"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var all []goPackage
	for d := json.NewDecoder(out); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, cmd.Wait()
		} else if err != nil {
			return nil, errors.Join(err, cmd.Wait())
		}
		all = append(all, p)
	}
}

// listed are the packages of this module.
func listed(t *testing.T) []goPackage {
	t.Helper()
	all, err := modulePackages()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var modulePackages = sync.OnceValues(func() ([]goPackage, error) { return golist(module + "/...") })

// use is a function or method, used at a place in a package.
type use struct {
	in, at string
	object *types.Func
}

// uses are the functions and methods of other packages that the packages of
// this module use, outside of tests.
func uses(t *testing.T) []use {
	t.Helper()
	all, err := moduleUses()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var moduleUses = sync.OnceValues(func() ([]use, error) {
	packages, err := golist("-deps", "-export", module+"/...")
	if err != nil {
		return nil, err
	}
	compiled := map[string]string{}
	for _, p := range packages {
		compiled[p.ImportPath] = p.Export
	}
	set := token.NewFileSet()
	from := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(compiled[path]) })
	var all []use
	for _, p := range packages {
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
		info := types.Info{Uses: map[*ast.Ident]types.Object{}}
		config := types.Config{Importer: from}
		if _, err := config.Check(p.ImportPath, set, files, &info); err != nil {
			return nil, fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		for id, object := range info.Uses {
			if f, ok := object.(*types.Func); ok && f.Pkg() != nil && f.Pkg().Path() != p.ImportPath {
				all = append(all, use{p.name(), set.Position(id.Pos()).String(), f})
			}
		}
	}
	return all, nil
})
