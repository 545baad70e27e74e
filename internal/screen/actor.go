package screen

import "strings"

// hiddenName is what CloudTrail writes for the user name of a failed sign-in when
// there is no such user.
const hiddenName = "HIDDEN_DUE_TO_SECURITY_REASONS"

// actorSpans names an actor as a person would: an ARN of IAM or STS is taken
// apart, and its account is named only if it is not the one that the alert is
// about. Another actor is shown as it is.
//
//	arn:aws:iam::111122223333:user/ops/alice                 user ops/alice
//	arn:aws:iam::111122223333:root                           root
//	arn:aws:sts::111122223333:assumed-role/Deploy/i-0abc     role Deploy, session i-0abc
//	arn:aws:sts::111122223333:federated-user/alice           federated user alice
//
// (The IAM user guide, "IAM identifiers".)
func actorSpans(actor, account string) []span {
	if actor == hiddenName {
		return []span{{text: "unknown user"}}
	}
	parts := strings.SplitN(actor, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" && parts[2] != "sts" {
		return []span{{text: quoted(actor)}}
	}
	owner, resource := parts[4], parts[5]
	kind, name, _ := strings.Cut(resource, "/")
	var out []span
	switch {
	case resource == "root":
		out = []span{{text: "root"}}
	case kind == "user" && name != "":
		out = []span{{text: "user " + quoted(name)}}
	case kind == "federated-user" && name != "":
		out = []span{{text: "federated user " + quoted(name)}}
	case kind == "assumed-role" && name != "":
		role, session, ok := strings.Cut(name, "/")
		out = []span{{text: "role " + quoted(role)}}
		if ok {
			out = append(out, span{text: "session " + quoted(session), near: true})
		}
	default:
		return []span{{text: quoted(actor)}}
	}
	if owner != account {
		out = append(out, span{text: "of account " + quoted(owner), near: true})
	}
	return out
}
