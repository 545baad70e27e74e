package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// fact is something that a record says about a call, as "type p2.xlarge". Name
// may be empty.
type fact struct {
	name   string
	values []string
}

// reader reads the facts of a call that it knows how to read.
type reader func(record gjson.Result) []fact

// readers by eventName. What is not here is read by its parameters.
var readers = map[string]reader{
	"RunInstances":                  readLaunch,
	"TerminateInstances":            readInstances,
	"StopInstances":                 readInstances,
	"StartInstances":                readInstances,
	"RebootInstances":               readInstances,
	"AuthorizeSecurityGroupIngress": readPermissions,
	"AuthorizeSecurityGroupEgress":  readPermissions,
	"RevokeSecurityGroupIngress":    readPermissions,
	"RevokeSecurityGroupEgress":     readPermissions,
	"ConsoleLogin":                  readLogin,
}

// facts are what is worth knowing about the call of a record: why it failed,
// if it did, and what it was about.
func facts(record gjson.Result) []fact {
	if read, ok := readers[record.Get("eventName").Str]; ok {
		return read(record)
	}
	return append(readError(record), readParameters(record.Get("requestParameters"))...)
}

// readError reads why a call failed. The messages of most services repeat the
// call, so that the code is enough where there is one.
func readError(record gjson.Result) []fact {
	reason := one(record, "errorCode")
	if len(reason) == 0 {
		reason = one(record, "errorMessage")
	}
	return known(fact{"failed with", reason})
}

func readLaunch(record gjson.Result) []fact {
	parameters := record.Get("requestParameters")
	launched := items(record.Get("responseElements.instancesSet"))
	asked := items(parameters.Get("instancesSet"))
	count := strconv.Itoa(len(launched))
	if len(launched) == 0 {
		// A refused launch has no response: how many were asked for.
		count = strings.Join(texts(asked, "maxCount"), ", ")
	}
	kind := one(parameters, "instanceType")
	if len(kind) == 0 {
		kind = texts(launched, "instanceType") // from a launch template
	}
	image := texts(asked, "imageId")
	if len(image) == 0 {
		image = texts(launched, "imageId")
	}
	return append(readError(record), known(
		fact{"count", nonEmpty(count)},
		fact{"type", distinct(kind)},
		fact{"image", distinct(image)},
		fact{"instances", texts(launched, "instanceId")},
	)...)
}

func readInstances(record gjson.Result) []fact {
	ids := texts(items(record.Get("requestParameters.instancesSet")), "instanceId")
	return append(readError(record), known(fact{"instances", ids})...)
}

// readPermissions reads who may reach what: the long form, a list of
// permissions, or the short one, the fields of a single permission.
func readPermissions(record gjson.Result) []fact {
	parameters := record.Get("requestParameters")
	group := one(parameters, "groupId")
	if len(group) == 0 {
		group = one(parameters, "groupName")
	}
	direction := " from"
	if strings.HasSuffix(record.Get("eventName").Str, "Egress") {
		direction = " to"
	}
	permissions := items(parameters.Get("ipPermissions"))
	if parameters.Get("ipProtocol").Exists() || parameters.Get("cidrIp").Exists() {
		permissions = append(permissions, parameters)
	}
	var traffic []fact
	for _, p := range permissions {
		traffic = append(traffic, fact{ports(p) + direction, peers(p)})
	}
	// What is open to the world comes first, since the rest may be left out.
	slices.SortStableFunc(traffic, func(a, b fact) int {
		return worldFirst(strings.Join(a.values, " "), strings.Join(b.values, " "))
	})
	return slices.Concat(readError(record), known(fact{"group", group}), known(traffic...))
}

// ports names the traffic of a permission: "tcp 22", "udp 0-1023", "all traffic".
func ports(permission gjson.Result) string {
	protocol, _ := scalar(permission.Get("ipProtocol"))
	from, some := scalar(permission.Get("fromPort"))
	to, _ := scalar(permission.Get("toPort"))
	switch {
	case protocol == "-1" || protocol == "":
		return "all traffic"
	case !some || from == "-1":
		return protocol
	case from == to:
		return protocol + " " + from
	}
	return protocol + " " + from + "-" + to
}

