// Package directory lists and opens the files of a local scan with the methods
// that a bucket has.
package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/trailbell/trailbell/internal/listing"
)

// Bucket is the name that references to files carry in place of a bucket's.
const Bucket = "file"

// pageFiles is how many files come at a time, as many as from S3.
const pageFiles = 1000

// Extensions are the endings of the files that a scan takes, in any case: logs
// as CloudTrail delivers them, unpacked, or with one record a line.
var Extensions = []string{".json.gz", ".json", ".ndjson", ".jsonl", ".gz"}

// Source is a directory tree in any layout, or a single file. The key of a
// file is its path as it was found from Root, with slashes, so that it can be
// opened and named in messages.
type Source struct {
	// Root is the directory or file. A file is taken whatever it is called.
	Root string
}

// Open checks that there is something at root. The error says what to try.
func Open(root string) (*Source, error) {
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file or directory; for a bucket write s3://NAME", root)
	case err != nil:
		return nil, explain(err)
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: neither a directory nor a plain file, but %s", root, info.Mode().Type())
	}
	return &Source{Root: filepath.Clean(root)}, nil
}

// Objects lists the files whose keys begin with prefix and sort after
// startAfter, in ascending order of the keys' bytes as S3 does, at most a
// thousand an element. Other files than those of Extensions, and what is
// neither a file nor a link to one, are left out. A directory that cannot be
// read is an error and ends the listing.
func (s *Source) Objects(ctx context.Context, prefix, startAfter string) iter.Seq2[[]listing.Object, error] {
	return func(yield func([]listing.Object, error) bool) {
		var page []listing.Object
		err := s.walk(ctx, func(o listing.Object) error {
			if !strings.HasPrefix(o.Key, prefix) || o.Key <= startAfter {
				return nil
			}
			if page = append(page, o); len(page) < pageFiles {
				return nil
			}
			full := page
			page = nil
			if !yield(full, nil) {
				return fs.SkipAll
			}
			return nil
		})
		switch {
		case errors.Is(err, fs.SkipAll):
		case err != nil:
			yield(nil, err)
		case len(page) > 0:
			yield(page, nil)
		}
	}
}

// Folders lists what comes between prefix and the next slash of the keys that
// Objects gives, in ascending order.
func (s *Source) Folders(ctx context.Context, prefix string) ([]string, error) {
	var folders []string
	err := s.walk(ctx, func(o listing.Object) error {
		rest, ok := strings.CutPrefix(o.Key, prefix)
		if !ok {
			return nil
		}
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			folders = append(folders, prefix+rest[:i+1])
		}
		return nil
	})
	return slices.Compact(folders), err
}

// walk visits the files in ascending order of their keys.
func (s *Source) walk(ctx context.Context, visit func(listing.Object) error) error {
	info, err := os.Stat(s.Root)
	if err != nil {
		return explain(err)
	}
	key := filepath.ToSlash(s.Root)
	if !info.IsDir() {
		return visit(listing.Object{Key: key, Size: info.Size(), Modified: info.ModTime()})
	}
	return tree(ctx, s.Root, key, visit)
}

func tree(ctx context.Context, dir, key string, visit func(listing.Object) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return explain(err)
	}
	// A directory sorts as its keys do, that is with the slash behind its
	// name: a.json comes before a/b.json.
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(sortName(a), sortName(b)) })
	for _, entry := range entries {
		name, below := filepath.Join(dir, entry.Name()), path.Join(key, entry.Name())
		if entry.IsDir() {
			if err := tree(ctx, name, below, visit); err != nil {
				return err
			}
			continue
		}
		if !Takes(entry.Name()) {
			continue
		}
		info, err := os.Stat(name) // follows a link
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
			continue // deleted meanwhile, or a link to nothing, or to itself
		}
		if err != nil {
			return explain(err)
		}
		if !info.Mode().IsRegular() {
			continue
		}
		if err := visit(listing.Object{Key: below, Size: info.Size(), Modified: info.ModTime()}); err != nil {
			return err
		}
	}
	return nil
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// Takes reports whether a file's name ends as those of a scan do.
func Takes(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(Extensions, func(extension string) bool { return strings.HasSuffix(name, extension) })
}

// Open opens a file by its key and says how many bytes it has. An error that
// wraps fs.ErrNotExist or fs.ErrPermission is about this file alone.
func (s *Source) Open(_ context.Context, key string) (io.ReadCloser, int64, error) {
	return OpenFile(key)
}

// OpenFile is Open for who has a key and no Source, such as a fetcher.
func OpenFile(key string) (io.ReadCloser, int64, error) {
	f, err := os.Open(filepath.FromSlash(key))
	if err != nil {
		return nil, 0, explain(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, explain(err)
	}
	return f, info.Size(), nil
}

// explain says what to try.
func explain(err error) error {
	e, ok := errors.AsType[*fs.PathError](err)
	switch {
	case !ok:
		return err
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: not allowed to read it; change its permissions or run as another user: %w", e.Path, e.Err)
	}
	return fmt.Errorf("%s: %w", e.Path, e.Err)
}
