package sigma

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// A record for each reading of a modifier. Text is built by other means than
// the matcher's.
var modified = fmt.Sprintf(`{
	"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "nothing": null,
	"ip": "10.1.2.3", "ips": ["ec2.amazonaws.com", "2001:db8::17"], "mapped": "::ffff:10.1.2.3", "zone": "fe80::1%%eth0",
	"service": "AWS Internal", "network": "10.0.0.0/8", "odd": ["10.1.2", "10.1.2.03", "10.1.2.300", "10.1.2.3:443", "::g", "1.2.3.4.5"],
	"count": 20, "text": "20", "words": "twenty", "ratio": 0.1, "huge": 9007199254740993, "longer": 123456789012345678901234567890, "below": -5,
	"list": [1, "30", true], "object": {"n": 50, "s": "60"}, "zeros": "007",
	"time": "2026-03-02T23:59:07Z", "east": "2021-01-03T01:30:00.123+09:00", "low": "2024-12-30t10:00:00z", "leap": "2016-12-31 23:59:60Z",
	"not_time": ["2026-03-02", "2026-02-30T08:00:00Z", "2026-03-02T08:00:00", "2026-03-02T24:00:00Z", "2026-03-02T8:00:00Z", "Mar 2, 2026"],
	"b64": %q, "inside0": %q, "inside1": %q, "inside2": %q, "powershell": %q, "bom": %q, "nul": "c\u0000m\u0000d\u0000", "nulbe": "\u0000c\u0000m\u0000d", "nulbom": "\ufeffc\u0000",
	"command": "tool –enc /out a-b", "plain": "tool -enc -out", "slash": "x/y",
	"user": "Alice", "same": "ALICE", "other": "bob", "longname": "alice-admin", "five": 5, "fivetext": "5", "fivepoint": 5.0,
	"users": ["carol", "bob"], "owners": {"a": "dave", "b": ["BOB"]}, "none": [], "nulls": [null], "nulltext": "null", "blank": "", "star": "a*e",
	"percent": "100%%one%%", "team": "xy"
}`,
	encode("cmd.exe"), encode("cmd.exe /c"), encode("acmd.exe /c"), encode("ab"+"cmd.exe /c"), encode(wide("x=Invoke")), encode("\xff\xfe"+wide("cmd")))

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func wide(s string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(unit))
		b.WriteByte(byte(unit >> 8))
	}
	return b.String()
}

