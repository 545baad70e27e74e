// Package directive lets package go.yaml.in/yaml/v3 read files that say they are
// YAML 1.2, which it reads and refuses by that line.
package directive

import (
	"bytes"
	"regexp"
)

var version = regexp.MustCompile(`^%YAML +1\.([02-9])[ \t\r\n]*$`)

// Lower returns the text of a file with "%YAML 1.1" for any other minor version,
// as long as before, so that lines and columns stay where they are. Only a line
// where directives can be is one: at the start, and after "...". The text itself
// is returned when there is none.
func Lower(data []byte) []byte {
	lowered := data
	start, offset := true, 0
	for line := range bytes.Lines(data) {
		text := bytes.TrimPrefix(line, []byte("\uFEFF"))
		switch at := version.FindSubmatchIndex(text); {
		case start && at != nil:
			if &lowered[0] == &data[0] {
				lowered = bytes.Clone(data)
			}
			lowered[offset+len(line)-len(text)+at[2]] = '1'
		case len(bytes.TrimSpace(text)) == 0, text[0] == '#', text[0] == '%':
		default:
			start = bytes.HasPrefix(text, []byte("..."))
		}
		offset += len(line)
	}
	return lowered
}
