package sigma

import "testing"

func TestOddKeysAreWarnedOf(t *testing.T) {
	const detection = "detection: {sel: {a: b}, condition: sel}\n"
	rule := func(top string) string {
		return "---\ntitle: T\nlogsource: {product: aws}\n" + top + detection
	}
	source := func(s string) string { return small("a", "") + "---\ntitle: T\nlogsource: " + s + "\n" + detection }
	testWarnings(t, []warningCase{
		{"another case", rule("Level: high\n"), Options{}, []string{`r.yml:4:1: rule "T": "Level" means nothing here; did you mean "level"?`}},
		{"one letter more, beside the right one", rule("level: high\nlevels: low\n"), Options{}, []string{`r.yml:5:1: rule "T": "levels" means nothing here; did you mean "level"?`}},
		{"a key of one's own", rule("custom: high\nowner: me\n"), Options{}, nil},
		{"an id that is none", rule("id: rule-1\n"), Options{}, []string{`r.yml:4:5: rule "T": id: "rule-1" is not a UUID, which other engines may refuse; write a random one, and "name: rule-1" for people`}},
		{"an id that is one", rule("id: 3F6F3F9E-2f5c-4f0e-8a58-0d8f4a6f7b11\n"), Options{}, nil},
		{"a service that is nearly CloudTrail", source("{product: aws, service: cloud_trail}"), Options{},
			[]string{`r.yml:8:36: rule "T": logsource: there are no records of service "cloud_trail", so that this is skipped; did you mean "cloudtrail"?`}},
		{"a product that is nearly AWS", source("{product: asw, service: CloudTrail}"), Options{},
			[]string{`r.yml:8:22: rule "T": logsource: there are no records of product "asw", so that this is skipped; did you mean "aws"?`}},
		{"another service", source("{product: aws, service: guardduty}"), Options{}, nil},
		{"another product", source("{product: ios, service: cloudtrail}"), Options{}, nil},
	})
}