func TestModifiers(t *testing.T) {
	record, err := decodeReference([]byte(modified))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		item string
		want bool
	}{
		// Networks.
		{`ip|cidr: 10.0.0.0/8`, true},
		{`ip|cidr: 10.9.9.9/8`, true}, // bits after the prefix mean nothing
		{`ip|cidr: 10.1.2.3`, true},
		{`ip|cidr: 10.1.2.4`, false},
		{`ip|cidr: [192.168.0.0/16, 10.1.0.0/16]`, true},
		{`ip|cidr|all: [10.0.0.0/8, 10.1.0.0/16]`, true},
		{`ip|cidr|all: [10.0.0.0/8, 10.2.0.0/16]`, false},
		{`ip|cidr|neq: [10.0.0.0/16, 10.2.0.0/16]`, true},
		{`ip|cidr|neq: 10.0.0.0/8`, false},
		{`ip|cidr: '::/0'`, false},
		{`ip|cidr: '::ffff:10.0.0.0/104'`, true},
		{`ip|cidr: 0.0.0.0/0`, true},
		{`mapped|cidr: 10.0.0.0/8`, true},
		{`mapped|cidr: '::/0'`, false}, // it is an IPv4 address
		{`ips|cidr: '2001:db8::/32'`, true},
		{`ips|cidr: '2001:DB8:0:0::17'`, true},
		{`ips|cidr: 0.0.0.0/0`, false},
		{`zone|cidr: 'fe80::/10'`, true},
		{`service|cidr: 0.0.0.0/0`, false},
		{`service|cidr|neq: 0.0.0.0/0`, true},
		{`network|cidr: 10.0.0.0/8`, false},
		{`odd|cidr: [0.0.0.0/0, '::/0']`, false},
		{`missing|cidr: 0.0.0.0/0`, false},
		{`ip|expand|cidr: '%net%'`, true},
		{`ips|cidr|expand: '%net%'`, false},
		{`'|cidr': '2001:db8::17'`, true}, // a keyword looks at every string

		// Numbers.
		{`count|gt: 19`, true},
		{`count|gt: 20`, false},
		{`count|gte: 20`, true},
		{`count|gte: '20.0'`, true},
		{`count|lt: 20.001`, true},
		{`count|lt: 20`, false},
		{`count|lte: 2e1`, true},
		{`text|lt: 100`, true}, // not "20" < "100"
		{`text|lte: 20`, true},
		{`words|gt: 0`, false},
		{`words|gt|neq: 0`, true},
		{`words|lte: 0`, false},
		{`ratio|gte: 0.1`, true},
		{`ratio|lt: 0.10000000000000000001`, true},
		{`huge|gt: 9007199254740992`, true},
		{`huge|lt: 9007199254740994`, true},
		{`huge: 9007199254740992`, false},
		{`longer|gt: 123456789012345678901234567889`, true},
		{`longer|gt: 123456789012345678901234567890`, false},
		{`longer: 123456789012345678901234567890.0`, true},
		{`below|lt: -4`, true},
		{`below|lt: -5.5`, false},
		{`below|gt: -50`, true},
		{`list|gt: 29`, true}, // a string that spells a number
		{`list|gt: 30`, false},
		{`object|gt: 55`, true}, // of an object only the strings
		{`object|lt: 55`, false},
		{`zeros|gt: 0`, false}, // not a number as JSON spells it
		{`count|gt|all: [10, 15]`, true},
		{`count|gt|all: [10, 25]`, false},
		{`count|gt: [25, 10]`, true},
		{`count|gt|neq: 25`, true},
		{`missing|lt: 5`, false},
		{`missing|lt|neq: 5`, false},
		{`nothing|lt: 5`, false},
		{`readOnly|gt: 0`, false},

		// Points in time.
		{`time|minute: 59`, true},
		{`time|hour: 23`, true},
		{`time|hour: [1, 23]`, true},
		{`time|hour|gte: 20`, true},
		{`time|hour|lt: 24`, true},
		{`time|lt|hour: 23`, false},
		{`time|hour|neq: [6, 7, 8]`, true},
		{`time|hour|neq: 23`, false},
		{`time|hour|gte|all: [20, 23]`, true},
		{`time|day: 2`, true},
		{`time|week: 10`, true},
		{`time|month: 03`, true},
		{`time|month: '3'`, true},
		{`time|year: 2026`, true},
		{`time|year|gt: 2025`, true},
		{`east|hour: 1`, true}, // as written, not 16 in UTC
		{`east|day: 3`, true},
		{`east|week: 53`, true}, // of the year before
		{`low|week: 1`, true},   // of the year after
		{`low|year: 2024`, true},
		{`leap|minute: 59`, true},
		{`not_time|hour|gte: 0`, false},
		{`missing|hour: 1`, false},
		{`missing|hour|neq: 1`, false},

		// Encodings.
		{`b64|base64: cmd.exe`, true},
		{`b64|base64: cmd`, false},
		{`b64|base64|contains: cmd`, true}, // three bytes are four characters
		{`inside0|base64offset|contains: cmd.exe`, true},
		{`inside1|base64offset|contains: cmd.exe`, true},
		{`inside2|base64offset|contains: cmd.exe`, true},
		{`inside1|base64|contains: cmd.exe`, false},
		{`inside0|base64offset|contains: cmd.com`, false},
		{`inside1|base64offset|contains|all: [cmd, exe]`, true}, // each value in any of its variants
		{`inside1|base64offset|contains|all: [cmd, com]`, false},
		{`inside1|base64offset|contains|neq: [cmd, com]`, false},
		{`inside1|base64offset|contains|neq: [bat, com]`, true},
		{`inside1|base64offset|contains: [bat, exe]`, true},
		{`powershell|wide|base64offset|contains: Invoke`, true},
		{`powershell|utf16le|base64offset|contains: Invoke`, true},
		{`powershell|utf16be|base64: x=Invoke`, false},
		{`powershell|base64offset|contains: Invoke`, false},
		{`bom|utf16|base64: cmd`, true},
		{`bom|wide|base64: cmd`, false},
		{`nul|wide: cmd`, true},
		{`nul|wide|startswith: cm`, true},
		{`nul|wide: 'c*d'`, true},
		{`nul|utf16le|contains: m`, true},
		{`nulbe|utf16be: cmd`, true},
		{`nulbe|wide: cmd`, false},
		{`nulbom|utf16: c`, true},
		{`'|base64offset|contains': exe /c`, true},

		// Dashes.
		{`command|windash|contains: ' -enc'`, true}, // an en dash
		{`command|contains: ' -enc'`, false},
		{`command|windash|contains: ' -enc -out '`, true},
		{`command|windash|contains|all: [-enc, -out]`, true},
		{`command|windash|contains|all: [-enc, -in]`, false},
		{`command|contains|windash: /enc`, true},
		{`command|windash|contains: a/b`, false}, // inside a word it stays
		{`command|windash|contains: a-b`, true},
		{`plain|windash|endswith: /out`, true},
		{`plain|windash: tool /enc ?out`, true},
		{`plain|windash|cased|contains: /OUT`, false},
		{`slash|windash: x-y`, false},
		{`'|windash': /enc`, true},

		// References to other fields.
		{`user|fieldref: same`, true},
		{`user|fieldref|cased: same`, false},
		{`user|fieldref: other`, false},
		{`user|fieldref: [other, same]`, true},
		{`user|fieldref|all: [other, same]`, false},
		{`user|fieldref|neq: other`, true},
		{`user|fieldref|neq: same`, false},
		{`user|fieldref|neq: [other, same]`, false},
		{`user|fieldref|neq|cased: same`, true},
		{`user|fieldref: missing`, false},
		{`user|fieldref|neq: missing`, false},
		{`missing|fieldref: user`, false},
		{`missing|fieldref|neq: user`, false},
		{`missing|fieldref: missing`, false},
		{`nothing|fieldref: nothing`, false}, // a JSON null has no value
		{`nothing|fieldref|neq: user`, false},
		{`user|fieldref|neq: none`, false},
		{`user|fieldref|neq: nothing`, false},
		{`nulltext|fieldref: nulls`, false},
		{`nulltext|fieldref|neq: nulls`, false},
		{`nulls|fieldref|contains: nulltext`, false},
		{`blank|fieldref: blank`, true},
		{`longname|fieldref|startswith: user`, true},
		{`user|fieldref|startswith: longname`, false},
		{`longname|fieldref|contains: same`, true},
		{`longname|startswith|fieldref: user`, true},
		{`longname|fieldref|endswith: user`, false},
		{`longname|fieldref|contains: blank`, false}, // there is nothing to look for
		{`longname|fieldref|startswith: blank`, false},
		{`longname|fieldref|contains|neq: blank`, false},
		{`blank|fieldref|contains: user`, false},
		{`blank|fieldref|contains|neq: user`, true},
		{`user|fieldref: blank`, false},
		{`user|fieldref: star`, false}, // what the record has is no pattern
		{`star|fieldref: star`, true},
		{`five|fieldref: fivetext`, true},
		{`five|fieldref: fivepoint`, true},
		{`fivetext|fieldref: five`, true},
		{`users|fieldref: other`, true}, // any pair
		{`other|fieldref: users`, true},
		{`users|fieldref: owners`, true},
		{`users|fieldref|neq: owners`, false},
		{`users|fieldref|neq: user`, true},
		{`eventName|fieldref: eventName`, true},
		{`eventSource|fieldref|neq: eventName`, true},

		// Placeholders.
		{`team|expand: '%one%'`, true},
		{`team|expand: ['a%one%', '%many%']`, false}, // nothing but x, or y at the start
		{`team|expand: '%many%%many%'`, true},
		{`team|expand|contains: '%many%'`, true},
		{`team|expand|contains|all: ['%many%', '%one%']`, true},
		{`team|expand|contains|all: ['%many%', z]`, false},
		{`team|expand|neq: '%many%'`, true},
		{`team|expand|neq: '%one%'`, false},
		{`team|expand: '%%one%'`, false},
		{`team: '%one%'`, false},
		{`percent|expand: '100\%one\%'`, true},
		{`percent|expand|startswith: '100%'`, true},
		{`percent: '100%one%'`, true},
		{`team|re|expand: '^%one%$'`, true},
		{`team|re|expand: '^%many%$'`, false},
		{`team|re|expand: '^x%many%$'`, true}, // y* is a wildcard
		{`eventName|expand: '%name%'`, true},
		{`inside1|expand|base64offset|contains: '%one%'`, false},
		{`plain|expand|windash|contains: ' %slashes%'`, true},
		{`'|expand': '%one%'`, true},

		// Not equal.
		{`user|neq: bob`, true},
		{`user|neq: ALICE`, false},
		{`user|neq|cased: ALICE`, true},
		{`user|neq: [bob, alice]`, false},
		{`user|neq: [bob, carol]`, true},
		{`user|neq: 'a*'`, false},
		{`user|contains|neq: ic`, false},
		{`user|neq|contains|all: [ic, ob]`, true},
		{`user|neq|contains|all: [ic, al]`, false},
		{`user|re|neq: '^b'`, true},
		{`user|re|neq: '^A'`, false},
		{`count|neq: 20`, false},
		{`count|neq: 20.0`, false},
		{`count|neq: 21`, true},
		{`missing|neq: x`, false},
		{`missing|neq: [x, y]`, false},
		{`missing|neq: null`, false},
		{`nothing|neq: null`, false},
		{`nothing|neq: x`, true}, // it is there
		{`nothing|neq: '*'`, true},
		{`user|neq: null`, true},
		{`user|neq: [null, bob]`, true},
		{`user|neq: '*'`, false},
		{`user|neq: ''`, true},
		{`blank|neq: ''`, false},
		{`users|neq: bob`, false}, // none of the list
		{`users|neq: dave`, true},
		{`none|neq: x`, true},

		// Regular expressions.
		{`user|re|contains: 'lic'`, true},
		{`user|re|startswith: 'lic'`, true},
		{`user|re|endswith: 'lic'`, true},
		{`user|re|ignorecase: '^ALICE$'`, true},
		{`user|re|i|m|s: '^ALICE$'`, true},
		{`user|re: '^ALICE$'`, false},
		{`count|re: 2.`, true},
		{`user|all: alice`, true},
		{`'|re': '^lic'`, false},
		{`'|re': '^Ali'`, true},
		{`'|cased': ALI`, true},
		{`'|cased': aLI`, false},
		{`'|startswith': lice`, false},
		{`'|endswith|all': [lice, -admin]`, true},
	} {
		t.Run(tt.item, func(t *testing.T) {
			r, set := compileDetection(t, "  sel:\n    "+tt.item+"\n  condition: sel\n")
			if got := matches(set, modified); got != tt.want {
				t.Errorf("matches is %v", got)
			}
			if got := referenceMatch(r, record); got != tt.want {
				t.Errorf("the reference evaluator says %v", got)
			}
		})
	}
}

