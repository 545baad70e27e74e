// Package ruletest runs the tests that stand beside Sigma rules.
//
// Beside NAME.yml stands NAME.test.yml, or the rule file itself has a document
// with "cases" in it:
//
//	event:                       # the base of every event
//	  eventTime: "2026-03-02T08:00:00Z"
//	  eventSource: cloudtrail.amazonaws.com
//	  eventName: StopLogging
//	cases:
//	  - name: logging is stopped
//	    events: [{}]
//	    rings: [{rule: trail_stopped}]
//	  - name: by terraform
//	    events:
//	      - with: {userAgent: terraform/1.9}
//
// Rules are matched and correlations are run as Trailbell does it, by packages
// sigma and correlate, over the events in the order of the list. What rings for
// a case must be what the case lists: of all rules of the file that it stands
// beside, of those that a filter in this file is for, and of those that the case
// names. docs/rules.md of the repository has every key.
package ruletest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/trailbell/trailbell/sigma"
)

// File is what one file says about the rules beside it.
type File struct {
	// Path of the file that holds the cases. A rule file may hold its own.
	Path  string
	Cases []*Case
}

// Load reads the tests under root, a file or a directory tree of fsys, where
// [sigma.Load] finds the rules: every *.test.yml and *.test.yaml, and documents
// with "cases" in rule files. For a rule file root, the tests that stand beside
// it are read as well.
//
// What is wrong is returned beside what could be read. Each error is a
// [*sigma.Error]; a file with errors has no cases.
func Load(fsys fs.FS, root string) ([]*File, []error) {
	return load(fsys, root, func(name string) string { return name })
}

// LoadPath is Load for a file or a directory of the operating system. Errors
// name files as the path does.
func LoadPath(name string) ([]*File, []error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, []error{readError(name, err)}
	case info.IsDir():
		return load(os.DirFS(name), ".", func(inside string) string { return filepath.Join(name, filepath.FromSlash(inside)) })
	}
	dir := filepath.Dir(name)
	return load(os.DirFS(dir), filepath.Base(name), func(inside string) string {
		return strings.TrimSuffix(name, filepath.Base(name)) + filepath.FromSlash(inside)
	})
}

// RuleFile returns the rule file that the tests in a file are about, without
// its extension, and whether the file is for tests only. For a rule file it
// returns the file itself, without its extension.
func RuleFile(name string) (base string, tests bool) {
	base = strings.TrimSuffix(name, path.Ext(name))
	return strings.CutSuffix(base, ".test")
}

func isYAML(name string) bool {
	ext := path.Ext(name)
	return ext == ".yml" || ext == ".yaml"
}

func load(fsys fs.FS, root string, display func(string) string) ([]*File, []error) {
	var names []string
	var errs []error
	err := fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			errs = append(errs, readError(display(name), err))
			return nil
		}
		hidden := name != root && strings.HasPrefix(entry.Name(), ".")
		switch {
		case entry.IsDir() && hidden:
			return fs.SkipDir
		case !entry.IsDir() && (name == root || !hidden && isYAML(name)):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		errs = append(errs, readError(display(root), err))
	}
	if len(names) == 1 && names[0] == root {
		names = append(names, beside(fsys, root)...)
	}
	var files []*File
	for _, name := range names {
		f := &File{Path: display(name)}
		_, tests := RuleFile(name)
		data, err := readFile(fsys, name)
		if err != nil {
			if errors.Is(err, errDirectory) || errors.Is(err, errNoFile) && !tests {
				continue // a link to one, or what sigma.Load refuses
			}
			errs = append(errs, readError(f.Path, err))
			continue
		}
		if !tests && !bytes.Contains(data, []byte("cases")) {
			continue
		}
		r := reader{fsys: fsys, dir: path.Dir(name), file: f.Path}
		found := r.read(f, data, tests)
		if len(r.errs) > 0 {
			errs, f.Cases = append(errs, r.errs...), nil
		}
		if found {
			files = append(files, f)
		}
	}
	return files, errs
}

// beside returns the test files beside a rule file.
func beside(fsys fs.FS, name string) []string {
	base, tests := RuleFile(name)
	if tests {
		return nil
	}
	var names []string
	for _, ext := range []string{".test.yml", ".test.yaml"} {
		if info, err := fs.Stat(fsys, base+ext); err == nil && !info.IsDir() {
			names = append(names, base+ext)
		}
	}
	return names
}

var (
	errDirectory = errors.New("it is a directory")
	errNoFile    = errors.New("it is not a regular file")
)

func readFile(fsys fs.FS, name string) ([]byte, error) {
	// To open a pipe would wait for a writer.
	if info, err := fs.Stat(fsys, name); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errDirectory
	}
	data, err := io.ReadAll(io.LimitReader(f, sigma.MaxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > sigma.MaxFileSize {
		return nil, fmt.Errorf("the file is larger than %d bytes; split it", sigma.MaxFileSize)
	}
	return data, nil
}

func readError(file string, err error) error {
	return &sigma.Error{File: file, Msg: fmt.Sprintf("cannot be read: %v", withoutPath(err))}
}

func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err // the name is said already
	}
	return err
}
