package s3

// Kind says what sort of thing went wrong, so that callers decide by it and
// not by the text.
type Kind int

const (
	// Unknown is everything that has no Kind of its own.
	Unknown Kind = iota
	// Invalid is a configuration that no server needs to be asked about.
	Invalid
	// NoProfile: the profile is in neither of the AWS files.
	NoProfile
	// NoCredentials: none were found, or the server does not know them.
	NoCredentials
	// Expired: the credentials were good once and have to be renewed.
	Expired
	// ClockSkew: the clock of this machine is too far off for a signature.
	ClockSkew
	// Denied: the credentials are good, and what was asked is not allowed.
	Denied
	// NoBucket: the bucket does not exist.
	NoBucket
	// NoKey: the object does not exist.
	NoKey
	// Archived: the object is in Glacier and has to be restored first.
	Archived
	// Encrypted: the object's key in KMS cannot be used.
	Encrypted
	// WrongRegion: the bucket is in another region than was said.
	WrongRegion
	// Unreachable: no connection, or no answer in time.
	Unreachable
	// Throttled: too many requests, also after several attempts.
	Throttled
	// ServerError: the server failed, also after several attempts.
	ServerError
	// Interrupted: an object broke off in the middle.
	Interrupted
)

var kindNames = [...]string{
	Unknown: "unknown", Invalid: "invalid", NoProfile: "no_profile", NoCredentials: "no_credentials", Expired: "expired",
	ClockSkew: "clock_skew", Denied: "denied", NoBucket: "no_bucket", NoKey: "no_key", Archived: "archived",
	Encrypted: "encrypted", WrongRegion: "wrong_region", Unreachable: "unreachable", Throttled: "throttled",
	ServerError: "server_error", Interrupted: "interrupted",
}

// String is a word in snake case, for logs and the labels of metrics.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[Unknown]
	}
	return kindNames[k]
}

// ObjectLost reports whether getting the same object again fails in the same
// way until somebody does something about that object: it is gone, archived,
// or not for us to read. Every other kind is about the credentials, the
// network or the server, and passes.
func (k Kind) ObjectLost() bool {
	switch k {
	case Denied, NoKey, Archived, Encrypted:
		return true
	}
	return false
}

// Misconfigured reports whether waiting does not help, for a bucket as a
// whole: something has to be changed in the configuration, in AWS, or on this
// machine.
func (k Kind) Misconfigured() bool {
	switch k {
	case Invalid, NoProfile, NoCredentials, Expired, ClockSkew, Denied, NoBucket, WrongRegion:
		return true
	}
	return false
}