func TestErrorsOfModifiersSayWhatToWrite(t *testing.T) {
	for _, tt := range []struct{ item, want string }{
		{`a|cidr: 10.0.0.0/33`, `field "a": modifier "cidr" takes a network such as 10.0.0.0/8 or 2001:db8::/32, or an address, not "10.0.0.0/33"`},
		{`a|cidr: '10.*'`, `modifier "cidr" takes a network such as 10.0.0.0/8 or 2001:db8::/32, or an address, not "10.*"`},
		{`a|cidr: null`, `null stands for an absent field and takes no string modifier`},
		{`a|lt: five`, `modifier "lt" takes a number, not "five"`},
		{`a|lt: .inf`, `modifier "lt" takes a number, not ".inf"`},
		{`a|gte: true`, `modifier "gte" takes a number, not "true"`},
		{`a|gte: null`, `modifier "gte" takes a number, not empty`},
		{`a|lt|gt: 5`, `modifier "gt" cannot be combined with "lt"; write two items`},
		{`a|contains|lt: 5`, `modifier "lt" cannot be combined with "contains"; write two items`},
		{`a|lt|cased: 5`, `modifier "cased" does nothing with "lt"; remove it`},
		{`a|hour: 24`, `modifier "hour" takes a whole number from 0 to 23, not "24"`},
		{`a|week: 0`, `modifier "week" takes a whole number from 1 to 53, not "0"`},
		{`a|month: March`, `modifier "month" takes a whole number from 1 to 12, not "March"`},
		{`a|hour|lt: 5.5`, `modifier "hour" takes a whole number from 0 to 23, not "5.5"`},
		{`a|hour|minute: 5`, `modifier "minute" cannot be combined with "hour"; write two items`},
		{`a|hour|contains: 5`, `modifier "hour" gives a number and cannot be combined with "contains"; write lt, lte, gt, gte or neq beside it`},
		{`a|fieldref: 5`, `modifier "fieldref" takes the name of a field, such as userIdentity.userName, not "5"`},
		{`a|fieldref: a..b`, `field "a..b" has an empty part`},
		{`a|fieldref|lt: b`, `modifier "fieldref" compares text and cannot be combined with "lt"`},
		{`a|fieldref|re: b`, `modifier "fieldref" compares text and cannot be combined with "re"`},
		{`a|fieldref|hour: b`, `modifier "fieldref" compares whole values and cannot be combined with "hour"`},
		{`a|base64|fieldref: b`, `modifier "base64" changes text and cannot be combined with "fieldref"; write two items`},
		{`a|exists|neq: true`, `modifier "exists" cannot be combined with "neq"; write true for false, or false for true`},
		{`a|exists|all: true`, `modifier "exists" cannot be combined with others; write an item of its own`},
		{`a|contains|exists: true`, `modifier "exists" cannot be combined with "contains"; write two items`},
		{`a|base64: 'x*'`, `modifier "base64" cannot encode wildcards; write "\*" and "\?" for plain characters`},
		{`a|contains|base64offset: xyz`, `modifier "base64offset" after "contains" would encode the wildcards; write "base64offset|contains"`},
		{`a|base64offset|contains: x`, `modifier "base64offset" needs at least two bytes`},
		{`a|base64|wide: xyz`, `modifier "wide" after "base64" would find encoded text; write "wide|base64"`},
		{`a|base64|expand: xyz`, `modifier "expand" after "base64" would find encoded text; write "expand|base64"`},
		{`a|wide|utf16be: xyz`, `modifier "utf16be" cannot be combined with "utf16le"; a text has one encoding`},
		{`a|wide|windash: xyz`, `modifier "windash" after "utf16le" would find encoded text; write "windash|utf16le"`},
		{`a|wide: 'é'`, `the value has characters whose UTF-16 is not text; add "base64"`},
		{`a|windash|base64: '-a -b -c -d -e -f'`, `the value stands for more than 10000 texts; write fewer dashes or placeholders`},
		{`a|base64: null`, `null stands for an absent field and takes no string modifier`},
		{`a|re|base64: x`, `modifier "base64" changes text and cannot be combined with "re"; write two items`},
		{`a|cidr|windash: 10.0.0.0/8`, `modifier "windash" changes text and cannot be combined with "cidr"; write two items`},
		{`a|contains|re: x`, `modifier "re" stands before "contains", or rather alone: it looks anywhere in the text`},
		{`a|startswith|endswith: x`, `modifier "endswith" cannot be combined with "startswith"; write two items, or "contains" for text anywhere`},
		{`a|re|cased: x`, `modifier "cased" does nothing with "re"; remove it`},
		{`a|dotall: x`, `modifier "s" belongs after "re", as in "field|re|s"`},
		{`a|contains|contains: x`, `modifier "contains" is there twice; remove one`},
		{`'|neq': x`, `modifier "neq" needs a field before the "|"; for keywords write "not" in the condition`},
		{`'|lt': 5`, `modifier "lt" needs a field before the "|"`},
		{`'|hour': 5`, `modifier "hour" needs a field before the "|"`},
		{`'|fieldref': a`, `modifier "fieldref" needs a field before the "|"`},
		{`'|exists': true`, `modifier "exists" needs a field before the "|"`},
		{`a|base64ofset: x`, `unknown modifier "base64ofset"; did you mean "base64offset"?`},
		{`a|Contains: x`, `unknown modifier "Contains"; did you mean "contains"?`},
		{`a|not: x`, `unknown modifier "not"`},
	} {
		_, errs := Parse("r.yml", []byte(rule("  sel:\n    "+tt.item+"\n  condition: sel\n")))
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), tt.want) {
			t.Errorf("%s\n%v\nwant %s", tt.item, errs, tt.want)
		}
	}
}

