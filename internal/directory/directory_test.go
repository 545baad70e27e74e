package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailbell/trailbell/internal/directory"
)

// lay writes files, each holding its own name.
func lay(t *testing.T, names ...string) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, name := range names {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func open(t *testing.T, root string) *directory.Source {
	t.Helper()
	s, err := directory.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// list gives the keys below root.
func list(t *testing.T, s *directory.Source, prefix, startAfter string) (keys []string, pages int) {
	t.Helper()
	for page, err := range s.Objects(t.Context(), prefix, startAfter) {
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, o := range page {
			key := strings.TrimPrefix(o.Key, filepath.ToSlash(s.Root)+"/")
			if o.Size != int64(len(key)) || o.Modified.IsZero() {
				t.Errorf("%+v", o)
			}
			keys = append(keys, key)
		}
	}
	return keys, pages
}

func TestOnlyFilesThatCouldBeLogsAreListed(t *testing.T) {
	root := lay(t, "b/c/x.json.gz", "a.json", "A.JSON", "records.ndjson", "lines.jsonl", "old.gz", "README.md", "x.json.tmp", ".hidden/y.json", "d.json/z.txt")
	got, _ := list(t, open(t, root), "", "")
	want := []string{".hidden/y.json", "A.JSON", "a.json", "b/c/x.json.gz", "lines.jsonl", "old.gz", "records.ndjson"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestASingleFileIsTakenWhateverItIsCalled(t *testing.T) {
	root := lay(t, "trail.log")
	s := open(t, filepath.Join(root, "trail.log"))
	for page, err := range s.Objects(t.Context(), "", "") {
		if err != nil || len(page) != 1 || page[0].Key != filepath.ToSlash(s.Root) {
			t.Errorf("page %v, error %v", page, err)
		}
	}
}

func TestLinksToFilesAreFollowedAndOthersAreNot(t *testing.T) {
	root := lay(t, "real/a.json")
	for name, to := range map[string]string{"link.json": "real/a.json", "dead.json": "nowhere", "self.json": "self.json", "loop": "."} {
		if err := os.Symlink(filepath.Join(root, to), filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for page, err := range open(t, root).Objects(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			keys = append(keys, filepath.Base(o.Key))
		}
	}
	if diff := cmp.Diff([]string{"link.json", "a.json"}, keys); diff != "" {
		t.Error(diff)
	}
}

func TestManyFilesComeAThousandAtATime(t *testing.T) {
	var names []string
	for i := range 1001 {
		names = append(names, fmt.Sprintf("%04d.json", i))
	}
	s := open(t, lay(t, names...))
	got, pages := list(t, s, "", "")
	if diff := cmp.Diff(names, got); diff != "" || pages != 2 {
		t.Errorf("%d pages: %s", pages, diff)
	}
	for range s.Objects(t.Context(), "", "") {
		break // leaving early is allowed
	}
}

// The order is S3's: that of the bytes of whole keys, where a slash is a byte
// like others.
func TestTheOrderIsThatOfKeys(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "a-b", "a.b", "a0", "b", "B"})
	rapid.Check(t, func(r *rapid.T) {
		root, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for range rapid.IntRange(0, 12).Draw(r, "files") {
			parts := rapid.SliceOfN(name, 1, 3).Draw(r, "path")
			file := filepath.Join(root, filepath.Join(parts...)+".json")
			if os.MkdirAll(filepath.Dir(file), 0o755) == nil && os.WriteFile(file, nil, 0o644) == nil {
				keys = append(keys, filepath.ToSlash(file))
			}
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		after, prefix := "", ""
		if len(keys) > 0 {
			after = rapid.SampledFrom(append(keys, "")).Draw(r, "after")
			prefix = filepath.ToSlash(root) + "/" + rapid.SampledFrom([]string{"", "a", "a/", "b"}).Draw(r, "prefix")
		}
		var want, folders []string
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) && key > after {
				want = append(want, key)
			}
			if rest, ok := strings.CutPrefix(key, prefix); ok && strings.Contains(rest, "/") {
				folders = append(folders, prefix+rest[:strings.IndexByte(rest, '/')+1])
			}
		}
		s := directory.Source{Root: root}
		var got []string
		for page, err := range s.Objects(r.Context(), prefix, after) {
			if err != nil {
				r.Fatal(err)
			}
			for _, o := range page {
				got = append(got, o.Key)
			}
		}
		if !slices.Equal(want, got) {
			r.Errorf("Objects(%q, %q)\n got %q\nwant %q", prefix, after, got, want)
		}
		gotFolders, err := s.Folders(r.Context(), prefix)
		if slices.Sort(folders); err != nil || !slices.Equal(slices.Compact(folders), gotFolders) {
			r.Errorf("Folders(%q)\n got %q\nwant %q, error %v", prefix, gotFolders, folders, err)
		}
	})
}

func TestAKeyOpensItsFile(t *testing.T) {
	s := open(t, lay(t, "a/b.json"))
	for page := range s.Objects(t.Context(), "", "") {
		body, size, err := s.Open(t.Context(), page[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		got, err := io.ReadAll(body)
		if string(got) != "a/b.json" || size != int64(len(got)) || err != nil {
			t.Errorf("%q of %d bytes, error %v", got, size, err)
		}
	}
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "trail")
	if _, err := directory.Open(missing); err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "s3://") {
		t.Errorf("Open: %v", err)
	}
	if _, err := directory.Open(os.DevNull); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("Open of a device: %v", err)
	}
	if _, _, err := directory.OpenFile(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("OpenFile: %v", err)
	}
	gone := directory.Source{Root: missing}
	for _, err := range gone.Objects(t.Context(), "", "") {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Objects: %v", err)
		}
	}
}

func TestAListingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range open(t, lay(t, "a.json")).Objects(ctx, "", "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
