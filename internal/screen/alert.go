package screen

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/trailbell/trailbell/internal/alert"
)

const (
	// margin is how far the text of an alert is from the left; levels and
	// labels stand in it.
	margin = 10
	// Bounds of an answer in lines. Who and when say little in many lines on a
	// narrow terminal only, and what they say must not be left out.
	fewLines  = 2
	someLines = 3
	manyLines = 5
	// maxNamed bounds how many actors and how many addresses are named.
	maxNamed = 5
	// maxAgent bounds a user agent in characters: the program comes first, and
	// beside a key it fits into a line of 80 columns.
	maxAgent = 40
)

// Alert lays out one revision of an alert: a few lines and an empty one, none
// wider than the look allows. What cannot be laid out in a few lines is cut: the
// whole of it is in the alert's JSON. Of a superseded or withdrawn alert the
// call, and what only helps to act on it, is left out.
func (l Look) Alert(a *alert.Alert) string {
	e := evidence{a}
	b := block{look: l}
	b.answer(l.Level(a.Rule.Level), columns(levelText(a.Rule.Level)), e.title(), fewLines)
	if fate := e.fate(); fate != nil {
		b.labelled("state", fate, fewLines)
	} else {
		b.labelled("what", e.what(), someLines)
		b.labelled("group", e.group(), fewLines)
	}
	b.labelled("who", e.who(), manyLines)
	if e.fate() == nil {
		b.labelled("actors", e.actors(), fewLines)
		b.labelled("from", e.addresses(), fewLines)
		b.labelled("with", e.with(), fewLines)
	}
	b.labelled("when", e.when(), manyLines)
	b.WriteByte('\n')
	return b.String()
}

// block is an alert in the making.
type block struct {
	strings.Builder
	look Look
}

// answer writes spans in at most the given lines, with a head, which is as wide
// as told, in the margin.
func (b *block) answer(head string, wide int, spans []span, lines int) {
	for i, line := range b.look.flow(spans, b.look.width()-margin, lines) {
		if i == 0 {
			b.WriteString(head)
		} else {
			wide = 0
		}
		b.WriteString(strings.Repeat(" ", margin-wide))
		b.WriteString(line)
		b.WriteByte('\n')
	}
}

func (b *block) labelled(label string, spans []span, lines int) {
	b.answer("  "+b.look.Dim(label), len("  ")+len(label), spans, lines)
}

// evidence is an alert as something to ask.
type evidence struct{ *alert.Alert }

func (e evidence) title() []span {
	title := Safe(e.Rule.Title)
	if strings.TrimSpace(title) == "" {
		title = quoted(e.Rule.ID) // a title is the only thing that a line must have
	}
	return words(title, bold)
}

// what names the call and, of what the records say about it, that in which all
// of them agree.
func (e evidence) what() []span {
	var out []span
	names := e.distinct(func(r []byte) string { return gjson.GetBytes(r, "eventName").Str })
	switch {
	case len(names) == 1 && e.Count > 1:
		out = append(out, span{text: strconv.Itoa(e.Count) + " × " + quoted(names[0])})
	case len(names) == 1:
		out = append(out, span{text: quoted(names[0])})
	case e.Count > 1:
		out = append(out, span{text: strconv.Itoa(e.Count) + " events"})
		for i, n := range names[:min(len(names), maxValues)] {
			out = append(out, span{text: quoted(n), near: i > 0})
		}
		if more := len(names) - maxValues; more > 0 {
			out = append(out, span{text: fmt.Sprintf("and %d more", more), near: true})
		}
	}
	if len(names) != 1 {
		return out
	}
	for _, f := range e.agreed() {
		out = append(out, f.spans()...)
	}
	return out
}

// agreed are the facts that all records carry.
func (e evidence) agreed() []fact {
	if len(e.Records) == 0 {
		return nil
	}
	all := facts(gjson.ParseBytes(e.Records[0]))
	for _, r := range e.Records[1:] {
		other := facts(gjson.ParseBytes(r))
		all = slices.DeleteFunc(all, func(f fact) bool { return !slices.ContainsFunc(other, f.equal) })
	}
	return all
}

// group are the values of the group that are not shown as who, from or in.
func (e evidence) group() []span {
	shown := []string{e.Actor, e.SourceIP, e.Account, e.Region}
	var out []span
	for _, field := range slices.Sorted(maps.Keys(e.Group)) {
		if v := e.Group[field]; !slices.Contains(shown, v) {
			out = append(out, span{text: quoted(field) + " " + quoted(v)})
		}
	}
	return out
}

// fate says what has become of an alert that does not stand any more; it is
// empty for one that does.
func (e evidence) fate() []span {
	switch e.State {
	case alert.Superseded:
		return append(words("superseded by", ""), span{text: quoted(e.SupersededBy), near: true},
			span{text: "which reports the same", style: dim})
	case alert.Withdrawn:
		return []span{{text: "withdrawn"}, {text: "late records show that the condition did not hold", style: dim}}
	}
	return nil
}