func TestPlaceholdersThatCannotBeFilled(t *testing.T) {
	for _, tt := range []struct{ item, want string }{
		{`a|expand: '%users%'`, `r.yml:5:15: rule "T": field "a": placeholder %users% has no values; set correlator.rules.placeholders: {users: [value]} in the file of --config`},
		{`a|expand: 'x%empt%'`, `placeholder %empt% has no values; did you mean "empty"?`},
		{`a|expand: '%empty%'`, `placeholder %empty% has an empty list of values; add one to correlator.rules.placeholders`},
		{`a|expand: '%many%%many%%many%'`, `the value stands for more than 10000 texts`},
		{`a|re|expand: '%users%'`, `placeholder %users% has no values`},
		{`a|cidr|expand: '%many%'`, `modifier "cidr" takes a network such as 10.0.0.0/8 or 2001:db8::/32, or an address, not "v0"`},
		{`a|expand|base64: '%star%'`, `modifier "base64" cannot encode wildcards`},
		{`'|expand': '%users%'`, `rule "T": placeholder %users% has no values`},
	} {
		c, errs := Parse("r.yml", []byte(rule("  sel:\n    "+tt.item+"\n  condition: sel\n")))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		many := make([]string, 50)
		for i := range many {
			many[i] = fmt.Sprintf("v%d", i)
		}
		set, errs := Compile(c, Options{Placeholders: map[string][]string{"empty": {}, "many": many, "star": {"*"}}})
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), tt.want) || len(set.Rules()) != 0 {
			t.Errorf("%s\n%v\nwant %s", tt.item, errs, tt.want)
		}
	}
}

