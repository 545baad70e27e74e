package sigma

import (
	"fmt"
	"strings"
)

// Level is how urgent a rule's alert is. Levels are ordered: a higher one is
// more urgent. The zero value is not a level; Load never leaves it in a rule.
type Level uint8

// The levels of the Sigma specification, lowest first.
const (
	Informational Level = iota + 1
	Low
	Medium
	High
	Critical
)

var levelNames = [...]string{
	Informational: "informational",
	Low:           "low",
	Medium:        "medium",
	High:          "high",
	Critical:      "critical",
}

// Levels returns all levels, lowest first.
func Levels() []Level { return []Level{Informational, Low, Medium, High, Critical} }

// String returns the name of the level as rules spell it.
func (l Level) String() string {
	if l < Informational || l > Critical {
		return fmt.Sprintf("Level(%d)", uint8(l))
	}
	return levelNames[l]
}

// ParseLevel reads the name of a level, in any case; the error lists the names.
func ParseLevel(s string) (Level, error) {
	for _, l := range Levels() {
		if strings.EqualFold(levelNames[l], s) {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is not a level%s", s, suggest(s, levelNames[Informational:]))
}

// MarshalText writes the name of the level.
func (l Level) MarshalText() ([]byte, error) {
	if l < Informational || l > Critical {
		return nil, fmt.Errorf("%v has no name", l)
	}
	return []byte(levelNames[l]), nil
}

// UnmarshalText reads the name of a level.
func (l *Level) UnmarshalText(text []byte) error {
	parsed, err := ParseLevel(string(text))
	if err != nil {
		return err
	}
	*l = parsed
	return nil
}
