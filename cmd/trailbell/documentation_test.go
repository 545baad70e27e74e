package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first rule of the documentation, its test, and what the commands say of
// both are as the page has them.
func TestTheFirstRuleOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## A first rule\n")
	section, _, _ = strings.Cut(section, "\n## ")
	section = strings.ReplaceAll(section, "\n    ", "\n")
	t.Chdir(t.TempDir())
	record := `{"eventTime": "2026-03-02T08:00:00Z", "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "additionalEventData": {"MFAUsed": "Yes"}}`
	write(t, "event.json", record)
	files := strings.Split(section, "\n# ")[1:]
	for _, file := range files {
		name, text, _ := strings.Cut(file, "\n")
		text, _, _ = strings.Cut(text, "\n\n")
		write(t, name, text+"\n")
	}
	if len(files) != 2 {
		t.Fatalf("%d files", len(files))
	}
	commands := strings.Split(section, "\n$ ")[1:]
	for _, command := range commands {
		line, want, _ := strings.Cut(command, "\n")
		want, _, _ = strings.Cut(want, "\n\n`trailbell scan")
		var out, errs strings.Builder
		if code := execute(t.Context(), strings.Fields(line)[1:], &out, &errs); code != exitOK || errs.Len() > 0 {
			t.Errorf("%s: %d, %s", line, code, errs.String())
		}
		if got := strings.TrimSpace(out.String()); got != strings.TrimSpace(want) {
			t.Errorf("%s: got\n%s\nthe page has\n%s", line, got, want)
		}
	}
	if len(commands) != 3 {
		t.Errorf("%d commands", len(commands))
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