// The variants of base64offset are what the bytes around a value cannot change.
func TestTransforms(t *testing.T) {
	for _, tt := range []struct {
		value      string
		transforms []Transform
		want       string
	}{
		{"foobar", []Transform{Base64}, "Zm9vYmFy"},
		{"foobar", []Transform{Base64Offset}, "Zm9vYmFy Zvb2Jhc mb29iYX"},
		{"ab", []Transform{Base64Offset}, "YW Fi hY"},
		{"é", []Transform{UTF16LE, Base64}, "6QA="},
		{"😀", []Transform{UTF16BE, Base64}, "2D3eAA=="},
		{"cmd", []Transform{UTF16, Base64}, "//5jAG0AZAA="},
		{"foo", []Transform{Base64, Base64}, "Wm05dg=="},
		{`\*\?\\`, []Transform{Base64}, "Kj9c"},
		{"-a", []Transform{Windash, Base64}, "LWE= L2E= 4oCTYQ== 4oCUYQ== 4oCVYQ=="},
	} {
		item := Item{Transforms: tt.transforms}
		left := room(maxRuleText)
		texts, err := item.variants(&Value{Kind: String, Text: tt.value}, nil, &left)
		var got []string
		for _, text := range texts {
			got = append(got, string(text))
		}
		if strings.Join(got, " ") != tt.want || err != nil {
			t.Errorf("%s of %s: %q, %v; want %q", tt.transforms, tt.value, got, err, tt.want)
		}
	}
}

