package sigma

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trailbell/trailbell/sigma/internal/directive"
)

// MaxFileSize is the size in bytes above which a rule file is refused.
const MaxFileSize = 1 << 20

// Load reads the rules under root, a file or a directory tree of fsys: every
// *.yml and *.yaml, in lexical order, but for *.test.yml and *.test.yaml
// (tests beside rules) and for names that start with a dot. A symbolic link to
// a file is followed; one to a directory is an error, and so is a directory
// without any rule file. A file may hold several documents; one that has
// "cases" and is no rule, a test beside rules, is passed over.
//
// What is wrong is returned beside what could be read: a broken rule does not
// keep the others out. Each error is an [*Error].
func Load(fsys fs.FS, root string) (*Collection, []error) {
	return load(fsys, root, func(name string) string { return name })
}

// LoadPath is Load for a file or a directory of the operating system. Errors
// name files as the path does.
func LoadPath(name string) (*Collection, []error) {
	info, err := os.Stat(name)
	if err != nil {
		return &Collection{}, []error{readError(name, err)}
	}
	if info.IsDir() {
		return load(os.DirFS(name), ".", func(inside string) string { return filepath.Join(name, filepath.FromSlash(inside)) })
	}
	return load(os.DirFS(filepath.Dir(name)), filepath.Base(name), func(string) string { return name })
}

// Parse reads the rules of one file. The name is for errors.
func Parse(file string, data []byte) (*Collection, []error) {
	c := &Collection{}
	return c, parse(c, file, data)
}

func load(fsys fs.FS, root string, display func(string) string) (*Collection, []error) {
	c := &Collection{}
	var errs []error
	files := 0
	err := fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			errs = append(errs, readError(display(name), err))
			return nil
		}
		hidden := name != root && strings.HasPrefix(entry.Name(), ".")
		if entry.IsDir() {
			if hidden {
				return fs.SkipDir
			}
			return nil
		}
		if hidden {
			return nil
		}
		info, err := fs.Stat(fsys, name) // follows a link
		if err == nil && info.IsDir() {
			errs = append(errs, &Error{File: display(name), Msg: "a link to a directory, which is not followed; name the directory itself beside the other paths, or replace the link"})
			return nil
		}
		// A file that was asked for by name is read whatever it is called.
		if name != root && !isRuleFile(name) {
			return nil
		}
		files++
		if err == nil && !info.Mode().IsRegular() {
			errs = append(errs, &Error{File: display(name), Msg: "not a regular file; write the rules into one"})
			return nil
		}
		var data []byte
		if err == nil {
			data, err = readFile(fsys, name)
		}
		if err != nil {
			errs = append(errs, readError(display(name), err))
			return nil
		}
		errs = append(errs, parse(c, display(name), data)...)
		return nil
	})
	if err != nil {
		errs = append(errs, readError(display(root), err))
	}
	if files == 0 && len(errs) == 0 {
		errs = append(errs, &Error{File: display(root), Msg: "no *.yml or *.yaml in or below this directory"})
	}
	return c, errs
}

func isRuleFile(name string) bool {
	base := path.Base(name)
	ext := path.Ext(base)
	return (ext == ".yml" || ext == ".yaml") && !strings.HasSuffix(strings.TrimSuffix(base, ext), ".test")
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFileSize {
		return nil, fmt.Errorf("the file is larger than %d bytes; split it", MaxFileSize)
	}
	return data, nil
}

func readError(file string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err // the name is in File already
	}
	return &Error{File: file, Msg: fmt.Sprintf("cannot be read: %v", err)}
}

// parse appends the documents of a file to c.
func parse(c *Collection, file string, data []byte) []error {
	var errs []error
	data = directive.Lower(data)
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if err == io.EOF {
			return errs
		}
		if err != nil {
			return append(errs, SyntaxError(file, data, err))
		}
		if len(root.Content) == 0 || root.Content[0].ShortTag() == "!!null" {
			continue // an empty document, such as one after a last "---"
		}
		d := document{file: file, budget: maxDocumentNodes, room: maxRuleText}
		if d.refuseAction(root.Content[0]) {
			return append(errs, d.errs...) // what follows is not whole by itself
		}
		d.parse(c, root.Content[0])
		errs = append(errs, d.errs...)
	}
}

