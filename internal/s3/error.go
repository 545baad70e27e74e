package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Error says in one line what happened, with which bucket, profile or
// endpoint, and what to try.
type Error struct {
	Kind Kind
	Text string
	// Region is where the bucket is, for WrongRegion.
	Region string
	// Err is the error underneath, for logs at debug level. It may be long.
	Err error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of an error of this package, and Unknown for others.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unknown
}

// Explain turns an error of the AWS SDK into an *Error. It goes by types,
// error codes and HTTP status only. An error that is one already, or that says
// that the context was canceled, comes back as it is; nil stays nil.
func Explain(err error, b Bucket) error { return explain(err, b, "", nil) }

func explain(err error, b Bucket, key string, caller *Caller) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	f := failure{err: err, bucket: b, key: key, caller: caller}
	e := f.classify()
	e.Err = err
	return e
}

// failure is what is known about an error while it is being explained.
type failure struct {
	err    error
	bucket Bucket
	key    string
	caller *Caller
}

func (f failure) classify() *Error {
	if e := f.profile(); e != nil {
		return e
	}
	if missing, ok := errors.AsType[*credentialError](f.err); ok {
		return f.credentials(missing)
	}
	if api, ok := errors.AsType[smithy.APIError](f.err); ok {
		if e := f.code(api.ErrorCode()); e != nil {
			return e
		}
	}
	if e := f.status(); e != nil {
		return e
	}
	if e := f.network(); e != nil {
		return e
	}
	return f.note(Unknown, "%s: %s", f.operation(), oneLine(f.err.Error()))
}

// is makes a sentence of which the bucket or object is the subject.
func (f failure) is(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: subject(f.bucket, f.key) + " " + fmt.Sprintf(format, args...)}
}

// note makes a sentence that stands by itself behind the bucket or object.
func (f failure) note(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: subject(f.bucket, f.key) + ": " + fmt.Sprintf(format, args...)}
}

// subject is what an error is about: the bucket, or an object in it.
func subject(b Bucket, key string) string {
	if key == "" {
		return "bucket " + quote(b.Name)
	}
	return "object " + quote("s3://"+b.Name+"/"+key)
}

// profile explains the errors of reading the AWS files.
func (f failure) profile() *Error {
	configFile, credentialsFile := configFiles()
	if e, ok := errors.AsType[config.SharedConfigProfileNotExistError](f.err); ok {
		there := "there are: " + strings.Join(profiles(), ", ")
		if len(profiles()) == 0 {
			there = "neither has any; `aws configure` makes one"
		}
		return f.note(NoProfile, "profile %q is not in %s or %s; %s", e.Profile, home(configFile), home(credentialsFile), there)
	}
	if e, ok := errors.AsType[config.SharedConfigAssumeRoleError](f.err); ok {
		return f.note(NoCredentials, "profile %q assumes role %s and says neither source_profile nor credential_source; add one in %s",
			e.Profile, e.RoleARN, home(configFile))
	}
	if e, ok := errors.AsType[config.SharedConfigLoadError](f.err); ok {
		return f.note(NoProfile, "%s cannot be read: %s", home(e.Filename), oneLine(e.Err.Error()))
	}
	return nil
}

// credentials explains why there are none. The SDK has a type for few of the
// ways: where it looked, and the service it asked last, say the rest.
func (f failure) credentials(missing *credentialError) *Error {
	used := usedCredentials(f.bucket)
	configFile, _ := configFiles()
	if _, ok := errors.AsType[*processcreds.ProviderError](f.err); ok {
		return f.note(NoCredentials, "the credential_process of %s failed; run it by hand to see why", used)
	}
	operation := innermost(f.err)
	if api, ok := errors.AsType[smithy.APIError](f.err); ok && operation != nil {
		action := strings.ToLower(operation.Service()) + ":" + operation.Operation()
		switch code := api.ErrorCode(); code {
		case "ExpiredToken", "ExpiredTokenException", "UnauthorizedException", "InvalidGrantException":
			return f.note(Expired, "%s has expired (%s says %s); %s", used, action, code, f.logIn(missing))
		case "AccessDenied", "ForbiddenException":
			// Not Denied: that is about the bucket, and permanent for an object.
			return f.note(NoCredentials, "%s may not use %s (%s); allow it, for a role in its trust policy, or choose another --profile", used, action, code)
		default:
			return f.note(NoCredentials, "%s got no credentials from %s (%s); check the profile in %s", used, action, code, home(configFile))
		}
	}
	if operation != nil && operation.Service() != imds.ServiceID {
		if e := f.network(); e != nil {
			return e
		}
	}
	if missing.from(signIns...) {
		return f.note(Expired, "nobody is logged in for %s, or the session has expired; %s", used, f.logIn(missing))
	}
	// The instance is asked last, when nothing else was configured.
	if operation == nil || operation.Service() == imds.ServiceID {
		return f.note(NoCredentials, "no AWS credentials found: not in the environment, not in profile %q of %s, and this is not an instance with a role; "+
			"run `aws configure`, or choose another --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
			usedProfile(f.bucket), home(configFile))
	}
	return f.note(NoCredentials, "%s got no credentials from %s: %s", used, operation.Service(), oneLine(operation.Err.Error()))
}

