package sigma

import (
	"fmt"
	"slices"
)

// expr compiles a condition over detections.
func (k *compiler) expr(x Expr, detections []Detection) (node, error) {
	c := conditionCompiler{compiler: k, detections: byName(detections), nodes: map[string]node{}, left: maxRuleText}
	return c.expr(x)
}

// conditionCompiler compiles one condition. A detection is compiled once,
// however often the condition names it.
type conditionCompiler struct {
	*compiler
	detections map[string]*Detection
	nodes      map[string]node // by name
	left       room
}

func (k *conditionCompiler) expr(x Expr) (node, error) {
	switch x := x.(type) {
	case And:
		return k.exprs(x, true)
	case Or:
		return k.exprs(x, false)
	case Not:
		n, err := k.expr(x.X)
		return notNode{n}, err
	case Ref:
		return k.detection(x.Name)
	case Of:
		nodes := make([]node, len(x.Names))
		for i, name := range x.Names {
			n, err := k.detection(name)
			if err != nil {
				return nil, err
			}
			nodes[i] = n
		}
		return join(nodes, x.All), nil
	}
	panic(fmt.Sprintf("sigma: %T in a condition", x))
}

func (k *conditionCompiler) exprs(xs []Expr, all bool) (node, error) {
	nodes := make([]node, 0, len(xs))
	known := map[string]bool{} // names, which say nothing a second time
	for _, x := range xs {
		if ref, ok := x.(Ref); ok {
			if known[ref.Name] {
				continue
			}
			known[ref.Name] = true
		}
		n, err := k.expr(x)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return join(nodes, all), nil
}

func join(nodes []node, all bool) node {
	switch {
	case len(nodes) == 1:
		return nodes[0]
	case all:
		return andNode(nodes)
	}
	return orNode(nodes)
}

func (k *conditionCompiler) detection(name string) (node, error) {
	if n, ok := k.nodes[name]; ok {
		return n, nil
	}
	s := k.detections[name]
	alternatives := make([]node, len(s.Alternatives))
	for i, items := range s.Alternatives {
		nodes := make([]node, len(items))
		for j := range items {
			n, err := k.item(&items[j])
			if err != nil {
				return nil, err
			}
			nodes[j] = n
		}
		alternatives[i] = join(nodes, true)
	}
	n := join(alternatives, false)
	k.nodes[name] = n
	return n, nil
}

func (k *conditionCompiler) item(item *Item) (node, error) {
	if item.FieldRef {
		n := &fieldRefNode{slot: k.slot(item.Field), op: item.Op, cased: item.Cased, negated: item.Negated, all: item.All != item.Negated}
		for i := range item.Values {
			n.others = append(n.others, k.slot(item.Values[i].Text))
		}
		return n, nil
	}
	var tests []test
	for i := range item.Values {
		v := &item.Values[i]
		compiled, err := item.compile(v, k.opts.Placeholders, &k.left)
		if err == nil && len(tests)+len(compiled) > maxVariants {
			err = errVariants
		}
		switch {
		case err != nil:
			return nil, &valueError{position{v.Line, v.Column}, item.Field, err}
		case item.All && len(compiled) > 1:
			tests = append(tests, test{kind: testAny, any: compiled})
		default:
			tests = append(tests, compiled...)
		}
	}
	if item.Field == "" {
		return &keywordNode{tests: tests, all: item.All}, nil
	}
	return &fieldNode{slot: k.slot(item.Field), tests: tests, all: item.All, negated: item.Negated}, nil
}

// valueError is what is wrong with a value that only Options can tell.
type valueError struct {
	at    position
	field string
	err   error
}

func (e *valueError) Error() string {
	if e.field == "" {
		return e.err.Error()
	}
	return fmt.Sprintf("field %q: %v", e.field, e.err)
}

// compile compiles one value of an item. It is several tests, of which any may
// hold, when the modifiers make several texts of the value.
func (item *Item) compile(v *Value, placeholders map[string][]string, left *room) ([]test, error) {
	switch {
	case item.FieldRef:
		return nil, nil
	case item.Op == OpExists && v.Text == "true":
		return []test{{kind: testExists}}, nil
	case item.Op == OpExists:
		return []test{{kind: testMissing}}, nil
	case v.Kind == Null:
		return []test{{kind: testNull}}, nil
	case item.Part != 0, item.Op.order():
		t := test{kind: testOrder, op: item.Op, part: item.Part, number: parseNumber(v.Text)}
		return []test{t}, nil
	case item.Op == OpRegexp:
		return item.compileRegexps(v, placeholders, left)
	}
	texts, err := item.variants(v, placeholders, left)
	if err != nil {
		return nil, err
	}
	tests := make([]test, len(texts))
	for i, tokens := range texts {
		if item.Op == OpCIDR {
			network, err := parseNetwork(tokens)
			if err != nil {
				return nil, err
			}
			tests[i] = test{kind: testNetwork, network: network}
			continue
		}
		tests[i] = test{kind: testPattern, pattern: compilePattern(tokens, item.Op, item.Cased)}
		if tests[i].pattern.kind == patternAny {
			tests[i].kind = testPresent
		}
	}
	return tests, nil
}

func (item *Item) compileRegexps(v *Value, placeholders map[string][]string, left *room) ([]test, error) {
	exprs := []string{v.Text}
	if slices.Contains(item.Transforms, Expand) {
		var err error
		if exprs, err = expandRegexp(v.Text, placeholders, left); err != nil {
			return nil, err
		}
	}
	tests := make([]test, len(exprs))
	for i, expr := range exprs {
		re, err := compileRegexp(expr, item.Flags, left)
		if err != nil {
			return nil, err
		}
		tests[i] = test{kind: testRegexp, re: re}
	}
	return tests, nil
}
