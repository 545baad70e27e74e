package main

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenerateRefusesWhatIsNoPlaceToWriteTo(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", "name a directory with --dir, or a bucket with --bucket"},
		{"--bucket trail", "--bucket needs --endpoint"},
		{"--endpoint http://127.0.0.1:1", "there is nowhere to write to"},
		{"--bucket trail --endpoint https://s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com is AWS"},
		{"--dir logs --bucket trail", "write into one of them"},
		{"--dir logs --days 0", "--days: 0 is not from 1 to 366"},
		{"--dir logs --records 3 --attacks", "3 records do not hold the"},
	} {
		t.Chdir(t.TempDir())
		var out, said bytes.Buffer
		code := execute(t.Context(), append([]string{"generate"}, strings.Fields(tt.args)...), &out, &said)
		if code != exitFailed || !strings.Contains(said.String(), tt.want) {
			t.Errorf("generate %s: code %d, %s", tt.args, code, &said)
		}
		if files, err := filepath.Glob("*"); err != nil || len(files) > 0 {
			t.Errorf("generate %s: wrote %s", tt.args, files)
		}
	}
}

func TestGenerateWritesFilesAndSaysWhatHasToRing(t *testing.T) {
	dir := t.TempDir()
	var out, said bytes.Buffer
	code := execute(t.Context(), []string{"generate", "--dir", dir, "--records", "600", "--attacks", "--prefix", "org/logs"}, &out, &said)
	if code != exitOK || said.Len() > 0 {
		t.Fatalf("code %d: %s", code, &said)
	}
	for _, want := range []string{"600 records in ", "have to ring 43 alerts:\n", "  2 console_brute_force\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
			if !strings.HasPrefix(path, filepath.Join(dir, "org", "logs", "AWSLogs")) || !strings.HasSuffix(path, ".json.gz") {
				t.Errorf("file %s", path)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, error %v", files, err)
	}
}
