package sigma

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Expr is the syntax tree of a condition: And, Or, Not, Ref or Of. Its String
// is a condition that parses to the same tree.
type Expr interface {
	fmt.Stringer
	isExpr()
}

// And holds when all of its operands hold; it has at least two.
type And []Expr

// Or holds when any of its operands holds; it has at least two.
type Or []Expr

// Not holds when its operand does not.
type Not struct{ X Expr }

// Ref holds when the detection of that name holds.
type Ref struct{ Name string }

// Of is "1 of", "any of" or "all of" a number of detections.
type Of struct {
	All bool
	// Pattern as written: "them" or a name with '*'.
	Pattern string
	// Names are the detections that the pattern stands for, in the order of
	// the rule; never empty. One that starts with '_' is among them only when
	// the pattern starts with '_' too.
	Names []string
}

func (And) isExpr() {}
func (Or) isExpr()  {}
func (Not) isExpr() {}
func (Ref) isExpr() {}
func (Of) isExpr()  {}

func (e And) String() string { return joinExprs(e, " and ") }
func (e Or) String() string  { return joinExprs(e, " or ") }
func (e Not) String() string { return "not " + operand(e.X) }
func (e Ref) String() string { return e.Name }

func (e Of) String() string {
	if e.All {
		return "all of " + e.Pattern
	}
	return "1 of " + e.Pattern
}

func joinExprs(operands []Expr, separator string) string {
	parts := make([]string, len(operands))
	for i, x := range operands {
		parts[i] = operand(x)
	}
	return strings.Join(parts, separator)
}

func operand(x Expr) string {
	switch x.(type) {
	case And, Or:
		return "(" + x.String() + ")"
	}
	return x.String()
}

// maxConditionDepth bounds the recursion over parentheses and "not".
const maxConditionDepth = 100

// conditionError is a syntax error at a byte offset of a condition.
type conditionError struct {
	offset int
	msg    string
}

func (e *conditionError) Error() string { return e.msg }

// parseCondition parses a condition over detections of the given names. The
// grammar, least binding first:
//
//	or   = and { "or" and }
//	and  = not { "and" not }
//	not  = "not" not | "(" or ")" | ("1" | "any" | "all") "of" pattern | name
//
// Keywords are read in any case.
func parseCondition(text string, names []string) (Expr, error) {
	p := conditionParser{tokens: lexCondition(text), names: names, known: map[string]bool{}, noun: "detection"}
	for _, name := range names {
		p.known[name] = true
	}
	if p.peek().text == "" {
		return nil, &conditionError{0, `the condition is empty; write the name of a detection, as in "condition: selection"`}
	}
	return p.parse()
}

// parseRuleCondition parses the condition of a temporal correlation, over the
// ids or names of rules, and returns them in the order of their first
// appearance. There is no "1 of" in it.
func parseRuleCondition(text string) (Expr, []string, error) {
	p := conditionParser{tokens: lexCondition(text), known: map[string]bool{}, noun: "rule"}
	if p.peek().text == "" {
		return nil, nil, &conditionError{0, `the condition is empty; write names of rules, as in "condition: failure and success"`}
	}
	x, err := p.parse()
	return x, p.names, err
}

func (p *conditionParser) parse() (Expr, error) {
	x, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.text != "" {
		switch t.text {
		case ")":
			return nil, &conditionError{t.offset, `")" without "("`}
		case "|":
			return nil, &conditionError{t.offset, p.noPipe()}
		}
		return nil, &conditionError{t.offset, fmt.Sprintf(`unexpected %q; write "and" or "or" between two %ss`, t.text, p.noun)}
	}
	return x, nil
}

type conditionToken struct {
	text   string // empty at the end
	offset int
}

// lexCondition splits at white space and at parentheses.
func lexCondition(text string) []conditionToken {
	var tokens []conditionToken
	start := -1
	flush := func(end int) {
		if start >= 0 {
			tokens = append(tokens, conditionToken{text[start:end], start})
			start = -1
		}
	}
	for i, r := range text {
		switch r {
		case ' ', '\t', '\n', '\r':
			flush(i)
		case '(', ')', '|':
			flush(i)
			tokens = append(tokens, conditionToken{string(r), i})
		default:
			if start < 0 {
				start = i
			}
		}
	}
	flush(len(text))
	return append(tokens, conditionToken{"", len(text)})
}

type conditionParser struct {
	tokens []conditionToken
	pos    int
	// names may be referred to; collected while parsing when noun is "rule".
	names []string
	known map[string]bool // the names
	ofs   map[string]Of   // by pattern, without All
	noun  string          // "detection" or "rule"
}

func (p *conditionParser) overRules() bool { return p.noun == "rule" }

func (p *conditionParser) noPipe() string {
	if p.overRules() {
		return `"|" is not part of a condition; write "and" or "or"`
	}
	return `"|" is not part of Sigma 2 conditions; write a correlation document to count events`
}

func (p *conditionParser) peek() conditionToken { return p.tokens[p.pos] }

func (p *conditionParser) next() conditionToken {
	t := p.tokens[p.pos]
	if t.text != "" {
		p.pos++
	}
	return t
}

func (p *conditionParser) accept(keyword string) bool {
	if strings.EqualFold(p.peek().text, keyword) {
		p.pos++
		return true
	}
	return false
}