// logIn is the command that renews a session.
func (f failure) logIn(missing *credentialError) string {
	command := "aws sso login"
	if missing.from(aws.CredentialSourceLogin, aws.CredentialSourceProfileLogin) {
		command = "aws login"
	}
	return "run `" + command + " --profile " + usedProfile(f.bucket) + "`"
}

// innermost is the operation that failed first: assuming a role fails because
// getting the credentials to do so has.
func innermost(err error) *smithy.OperationError {
	var last *smithy.OperationError
	for {
		operation, ok := errors.AsType[*smithy.OperationError](err)
		if !ok {
			return last
		}
		last, err = operation, operation.Err
	}
}

// code explains the codes that S3 answers with ("Error responses" of the S3
// API reference). A code that says no more than the status is left to status.
func (f failure) code(code string) *Error {
	b := f.bucket
	used := usedCredentials(b)
	switch code {
	case "AccessDenied", "Forbidden", "AllAccessDisabled", "UnauthorizedAccess":
		return f.denied(code)
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		try := "renew them, for SSO with `aws sso login`, and it goes on by itself"
		if fromEnvironment(b) {
			try = "set new ones and start again, or use a --profile"
		}
		return f.note(Expired, "the credentials of %s have expired (%s); %s", used, code, try)
	case "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken", "InvalidSecurity",
		"XAdminUserNotFound": // versitygw's, with status 404
		return f.note(NoCredentials, "the access key of %s is not known%s (%s); renew it or choose another --profile", used, f.at(), code)
	case "SignatureDoesNotMatch":
		try := "enter it again with `aws configure`"
		if fromEnvironment(b) {
			try = "set AWS_SECRET_ACCESS_KEY again, or use a --profile"
		}
		return f.note(NoCredentials, "the secret key of %s is wrong%s (%s); %s", used, f.at(), code, try)
	case "RequestTimeTooSkewed", "RequestExpired":
		return f.note(ClockSkew, "the clock of this machine is too far off (%s); set it, for example with NTP", code)
	case "NoSuchBucket":
		return f.noBucket(code)
	case "NoSuchKey":
		return f.is(NoKey, "does not exist (404 %s); it was deleted or expired by a lifecycle rule", code)
	case "InvalidBucketName":
		return f.note(NoBucket, "this is not a bucket's name (%s); check --bucket: small letters, digits, dots and dashes, without s3://", code)
	case "InvalidObjectState":
		return f.is(Archived, "is archived in Glacier (403 %s); restore it before it can be read", code)
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "TemporaryRedirect":
		return f.wrongRegion(code)
	case "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "KMS.ThrottlingException":
		return f.note(Throttled, "%d attempts were told to slow down (%s); it is tried again later", maxAttempts, code)
	}
	if strings.HasPrefix(code, "KMS.") {
		return f.note(Encrypted, "its key in KMS cannot be used (%s); enable the key, or restore it if it waits for deletion", code)
	}
	return nil
}

func (f failure) denied(code string) *Error {
	whom := ""
	if f.caller != nil {
		whom = " for " + f.caller.ARN
	}
	what := "allow it"
	if f.key != "" {
		what = "allow it, and kms:Decrypt if the trail is encrypted with a key of KMS,"
	}
	return f.note(Denied, "access denied (403 %s) to %s%s%s; %s or choose another --profile (used: %s)",
		code, f.permission(), whom, f.at(), what, usedCredentials(f.bucket))
}

func (f failure) noBucket(code string) *Error {
	f.key = "" // it is not about the object
	return f.is(NoBucket, "does not exist (404 %s)%s; check --bucket and --endpoint", code, f.at())
}

