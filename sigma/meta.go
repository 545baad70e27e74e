package sigma

import (
	"crypto/sha1"
	"fmt"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parseMeta reads what rules and correlations have in common.
func (d *document) parseMeta(meta *Meta, top map[string]*yaml.Node, root *yaml.Node) {
	read := func(key string) string {
		n, ok := top[key]
		if !ok {
			return ""
		}
		return d.text(n, key)
	}
	// The rest costs nobody a rule.
	note := func(key string) string {
		if n, ok := top[key]; ok {
			return d.readable(n, key)
		}
		return ""
	}
	notes := func(key string) []string {
		if n, ok := top[key]; ok {
			return d.readables(n, key)
		}
		return nil
	}
	before := len(d.errs)
	meta.Title = read("title")
	d.title = meta.Title
	if meta.Title == "" && len(d.errs) == before {
		d.errorf(root, `the rule has no "title"`)
	}
	meta.ID = read("id")
	meta.Name = read("name")
	for _, key := range []string{"id", "name"} {
		if n := top[key]; n != nil && utf8.RuneCountInString(n.Value) > maxName {
			d.errorf(n, "%s: it is longer than %d characters; shorten it", key, maxName)
		}
	}
	meta.Description = note("description")
	meta.Status = note("status")
	meta.Author = note("author")
	meta.Tags = notes("tags")
	meta.FalsePositives = notes("falsepositives")
	meta.References = notes("references")
	if n, ok := top["level"]; ok && !isEmpty(n) {
		level, err := ParseLevel(d.text(n, "level"))
		if err != nil {
			d.errorf(n, "level: %v", err)
		}
		meta.Level = level
	}
	if meta.ID == "" {
		meta.ID = deriveID(*meta)
	}
}

// maxName bounds the characters of ids and names.
const maxName = 256

// idNamespace makes derived ids this program's own (RFC 9562, version 5). It
// is part of every derived id: do not change it.
var idNamespace = [16]byte{0x5c, 0x1f, 0x0a, 0x3e, 0x4b, 0x77, 0x4d, 0x0e, 0x9a, 0x51, 0x6e, 0x0d, 0x2f, 0x88, 0xc3, 0x14}

// deriveID returns the id of a rule that has none: a name-based UUID.
func deriveID(m Meta) string {
	seed := "title:" + m.Title
	if m.Name != "" {
		seed = "name:" + m.Name
	}
	sum := sha1.Sum(append(idNamespace[:], seed...))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
