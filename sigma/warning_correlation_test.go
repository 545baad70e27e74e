package sigma

import "testing"

func TestWarningsAboutCorrelations(t *testing.T) {
	counting := func(body string) string {
		return small("a", "") + small("b", "") + correlate("c", "timespan: 5m, generate: true, "+body, "")
	}
	grouped := func(body string) string { return counting("group-by: recipientAccountId, " + body) }
	testWarnings(t, []warningCase{
		{"a correlation that mutes a rule", small("a", "") + over("c", "a", ""), Options{},
			[]string{`r.yml:7: rule "Correlate c": rule "a" does not alert any more, since this correlation counts it; write "generate: true" for both, or "generate: false" if that is meant`}},
		{"a correlation that mutes two", small("a", "") + small("b", "") + over("c", "a, b, a", ""), Options{},
			[]string{`r.yml:12: rule "Correlate c": rules "a", "b" do not alert any more, since this correlation counts them; write "generate: true" for both, or "generate: false" if that is meant`}},
		{"a correlation that mutes a correlation", small("a", "") + over("c", "a", "generate: true\n") + over("d", "c", ""), Options{},
			[]string{`r.yml:12: rule "Correlate d": rule "c" does not alert any more, since this correlation counts it; write "generate: true" for both, or "generate: false" if that is meant`}},
		{"with generate nothing is muted", small("a", "") + over("c", "a", "generate: true\n"), Options{}, nil},
		{"without generate in so many words it is meant", small("a", "") + over("c", "a", "generate: false\n"), Options{}, nil},
		{"another one generates", small("a", "") + over("c", "a", "") + over("d", "a", "generate: true\n"), Options{}, nil},
		{"a rule that is disabled anyway", small("a", "") + over("c", "a", ""), Options{Disable: []string{"a"}}, nil},

		{"an alias of another name", counting("type: event_count, rules: [a], group-by: ipp, condition: {gte: 2}, aliases: {ip: {a: sourceIPAddress}}"), Options{},
			[]string{`r.yml:14:122: rule "Correlate c": correlation.aliases: alias "ip" is not used; name it in "group-by"; did you mean "ipp"?`}},

		{"a group-by in another case", counting("type: event_count, rules: [a], group-by: [awsRegion, useridentity.arn], condition: {gte: 2}"), Options{},
			[]string{`r.yml:14:98: rule "Correlate c": correlation.group-by: no record has a field "useridentity.arn", since fields are compared with case; write "userIdentity.arn"`}},
		{"a counted field in another case", grouped("type: value_count, rules: [a], condition: {field: EventName, gte: 2}"), Options{},
			[]string{`r.yml:14:125: rule "Correlate c": correlation.condition.field: no record has a field "EventName", since fields are compared with case; write "eventName"`}},
		{"a field of an alias in another case", counting("type: temporal, rules: [a, b], group-by: ip, aliases: {ip: {a: sourceIPAddress, b: sourceIpAddress}}"), Options{},
			[]string{`r.yml:14:128: rule "Correlate c": correlation.aliases: no record has a field "sourceIpAddress", since fields are compared with case; write "sourceIPAddress"`}},
		{"an alias whose name is like a field", counting("type: temporal, rules: [a, b], group-by: AWSRegion, aliases: {AWSRegion: {a: awsRegion, b: awsRegion}}"), Options{}, nil},

		{"a field that is not counted", grouped("type: event_count, rules: [a], condition: {field: x, gte: 2}"), Options{},
			[]string{`r.yml:14:118: rule "Correlate c": correlation.condition: "field" does nothing, since event_count counts events; remove it, or write "type: value_count" to count values`}},
		{"a field beside rules", grouped("type: temporal, rules: [a, b], condition: {field: x, gte: 2}"), Options{},
			[]string{`r.yml:14:118: rule "Correlate c": correlation.condition: "field" does nothing, since temporal counts rules; remove it, or write "type: value_count" to count values`}},

		{"no group-by", counting("type: event_count, rules: [a], condition: {gte: 2}"), Options{},
			[]string{`r.yml:14:14: rule "Correlate c": correlation: there is no "group-by", so matches in all accounts and by all users are counted together; write one such as [recipientAccountId, userIdentity.arn], or "group-by: []" if that is meant`}},
		{"no group-by in so many words", counting("type: event_count, rules: [a], group-by: [], condition: {gte: 2}"), Options{}, nil},
		{"by user name", counting("type: event_count, rules: [a], group-by: userIdentity.userName, condition: {gte: 2}"), Options{},
			[]string{`r.yml:14:86: rule "Correlate c": correlation.group-by: "userIdentity.userName" is absent for roles, and what lacks it does not count; write userIdentity.arn`}},
		{"by user name and account", counting("type: event_count, rules: [a], group-by: [userIdentity.userName, recipientAccountId], condition: {gte: 2}"), Options{}, nil},

		{"a condition that begins by holding", grouped("type: event_count, rules: [a], condition: {lt: 3}"), Options{},
			[]string{`r.yml:14:117: rule "Correlate c": correlation.condition: "lt: 3" holds at the first event already and never fires on silence; write gt or gte to wait for more`}},
		{"a range", grouped("type: event_count, rules: [a], condition: {gt: 1, lt: 3}"), Options{}, nil},
		{"a sum may be small", grouped("type: value_sum, rules: [a], condition: {field: x, lt: 3}"), Options{}, nil},
		{"a sum of at least one", grouped("type: value_sum, rules: [a], condition: {field: x, gte: 1}"), Options{}, nil},

		{"at least one", grouped("type: event_count, rules: [a], condition: {gte: 1}"), Options{},
			[]string{`r.yml:14:117: rule "Correlate c": correlation.condition: "gte: 1" holds at every match; write a higher number`}},
		{"more than none, and not none", grouped("type: value_count, rules: [a], condition: {field: x, gt: 0, neq: 0}"), Options{},
			[]string{`r.yml:14:117: rule "Correlate c": correlation.condition: "gt: 0, neq: 0" holds at every match; write a higher number`}},
		{"one and no more", grouped("type: event_count, rules: [a], condition: {eq: 1}"), Options{}, nil},
		{"any but one", grouped("type: event_count, rules: [a], condition: {gte: 1, neq: 2}"), Options{}, nil},
		{"all rules, and there is one", grouped("type: temporal, rules: [a]"), Options{},
			[]string{`r.yml:14:14: rule "Correlate c": correlation.rules: there is one rule, so the correlation holds at every match of it; name a second one`}},
		{"all rules, and there are two", grouped("type: temporal, rules: [a, b]"), Options{}, nil},
		{"one rule in two steps", grouped("type: temporal_ordered, rules: [a, a]"), Options{}, nil},
		{"any of its rules", grouped("type: temporal, condition: a or b"), Options{},
			[]string{`r.yml:14:102: rule "Correlate c": correlation.condition: "a or b" holds at every match of its rules; join them with "and"`}},
		{"one of its rules and not the other", grouped("type: temporal, condition: a and not b"), Options{}, nil},
		{"one of its rules, or none of the other", grouped("type: temporal, condition: a or not b"), Options{}, nil},
	})
}
