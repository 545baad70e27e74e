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
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxFileSize is the size in bytes above which a rule file is refused.
const MaxFileSize = 1 << 20

// Load reads the rules under root, a file or a directory tree of fsys: every
// *.yml and *.yaml, in lexical order, but for *.test.yml and *.test.yaml
// (tests beside rules) and for names that start with a dot. A symbolic link to
// a file is followed. A file may hold several documents.
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
		// A file that was asked for by name is read whatever it is called.
		if name != root && (hidden || !isRuleFile(name)) {
			return nil
		}
		info, err := fs.Stat(fsys, name) // follows a link
		if err == nil && info.IsDir() {
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
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if err == io.EOF {
			return errs
		}
		if err != nil {
			line, msg := splitYAMLError(err)
			return append(errs, &Error{File: file, Line: line, Msg: "not YAML: " + msg})
		}
		if len(root.Content) == 0 || root.Content[0].ShortTag() == "!!null" {
			continue // an empty document, such as one after a last "---"
		}
		d := document{file: file, budget: maxDocumentNodes}
		d.parse(c, root.Content[0])
		errs = append(errs, d.errs...)
	}
}

// splitYAMLError takes the line number out of an error of package yaml, which
// has it in its text only.
func splitYAMLError(err error) (line int, msg string) {
	msg = strings.TrimPrefix(err.Error(), "yaml: ")
	if after, ok := strings.CutPrefix(msg, "line "); ok {
		if number, rest, ok := strings.Cut(after, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				return n, rest
			}
		}
	}
	return 0, msg
}

// parse reads a document into c, or leaves the reasons against it in d.errs.
func (d *document) parse(c *Collection, root *yaml.Node) {
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
	if n, ok := top["title"]; ok {
		meta.Title = d.text(n, "title")
	}
	d.title = meta.Title
	switch {
	case top["correlation"] != nil:
		d.parseMeta(&meta, top, root)
		correlation := d.parseCorrelation(meta, top)
		if len(d.errs) == 0 {
			c.Correlations = append(c.Correlations, correlation)
		}
	case top["filter"] != nil:
		d.errorf(top["filter"], "filter documents are not supported by this version; put the exception into the rule, as in \"condition: selection and not exception\"")
	default:
		source := d.parseLogSource(top["logsource"], root)
		if reason := source.foreign(); reason != "" && len(d.errs) == 0 {
			// Whatever else is odd about it is not ours to judge.
			d.parseMeta(&meta, top, root)
			d.errs = nil
			c.Skipped = append(c.Skipped, Skipped{Meta: meta, Reason: reason})
			return
		}
		d.parseMeta(&meta, top, root)
		rule := d.parseRule(meta, source, top, root)
		if len(d.errs) == 0 {
			c.Rules = append(c.Rules, rule)
		}
	}
}

func (d *document) parseLogSource(n, root *yaml.Node) LogSource {
	var s LogSource
	if n == nil {
		d.errorf(root, `the rule has no "logsource"; write "logsource: {product: aws, service: cloudtrail}"`)
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
// without a service is for every log of AWS.
func (s LogSource) foreign() string {
	switch {
	case s.Product != "" && !strings.EqualFold(s.Product, "aws"):
		return fmt.Sprintf("its logsource has product %q, not aws", s.Product)
	case s.Service != "" && !strings.EqualFold(s.Service, "cloudtrail"):
		return fmt.Sprintf("its logsource has service %q, not cloudtrail", s.Service)
	case s.Category != "":
		return fmt.Sprintf("its logsource has category %q, and CloudTrail has none", s.Category)
	}
	return ""
}
