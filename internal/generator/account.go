package generator

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// account is what the events of an account are about, and who acts in it. It
// depends on the seed and the account's number.
type account struct {
	id string

	instances, vpcs, subnets, groups, interfaces []string
	buckets, applications, keys, objects         []string

	// actors by kind.
	actors [kinds][]*actor
}

// kind is a set of ways to act, as a shape of an event allows them.
type kind uint8

const (
	person  kind = iota // somebody with a key or at the console
	machine             // a role on an instance, in a function, in a pipeline
	linked              // a role that an AWS service acts as
	service             // an AWS service itself
	kinds
)

// actor is somebody who acts. The parts of its identity that do not change are
// text.
type actor struct {
	kind kind
	// identity is up to the access key, access the key's beginning, and session
	// what comes behind it, up to the creation date; an actor without a session
	// has none.
	identity, access, session, sessionEnd string
	principal, arn                        string
	source, agent                         string
	// console says that the credentials came out of a console login.
	console bool
	// salt makes the access keys of its sessions.
	salt uint64
}

var people = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"}

var roles = []string{
	"deploy-pipeline", "web-frontend", "billing-worker", "order-processor", "backup-runner", "eks-node-group",
}

// robots are users that programs act as, with a key that does not change.
var robots = []string{"ci", "monitoring", "registry-mirror", "backup", "crawler", "scanner", "exporter", "importer", "reporter", "archiver", "indexer", "sync"}

// linkedRoles are roles that services act as, with the service.
var linkedRoles = [][2]string{
	{"AWSServiceRoleForAutoScaling", "autoscaling.amazonaws.com"},
	{"AWSServiceRoleForConfig", "config.amazonaws.com"},
	{"AWSServiceRoleForAmazonEKS", "eks.amazonaws.com"},
	{"AWSServiceRoleForTrustedAdvisor", "trustedadvisor.amazonaws.com"},
}

var services = []string{"ec2.amazonaws.com", "lambda.amazonaws.com", "cloudtrail.amazonaws.com", "ecs-tasks.amazonaws.com", "delivery.logs.amazonaws.com"}

var agents = []string{
	"aws-cli/2.17.18 ua/2.0 os/linux#6.1.94 md/arch#x86_64 lang/python#3.11.9 md/pyimpl#CPython",
	"Boto3/1.34.131 md/Botocore#1.34.131 ua/2.0 os/linux#6.1.94 md/arch#x86_64 lang/python#3.10.14 Botocore/1.34.131",
	"aws-sdk-go-v2/1.30.3 ua/2.0 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64 md/source#ec2imds",
	"APN/1.0 HashiCorp/1.0 Terraform/1.9.2 (+https://www.terraform.io) terraform-provider-aws/5.58.0 aws-sdk-go-v2/1.30.1",
	"aws-sdk-java/2.26.12 Linux/6.1.94 OpenJDK_64-Bit_Server_VM/17.0.11",
	"aws-sdk-js/3.609.0 ua/2.1 os/linux#6.1.94 lang/js md/nodejs#20.15.1 m/E",
	"amazon-ssm-agent/3.3.551.0 aws-sdk-go/1.51.11 (go1.21.10; linux; amd64)",
}

const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"