func (f failure) wrongRegion(code string) *Error {
	f.key = "" // it is not about the object
	to := regionNamed(f.err)
	if to == "" {
		return f.is(WrongRegion, "is not in region %q (%s)%s; find it with `aws s3api get-bucket-location --bucket %s` and give it with --region",
			f.bucket.Region, code, f.at(), f.bucket.Name)
	}
	e := f.is(WrongRegion, "is in region %q, not in %q (%s); use --region %s", to, f.bucket.Region, code, to)
	e.Region = to
	return e
}

// status explains an answer whose code says nothing, such as those to HEAD,
// which have no body, and those of a proxy.
func (f failure) status() *Error {
	response, ok := errors.AsType[*awshttp.ResponseError](f.err)
	if !ok || response.Response == nil || response.HTTPStatusCode() == 0 {
		return nil // there was no answer
	}
	status := response.HTTPStatusCode()
	name := http.StatusText(status)
	// Without a code the SDK makes one of the status. A code that nobody here
	// knows may be about anything, so its status does not count against an
	// object or a bucket.
	code := strings.ReplaceAll(name, " ", "")
	if api, ok := errors.AsType[smithy.APIError](f.err); ok {
		code = api.ErrorCode()
	}
	bare := code == strings.ReplaceAll(name, " ", "")
	switch {
	case status/100 == 2:
		return nil // the answer was good and its body was not
	case status/100 == 3, status == http.StatusBadRequest && regionNamed(f.err) != "":
		return f.wrongRegion(fmt.Sprint(status))
	case bare && status == http.StatusUnauthorized, bare && status == http.StatusForbidden:
		return f.denied(name)
	case bare && status == http.StatusNotFound && f.key != "":
		return f.is(NoKey, "does not exist (404)%s", f.at())
	case bare && status == http.StatusNotFound:
		return f.noBucket(name)
	case status == http.StatusTooManyRequests:
		return f.note(Throttled, "%d attempts were told to slow down (429); it is tried again later", maxAttempts)
	case status >= 500:
		return f.note(ServerError, "the server failed%s (%d %s) in %d attempts; it is tried again later", f.at(), status, name, maxAttempts)
	}
	return f.note(Unknown, "%s was refused%s (%d %s)", f.operation(), f.at(), status, code)
}

// network explains why there was no answer.
func (f failure) network() *Error {
	where := "S3"
	if f.bucket.Endpoint != "" {
		where = f.bucket.Endpoint
	}
	try := "check the network and the proxy"
	if f.bucket.Endpoint != "" {
		try = "check --endpoint, and that the server runs"
	}
	if e, ok := errors.AsType[*net.DNSError](f.err); ok {
		return f.note(Unreachable, "%s cannot be reached: there is no host %s; %s", where, e.Name, try)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](f.err); ok {
		return f.note(Unreachable, "the certificate of %s is not trusted; set AWS_CA_BUNDLE to its authority's", where)
	}
	if errors.Is(f.err, http.ErrSchemeMismatch) {
		return f.note(Unreachable, "%s does not speak TLS; try http:// in --endpoint", where)
	}
	if errno, ok := errors.AsType[syscall.Errno](f.err); ok {
		return f.note(Unreachable, "%s cannot be reached: %s; %s", where, errno.Error(), try)
	}
	if isTimeout(f.err) {
		return f.note(Unreachable, "%s did not answer in time; %s", where, try)
	}
	if _, ok := errors.AsType[*smithyhttp.RequestSendError](f.err); ok {
		return f.note(Unreachable, "%s broke off the connection before it had answered; %s", where, try)
	}
	return nil
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// permission is the IAM action that an operation needs.
func (f failure) permission() string {
	switch operation := f.operation(); operation {
	case "ListObjectsV2", "HeadBucket":
		return "s3:ListBucket"
	case "HeadObject":
		return "s3:GetObject"
	default:
		return "s3:" + operation
	}
}

func (f failure) operation() string {
	if operation, ok := errors.AsType[*smithy.OperationError](f.err); ok {
		return operation.Operation()
	}
	return "request"
}

// at names the server when it is not AWS's own.
func (f failure) at() string {
	if f.bucket.Endpoint == "" {
		return ""
	}
	return " at " + f.bucket.Endpoint
}

// oneLine keeps the text of an error from elsewhere in one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
