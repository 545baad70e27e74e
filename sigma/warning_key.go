package sigma

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trailbell/trailbell/sigma/internal/spelling"
)

// topKeys are those that the specification gives a meaning at the top of a
// document.
var topKeys = []string{
	"title", "id", "name", "related", "taxonomy", "status", "description", "license", "references", "author", "date",
	"modified", "logsource", "detection", "correlation", "filter", "fields", "falsepositives", "level", "tags", "scope",
	"generate",
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// topOf looks at the top of a document. Other keys are allowed there, so that one
// which is misspelt does nothing.
func topOf(members []member) top {
	var t top
	for _, m := range members {
		key := m.key.Value
		at := position{m.key.Line, m.key.Column}
		switch key {
		case "id":
			t.id = position{m.value.Line, m.value.Column}
		case "name":
			t.name = position{m.value.Line, m.value.Column}
		}
		if near := spelling.Near(key, topKeys, 1); near != "" {
			t.oddities = append(t.oddities, oddity{at, fmt.Sprintf("%q means nothing here; did you mean %q?", shorten(key), near)})
		}
		if value := m.value; key == "id" && value.Kind == yaml.ScalarNode && value.Value != "" && !uuid.MatchString(value.Value) {
			t.oddities = append(t.oddities, oddity{t.id, fmt.Sprintf(`id: %q is not a UUID, which other engines may refuse; write a random one, and "name: %s" for people`, shorten(value.Value), shorten(value.Value))})
		}
	}
	return t
}

// misspeltSource: a logsource that is not that of CloudTrail, and nearly is.
func (d *document) misspeltSource(n *yaml.Node, s LogSource) *oddity {
	product, service := s.Product, s.Service
	if near := spelling.Near(strings.ToLower(product), []string{"aws"}, 1); near != "" {
		product = near
	}
	if near := spelling.Near(strings.ToLower(service), []string{"cloudtrail"}, 2); near != "" {
		service = near
	}
	if (LogSource{s.Category, product, service}).foreign() != "" {
		return nil
	}
	what, word, meant := "service", s.Service, service
	if product != s.Product && !strings.EqualFold(product, s.Product) {
		what, word, meant = "product", s.Product, product
	}
	at := position{n.Line, n.Column}
	for _, m := range d.mapping(n, "logsource") {
		if m.key.Value == what {
			at = position{m.value.Line, m.value.Column}
		}
	}
	return &oddity{at, fmt.Sprintf("logsource: there are no records of %s %q, so that this is skipped; did you mean %q?", what, shorten(word), meant)}
}

func (w warner) oddKeys(odd []oddity) {
	for _, o := range odd {
		w.at(o.at, "%s", o.msg)
	}
}