// parse reads a document into c, or leaves the reasons against it in d.errs.
func (d *document) parse(c *Collection, root *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		d.errorf(root, `a rule is a map that begins with "title: …", not %s; several rules of a file are separated by lines of "---"`, describe(root))
		return
	}
	members := d.mapping(root, "a rule")
	if len(members) == 0 {
		if len(d.errs) == 0 {
			d.errorf(root, "the rule is empty")
		}
		return
	}
	top := make(map[string]*yaml.Node, len(members))
	for _, m := range members {
		top[m.key.Value] = m.value
	}
	if top["cases"] != nil && top["detection"] == nil && top["correlation"] == nil && top["filter"] == nil {
		return // tests beside the rules, for package ruletest
	}
	meta := Meta{File: d.file, Line: root.Line}
	d.parseMeta(&meta, top, root)
	places := topOf(members)
	metaErrs := len(d.errs)
	var source LogSource
	if top["correlation"] == nil {
		noun := "rule"
		if top["filter"] != nil {
			noun = "filter"
		}
		source = d.parseLogSource(top["logsource"], root, noun)
	}
	switch reason := source.foreign(); {
	case reason != "" && len(d.errs) == metaErrs:
		// Whatever else is odd about it is not ours to judge.
		d.errs = nil
		c.Skipped = append(c.Skipped, Skipped{Meta: meta, Reason: reason, misspelt: d.misspeltSource(top["logsource"], source)})
		return
	case top["correlation"] != nil:
		if correlation := d.parseCorrelation(meta, top); !d.spent(root) && len(d.errs) == 0 {
			correlation.top = d.place(places)
			c.Correlations = append(c.Correlations, correlation)
		}
	case top["filter"] != nil:
		if filter := d.parseFilter(meta, source, top); !d.spent(root) && len(d.errs) == 0 {
			filter.top = d.place(places)
			c.Filters = append(c.Filters, filter)
		}
	default:
		if rule := d.parseRule(meta, source, top, root); !d.spent(root) && len(d.errs) == 0 {
			rule.top = d.place(places)
			c.Rules = append(c.Rules, rule)
		}
	}
	if len(d.errs) > 0 {
		c.Broken = append(c.Broken, meta)
	}
}

// refuseAction reports whether a document is a part of a collection as Sigma 1
// had them, where one document was put into all that follow.
func (d *document) refuseAction(root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Value == "action" && slices.Contains([]string{"global", "repeat", "reset"}, value.Value) {
			d.errorf(key, `"action: %s" is of Sigma 1, and this file is read no further; write title, logsource and detection into each rule, and an "id" of its own`, value.Value)
			return true
		}
	}
	return false
}

func (d *document) parseLogSource(n, root *yaml.Node, noun string) LogSource {
	var s LogSource
	if n == nil {
		d.errorf(root, `the %s has no "logsource"; write "logsource: {product: aws, service: cloudtrail}"`, noun)
		return s
	}
	for _, m := range d.mapping(n, "logsource") {
		switch m.key.Value {
		case "category":
			s.Category = d.text(m.value, "logsource.category")
		case "product":
			s.Product = d.text(m.value, "logsource.product")
		case "service":
			s.Service = d.text(m.value, "logsource.service")
		}
	}
	if s == (LogSource{}) && len(d.errs) == 0 {
		d.errorf(n, `"logsource" says nothing; write "logsource: {product: aws, service: cloudtrail}"`)
	}
	return s
}

// foreign says why records of CloudTrail are not what the rule is about; empty
// when they are. What the rule leaves open admits them: a rule for product aws
// without a service is for every log of AWS. A category tells logs apart where
// product and service do not.
func (s LogSource) foreign() string {
	switch {
	case s.Product != "" && !strings.EqualFold(s.Product, "aws"):
		return fmt.Sprintf("its logsource has product %q, not aws", s.Product)
	case s.Service != "" && !strings.EqualFold(s.Service, "cloudtrail"):
		return fmt.Sprintf("its logsource has service %q, not cloudtrail", s.Service)
	case s.Category != "" && (s.Product == "" || s.Service == ""):
		return fmt.Sprintf("its logsource has category %q, and CloudTrail has none", s.Category)
	}
	return ""
}