func newAccount(seed uint64, id string) *account {
	h := fnv.New64a()
	h.Write([]byte(id))
	w := writer{r: rand.New(rand.NewPCG(seed, h.Sum64()))}
	a := &account{id: id, applications: []string{"orders", "billing", "frontend", "inventory", "search", "mailer"}}
	w.account = a
	some := func(n int, text string) []string {
		t := compile(text)
		all := make([]string, n)
		for i := range all {
			w.b, w.choice = w.b[:0], i
			w.fill(t)
			all[i] = string(w.b)
		}
		return all
	}
	one := func(text string) string { return some(1, text)[0] }

	a.instances = some(24, "i-0$h16")
	a.vpcs = some(2, "vpc-0$h16")
	a.subnets = some(6, "subnet-0$h16")
	a.groups = some(10, "sg-0$h16")
	a.interfaces = some(24, "eni-0$h16")
	a.buckets = some(8, "example-$f-$h6")
	a.keys = some(6, "$u")
	a.objects = some(6, "events/shard=$d2/part-")

	user := func(k kind, name string) *actor {
		principal, arn := one("AIDA$U17"), "arn:aws:iam::"+id+":user/"+name
		return &actor{
			kind: k, principal: principal, arn: arn, source: address(w.r), salt: w.r.Uint64(),
			identity: fmt.Sprintf(`{"type":"IAMUser","principalId":"%s","arn":"%s","accountId":"%s","accessKeyId":"`, principal, arn, id),
			access:   one("AKIA$U16"),
			session:  `","userName":"` + name + `"`,
		}
	}
	for i, name := range people {
		p := user(person, name)
		p.agent = agents[i%4]
		if i%2 == 1 {
			p.console, p.agent, p.access = true, browser, ""
			p.session += `,"sessionContext":{"attributes":{"creationDate":"`
			p.sessionEnd = `","mfaAuthenticated":"true"}}`
		}
		a.actors[person] = append(a.actors[person], p)
	}
	for i, name := range robots {
		m := user(machine, name)
		m.agent = agents[i%len(agents)]
		a.actors[machine] = append(a.actors[machine], m)
	}
	assumed := func(k kind, role, path, session string) *actor {
		principal := one("AROA$U17")
		arn := "arn:aws:sts::" + id + ":assumed-role/" + role + "/" + session
		return &actor{
			kind: k, arn: arn, salt: w.r.Uint64(),
			identity: fmt.Sprintf(`{"type":"AssumedRole","principalId":"%s:%s","arn":"%s","accountId":"%s","accessKeyId":"`, principal, session, arn, id),
			session: fmt.Sprintf(`","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"%s","arn":"arn:aws:iam::%s:role/%s%s","accountId":"%s","userName":"%s"},"attributes":{"creationDate":"`,
				principal, id, path, role, id, role),
			sessionEnd: `","mfaAuthenticated":"false"}}`,
		}
	}
	for i, role := range roles {
		for n := range 2 {
			session := a.instances[(2*i+n)%len(a.instances)]
			m := assumed(machine, role, "", session)
			m.source, m.agent = address(w.r), agents[(i+n)%len(agents)]
			if i%2 == 0 {
				m.sessionEnd = `","mfaAuthenticated":"false"},"ec2RoleDelivery":"2.0"}`
			}
			a.actors[machine] = append(a.actors[machine], m)
		}
	}
	for _, role := range linkedRoles {
		l := assumed(linked, role[0], "aws-service-role/"+role[1]+"/", strings.TrimPrefix(role[0], "AWSServiceRoleFor"))
		l.source, l.agent = role[1], role[1]
		l.sessionEnd += `,"invokedBy":"` + role[1] + `"`
		a.actors[linked] = append(a.actors[linked], l)
	}
	for _, name := range services {
		a.actors[service] = append(a.actors[service], &actor{
			kind: service, source: name, agent: name,
			identity: `{"type":"AWSService","invokedBy":"` + name + `"`,
		})
	}
	return a
}

// userIdentity appends who acted.
func (w *writer) userIdentity(a *actor) {
	w.b = append(w.b, a.identity...)
	if a.kind != service {
		w.b = append(w.b, a.access...)
		if a.access == "" {
			w.b = append(w.b, "ASIA"...)
			w.accessKey(a.salt)
		}
		w.b = append(w.b, a.session...)
		if a.sessionEnd != "" {
			w.time(sessionStart(w.at))
			w.b = append(w.b, a.sessionEnd...)
		}
	}
	w.b = append(w.b, '}')
}

// accessKey appends the rest of the access key of a session, the same all
// session long.
func (w *writer) accessKey(salt uint64) {
	x := (salt ^ uint64(sessionStart(w.at))) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	for range 16 {
		w.b = append(w.b, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[x>>59])
		x *= 0xd1342543de82ef95
		x++
	}
}

// address gives an address out of the ranges for documentation (RFC 5737). The
// third is left to attackers, see attacker.
func address(r *rand.Rand) string {
	return fmt.Sprintf([]string{"192.0.2.%d", "198.51.100.%d"}[r.IntN(2)], 1+r.IntN(254))
}