func (p *conditionParser) or(depth int) (Expr, error) {
	return p.chain("or", func() (Expr, error) { return p.and(depth) }, func(xs []Expr) Expr { return Or(xs) })
}

func (p *conditionParser) and(depth int) (Expr, error) {
	return p.chain("and", func() (Expr, error) { return p.not(depth) }, func(xs []Expr) Expr { return And(xs) })
}

func (p *conditionParser) chain(keyword string, operand func() (Expr, error), join func([]Expr) Expr) (Expr, error) {
	x, err := operand()
	if err != nil {
		return nil, err
	}
	operands := []Expr{x}
	for p.accept(keyword) {
		x, err := operand()
		if err != nil {
			return nil, err
		}
		operands = append(operands, x)
	}
	if len(operands) == 1 {
		return x, nil
	}
	return join(operands), nil
}

func (p *conditionParser) not(depth int) (Expr, error) {
	t := p.next()
	if depth > maxConditionDepth {
		return nil, &conditionError{t.offset, fmt.Sprintf("the condition is nested more than %d deep", maxConditionDepth)}
	}
	switch strings.ToLower(t.text) {
	case "":
		return nil, &conditionError{t.offset, fmt.Sprintf("the condition ends where a %s is expected", p.noun)}
	case "and", "or", "of", ")":
		return nil, &conditionError{t.offset, fmt.Sprintf("%q where a %s is expected", t.text, p.noun)}
	case "|":
		return nil, &conditionError{t.offset, p.noPipe()}
	case "not":
		x, err := p.not(depth + 1)
		if err != nil {
			return nil, err
		}
		return Not{x}, nil
	case "(":
		x, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if closing := p.next(); closing.text != ")" {
			if closing.text == "" {
				return nil, &conditionError{t.offset, `"(" is never closed`}
			}
			return nil, &conditionError{closing.offset, fmt.Sprintf(`unexpected %q; write "and", "or" or ")"`, closing.text)}
		}
		return x, nil
	}
	switch of := p.peek(); {
	case strings.EqualFold(of.text, "of") && p.overRules():
		return nil, &conditionError{t.offset, fmt.Sprintf(`"%s of" is for detections; write the names of the rules, as in "a and b"`, t.text)}
	case strings.EqualFold(of.text, "of"):
		p.next()
		return p.of(t)
	case p.overRules():
		if !p.known[t.text] {
			p.known[t.text] = true
			p.names = append(p.names, t.text)
		}
		return Ref{t.text}, nil
	}
	if !p.known[t.text] {
		return nil, &conditionError{t.offset, fmt.Sprintf("no detection is called %q%s", shorten(t.text), suggest(t.text, p.names))}
	}
	return Ref{t.text}, nil
}

func (p *conditionParser) of(quantifier conditionToken) (Expr, error) {
	x := Of{}
	switch strings.ToLower(quantifier.text) {
	case "1", "any":
	case "all":
		x.All = true
	default:
		return nil, &conditionError{quantifier.offset, fmt.Sprintf(`"%s of" is not part of Sigma; write "1 of", "any of" or "all of"`, quantifier.text)}
	}
	t := p.next()
	if t.text == "" || t.text == "(" || t.text == ")" || t.text == "|" {
		return nil, &conditionError{t.offset, fmt.Sprintf(`"%s of" needs "them" or a name such as "selection*"`, quantifier.text)}
	}
	x.Pattern = t.text
	pattern := t.text
	if strings.EqualFold(t.text, "them") {
		x.Pattern, pattern = "them", "*"
	}
	if known, ok := p.ofs[x.Pattern]; ok {
		known.All = x.All
		return known, nil
	}
	if utf8.RuneCountInString(pattern) > maxName {
		return nil, &conditionError{t.offset, fmt.Sprintf("%q is longer than %d characters; shorten it", shorten(pattern), maxName)}
	}
	hidden := false
	matches := compileName(pattern)
	for _, name := range p.names {
		switch {
		case !matches.match(name):
		case strings.HasPrefix(name, "_") && !strings.HasPrefix(pattern, "_"):
			hidden = true // its author took it out, and can still put it in by its name
		default:
			x.Names = append(x.Names, name)
		}
	}
	switch {
	case len(x.Names) > 0:
		if p.ofs == nil {
			p.ofs = map[string]Of{}
		}
		p.ofs[x.Pattern] = x
		return x, nil
	case hidden:
		return nil, &conditionError{t.offset, fmt.Sprintf(`%q leaves out detections whose name starts with "_", and there is no other; write "_*" for them`, t.text)}
	}
	return nil, &conditionError{t.offset, fmt.Sprintf("%q stands for no detection%s", t.text, suggest(strings.Trim(t.text, "*"), p.names))}
}

// named counts the detections that the patterns of a condition stand for, each
// as often as it is there.
func named(x Expr) int {
	n := 0
	switch x := x.(type) {
	case And:
		for _, x := range x {
			n += named(x)
		}
	case Or:
		for _, x := range x {
			n += named(x)
		}
	case Not:
		n = named(x.X)
	case Of:
		n = len(x.Names)
	}
	return n
}

// compileName compiles a pattern of names in which only '*' is special.
func compileName(text string) pattern {
	tokens := []rune(text)
	for i, r := range tokens {
		if r == '*' {
			tokens[i] = anyText
		}
	}
	return compilePattern(tokens, OpEqual, true)
}
