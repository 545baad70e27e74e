// Package screen is how an alert looks to a person in a terminal. An alert is a
// block of a few lines that answers what somebody asks who is woken by it: how
// bad, what, who, from where, where and when.
//
//	HIGH      Console brute force from one address
//	  what    5 × ConsoleLogin  Failure  MFA no
//	  who     user alice  from 198.51.100.7 (NL)  in 111122223333 us-east-1
//	  when    2026-11-24 12:00:00 to 12:05:59 UTC  5m59s
//
// Whatever a record holds, what reaches the terminal is printable text and the
// colours of this package.
package screen

import (
	"os"
	"strings"

	"golang.org/x/term"
)

// Look is what a terminal can show. The zero Look is plain text of 80 columns,
// which suits a file or a pipe.
type Look struct {
	// Color allows the colour and brightness sequences of ECMA-48 ("SGR").
	Color bool
	// Width of a line in columns. 0 is 80; below 24 it counts as 24, with less
	// there is nothing to be laid out.
	Width int
}

const (
	defaultWidth = 80
	leastWidth   = 24
)

// LookOf returns the look that suits f. What is not a terminal gets the zero
// Look. On a terminal, a NO_COLOR that is not empty (https://no-color.org) and
// a TERM that is dumb or empty turn colours off.
func LookOf(f *os.File) Look {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return Look{}
	}
	width, _, err := term.GetSize(fd)
	if err != nil {
		width = 0 // a terminal that does not know, as some serial consoles
	}
	return Look{Color: colorful(os.Getenv), Width: width}
}

func colorful(env func(string) string) bool {
	return env("NO_COLOR") == "" && env("TERM") != "" && env("TERM") != "dumb"
}

// Parameters of SGR, ECMA-48 section 8.3.117.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	yellow = "33"
	cyan   = "36"
	green  = "32"
	alarm  = "1;37;41" // bold white on red
)

func (l Look) style(parameters, s string) string {
	if !l.Color || s == "" || parameters == "" {
		return s
	}
	return "\x1b[" + parameters + "m" + s + "\x1b[0m"
}

// Bold makes s stand out. It does not escape s: see [Safe].
func (l Look) Bold(s string) string { return l.style(bold, s) }

// Dim makes s step back. It does not escape s: see [Safe].
func (l Look) Dim(s string) string { return l.style(dim, s) }

// Check is a green ✓ or a red ✗.
func (l Look) Check(ok bool) string {
	if ok {
		return l.style(green, "✓")
	}
	return l.style(red, "✗")
}

// Severity is "error" in bold red, and "warning" in yellow.
func (l Look) Severity(text string) string {
	if text == "error" {
		return l.style(bold+";"+red, text)
	}
	return l.style(yellow, text)
}

// Level is the level of a Sigma rule in capitals, in its colour, without
// padding and at most 8 columns wide. A level that Sigma does not know is shown
// as it is.
func (l Look) Level(level string) string {
	text := levelText(level)
	switch level {
	case "critical":
		return l.style(alarm, text)
	case "high":
		return l.style(bold+";"+red, text)
	case "medium":
		return l.style(yellow, text)
	case "low":
		return l.style(cyan, text)
	}
	return l.style(dim, text)
}

func levelText(level string) string {
	if level == "informational" {
		return "INFO"
	}
	return cutMiddle(Safe(strings.ToUpper(level)), len("CRITICAL"))
}

func (l Look) width() int {
	if l.Width == 0 {
		return defaultWidth
	}
	return max(l.Width, leastWidth)
}