// peers are the networks, groups and lists that a permission is about.
func peers(permission gjson.Result) []string {
	return slices.SortedStableFunc(slices.Values(slices.Concat(
		one(permission, "cidrIp"),
		texts(items(permission.Get("ipRanges")), "cidrIp"),
		texts(items(permission.Get("ipv6Ranges")), "cidrIpv6"),
		texts(items(permission.Get("groups")), "groupId"),
		texts(items(permission.Get("prefixListIds")), "prefixListId"),
	)), worldFirst)
}

// worldFirst puts a network of every address before others.
func worldFirst(a, b string) int {
	rank := func(s string) int {
		if strings.Contains(s, "/0") {
			return 0
		}
		return 1
	}
	return cmp.Compare(rank(a), rank(b))
}

func readLogin(record gjson.Result) []fact {
	result := one(record.Get("responseElements"), "ConsoleLogin")
	mfa := one(record.Get("additionalEventData"), "MFAUsed")
	for i := range mfa {
		mfa[i] = strings.ToLower(mfa[i])
	}
	return known(fact{"", result}, fact{"", one(record, "errorMessage")}, fact{"MFA", mfa})
}

// Bounds of what is shown of the parameters of a call that has no reader.
const (
	maxParameters = 4
	maxDepth      = 6
)

// plumbing are parameters that say nothing about what a call did.
var plumbing = []string{"clientToken", "clientRequestToken", "idempotencyToken", "maxResults", "nextToken", "dryRun"}

// readParameters takes the first scalars of a request, and if it has none, the
// first ones within its lists and objects.
func readParameters(parameters gjson.Result) []fact {
	if out := leaves(parameters, 1); len(out) > 0 {
		return out
	}
	return leaves(parameters, maxDepth)
}

func leaves(parameters gjson.Result, depth int) []fact {
	var out []fact
	var walk func(name string, v gjson.Result, depth int)
	walk = func(name string, v gjson.Result, depth int) {
		v.ForEach(func(k, v gjson.Result) bool {
			name := name
			if k.Type == gjson.String {
				name = k.Str
			}
			if s, ok := scalar(v); ok && !slices.Contains(plumbing, name) {
				if i := slices.IndexFunc(out, func(f fact) bool { return f.name == name }); i >= 0 {
					out[i].values = append(out[i].values, s)
				} else if len(out) < maxParameters {
					out = append(out, fact{name, []string{s}})
				}
			} else if depth > 1 && (v.IsObject() || v.IsArray()) {
				walk(name, v, depth-1)
			}
			return true
		})
	}
	if parameters.IsObject() {
		walk("", parameters, depth)
	}
	return out
}

// maxValues bounds what is shown of a list.
const maxValues = 3

// spans shows a fact: its name and values, not broken between the name and the
// first one.
func (f fact) spans() []span {
	shown := f.values[:min(len(f.values), maxValues)]
	var out []span
	for i, v := range shown {
		text := quoted(v)
		if i == 0 && f.name != "" {
			text = Safe(f.name) + " " + text
		}
		out = append(out, span{text: text, near: i > 0})
	}
	if rest := len(f.values) - len(shown); rest > 0 {
		out = append(out, span{text: fmt.Sprintf("and %d more", rest), near: true})
	}
	return out
}

func (f fact) equal(o fact) bool { return f.name == o.name && slices.Equal(f.values, o.values) }

// one is the value of a field as a list: empty if there is none.
func one(v gjson.Result, field string) []string {
	s, ok := scalar(v.Get(field))
	if !ok {
		return nil
	}
	return []string{s}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func distinct(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// known are the facts that have a value.
func known(all ...fact) []fact {
	return slices.DeleteFunc(all, func(f fact) bool { return len(f.values) == 0 })
}