func TestDashesAreMarkedAtTheStartOfWords(t *testing.T) {
	for in, want := range map[string]string{
		"-a": "~a", "/a": "~a", "--a": "-~a", "a-b": "a-b", " -a": " ~a", "-": "-", "- a": "- a", "a -": "a -", "*-a": "*~a", "-*": "-*",
		"/a/b": "~a/b", "/ -é": "/ ~é", "–a": "–a", "_-a": "_-a", `\\-1`: `\~1`,
	} {
		var got strings.Builder
		for _, r := range markDashes(tokenize(in)) {
			switch r {
			case anyDash:
				got.WriteByte('~')
			case anyText:
				got.WriteByte('*')
			default:
				got.WriteRune(r)
			}
		}
		if got.String() != want {
			t.Errorf("%s: %s, want %s", in, got.String(), want)
		}
	}
}

func TestCompareNumbers(t *testing.T) {
	ascending := []string{
		"-1e400", "-123456789012345678901", "-10", "-9.5", "-9.49", "-1e-3", "0", "1e-400", "0.001", "0.0010000000000000000000001",
		"0.5", "1", "1.000000000000000000001", "9", "10", "1e2", "101", "9007199254740992", "9007199254740993", "1e16", "1.5e99999999999999999999",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got, want := compareNumbers(parseNumber(a), parseNumber(b)), max(-1, min(1, i-j)); got != want {
				t.Errorf("%s and %s compare as %d", a, b, got)
			}
		}
	}
	for _, equal := range [][2]string{{"5", "5.0"}, {"0", "-0.00e7"}, {"100", "1E+2"}, {"0.05", "5e-2"}, {"007", "7"}, {"1000e-3", "1"}, {"-12.50", "-125e-1"}} {
		if compareNumbers(parseNumber(equal[0]), parseNumber(equal[1])) != 0 {
			t.Errorf("%s is not %s", equal[0], equal[1])
		}
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		got  fmt.Stringer
		want string
	}{
		{OpEqual, "equals"}, {OpGTE, "gte"}, {OpCIDR, "cidr"}, {Op(99), "Op(99)"}, {Week, "week"}, {TimePart(0), ""}, {TimePart(99), "TimePart(99)"},
		{Windash, "windash"}, {Base64Offset, "base64offset"}, {Transform(99), "Transform(99)"}, {Null, "null"}, {Bool, "boolean"}, {Kind(99), "Kind(99)"},
	} {
		if tt.got.String() != tt.want {
			t.Errorf("%s, want %s", tt.got, tt.want)
		}
	}
}