// who answers who acted, from where and in which account and region. What
// differs between the records of a correlation is counted instead of naming
// that of one record.
func (e evidence) who() []span {
	var out []span
	if n := e.several(alert.ActorOf); n != "" {
		out = append(out, span{text: n + " actors"})
	} else if e.Actor != "" {
		out = actorSpans(e.Actor, e.Account)
	}
	if n := e.several(alert.SourceIPOf); n != "" {
		out = append(out, span{text: "from " + n + " addresses"})
	} else if e.SourceIP != "" {
		from := "from " + quoted(e.SourceIP)
		if e.SourceCountry != "" {
			from += " (" + quoted(e.SourceCountry) + ")"
		}
		out = append(out, span{text: from})
	}
	var place []string
	if n := e.several(alert.AccountOf); n != "" {
		place = append(place, n+" accounts")
	} else if e.Account != "" {
		place = append(place, quoted(e.Account))
	}
	if n := e.several(alert.RegionOf); n != "" {
		place = append(place, n+" regions")
	} else if e.Region != "" {
		place = append(place, quoted(e.Region))
	}
	if len(place) > 0 {
		out = append(out, span{text: "in " + strings.Join(place, " ")})
	}
	return out
}

// several counts the values that the records of an alert have: "3", "3 or more"
// if the alert does not carry all of them, and "" if it is at most one.
func (e evidence) several(of func(record []byte) string) string {
	n := len(e.distinct(of))
	switch {
	case n < 2:
		return ""
	case e.Count > len(e.Records):
		return strconv.Itoa(n) + " or more"
	}
	return strconv.Itoa(n)
}

// actors names those that who counts.
func (e evidence) actors() []span {
	return e.named(alert.ActorOf, func(actor string) []span { return actorSpans(actor, e.Account) })
}

// addresses names those that who counts.
func (e evidence) addresses() []span {
	return e.named(alert.SourceIPOf, func(address string) []span { return []span{{text: quoted(address)}} })
}

// named shows the first values that the records have, if they have several.
func (e evidence) named(of func(record []byte) string, show func(string) []span) []span {
	all := e.distinct(of)
	if len(all) < 2 {
		return nil
	}
	var out []span
	for _, v := range all[:min(len(all), maxNamed)] {
		out = append(out, show(v)...)
	}
	if more := len(all) - maxNamed; more > 0 {
		out = append(out, span{text: fmt.Sprintf("and %d more", more), near: true})
	}
	return out
}

// with is what the calls were made with: the access keys, which are the first
// thing to disable, and the program. A sign-in has no key, and its browser says
// nothing.
func (e evidence) with() []span {
	keys := e.distinct(func(r []byte) string { return gjson.GetBytes(r, "userIdentity.accessKeyId").Str })
	if len(keys) == 0 {
		return nil
	}
	out := fact{"key", keys}.spans()
	agents := e.distinct(func(r []byte) string { return gjson.GetBytes(r, "userAgent").Str })
	if len(agents) > 1 {
		return append(out, span{text: strconv.Itoa(len(agents)) + " programs"})
	}
	for _, agent := range agents {
		out = append(out, span{text: quoted(short(agent, maxAgent))})
	}
	return out
}

// short is the beginning of a text.
func short(text string, most int) string {
	if letters := []rune(text); len(letters) > most {
		return string(letters[:most-1]) + ellipsis
	}
	return text
}

// distinct are the values of the records in order of their first appearance,
// without the empty one.
func (e evidence) distinct(of func(record []byte) string) []string {
	var out []string
	for _, r := range e.Records {
		if v := of(r); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// when answers when it happened, how long it took, and whether this is news of
// something already told.
func (e evidence) when() []span {
	first, last := e.FirstSeen.UTC().Truncate(time.Second), e.LastSeen.UTC().Truncate(time.Second)
	var out []span
	if last.After(first) {
		end := last.Format(time.TimeOnly)
		if first.Format(time.DateOnly) != last.Format(time.DateOnly) {
			end = last.Format(time.DateTime)
		}
		out = append(out,
			span{text: first.Format(time.DateTime)},
			span{text: "to " + end + " UTC", near: true},
			span{text: took(last.Sub(first))})
	} else {
		out = append(out, span{text: first.Format(time.DateTime) + " UTC"})
	}
	switch {
	case e.Revision < 2 || !e.State.Living():
	case e.State == alert.Ended:
		out = append(out, span{text: "ended", style: dim})
	default:
		out = append(out, span{text: "updated", style: dim})
	}
	return out
}

// took writes a duration as 42s, 5m59s, 6m, 1h30m or 3d4h.
func took(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day {
		text := fmt.Sprintf("%dd", d/day)
		if h := d % day / time.Hour; h > 0 {
			text += fmt.Sprintf("%dh", h)
		}
		return text
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
