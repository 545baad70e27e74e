package generator

// share is a probability in 1/1000.
func (w *writer) share(n int) bool { return w.r.IntN(1000) < n }

// work is what somebody is at.
type work struct {
	shape *shape
	actor *actor
}

// background appends a record of everyday work, given what came before it.
// Programs do the same again and again, which is why logs compress well.
func (w *writer) background(c *catalogue, last work) work {
	s, a := last.shape, last.actor
	if s == nil || w.share(250) {
		s = &c.shapes[c.byWeight[w.r.IntN(len(c.byWeight))]]
	}
	if a == nil || a.kind != s.by || w.share(45) {
		of := w.account.actors[s.by]
		a = of[w.r.IntN(len(of))]
	}
	denied := a.lacks(s) && w.share(300)
	failed := denied || s.by != service && w.share(54)

	w.head(a)
	w.call(s.service, s.name, a.source, a.agent)
	switch {
	case denied:
		w.denial(s, a)
	case failed:
		w.failure(s)
	}
	w.b = append(w.b, `,"requestParameters":`...)
	w.optional(s.request)
	w.b = append(w.b, `,"responseElements":`...)
	if failed {
		w.b = append(w.b, "null"...)
	} else {
		w.optional(s.response)
	}
	if s.additional != nil {
		w.b = append(w.b, `,"additionalEventData":`...)
		w.fill(s.additional)
	}
	w.b = append(w.b, `,"requestID":"`...)
	if s.service == "s3" {
		w.digits(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
	} else {
		w.uuid()
	}
	w.b = append(w.b, `","eventID":"`...)
	w.uuid()
	w.b = append(w.b, `","readOnly":`...)
	w.bool(s.readOnly)
	if s.resources != nil {
		w.b = append(w.b, `,"resources":[`...)
		w.fill(s.resources)
		w.b = append(w.b, ']')
	}
	w.b = append(w.b, `,"eventType":"AwsApiCall"`...)
	w.tail(!s.data)
	if s.name == "AssumeRole" {
		w.b = append(w.b, `,"sharedEventID":"`...)
		w.uuid()
		w.b = append(w.b, '"')
	}
	if s.data {
		w.b = append(w.b, `,"eventCategory":"Data"`...)
	} else {
		w.b = append(w.b, `,"eventCategory":"Management"`...)
	}
	if s.tls && (a.kind == person || a.kind == machine) {
		w.tls(s.service)
	}
	if a.console {
		w.b = append(w.b, `,"sessionCredentialFromConsole":"true"`...)
	}
	w.b = append(w.b, '}')
	return work{s, a}
}

// head appends the beginning up to the time.
func (w *writer) head(a *actor) {
	w.b = append(w.b, `{"eventVersion":"1.09","userIdentity":`...)
	w.userIdentity(a)
}

// call appends when, what and from where.
func (w *writer) call(service, name, source, agent string) {
	w.b = append(w.b, `,"eventTime":"`...)
	w.time(w.at)
	w.b = append(w.b, `","eventSource":"`...)
	w.b = append(w.b, service...)
	w.b = append(w.b, `.amazonaws.com","eventName":`...)
	w.text(name)
	w.b = append(w.b, `,"awsRegion":`...)
	w.text(w.region)
	w.b = append(w.b, `,"sourceIPAddress":`...)
	w.text(source)
	w.b = append(w.b, `,"userAgent":`...)
	w.text(agent)
}

// lacks reports whether an actor has no right to a call: each lacks the rights
// to a few, and runs into the same refusals again and again. Who is refused this
// and that is an attacker, whom a shipped rule reports.
func (a *actor) lacks(s *shape) bool {
	return a.kind != service && (s.salt^a.salt)*0x9e3779b97f4a7c15>>32%6 == 0
}

// denial appends that an actor has no right to a call.
func (w *writer) denial(s *shape, a *actor) {
	code := "AccessDenied"
	if s.service == "ec2" {
		code = "Client.UnauthorizedOperation"
	}
	w.b = append(w.b, `,"errorCode":`...)
	w.text(code)
	w.b = append(w.b, `,"errorMessage":"User: `...)
	w.b = append(w.b, a.arn...)
	w.b = append(w.b, ` is not authorized to perform: `...)
	w.b = append(w.b, s.service...)
	w.b = append(w.b, ':')
	w.b = append(w.b, s.name...)
	w.b = append(w.b, ` because no identity-based policy allows the action"`...)
}

// failure appends an error that is no denial.
func (w *writer) failure(s *shape) {
	if s.failure == nil {
		w.b = append(w.b, `,"errorCode":"ThrottlingException","errorMessage":"Rate exceeded"`...)
		return
	}
	w.b = append(w.b, `,"errorCode":"`...)
	w.fill(s.failure)
	w.b = append(w.b, '"')
	if s.message != nil {
		w.b = append(w.b, `,"errorMessage":"`...)
		w.fill(s.message)
		w.b = append(w.b, '"')
	}
}

// optional appends a template or null.
func (w *writer) optional(t template) {
	if t == nil {
		w.b = append(w.b, "null"...)
		return
	}
	w.fill(t)
}

// tail appends what every record has behind its type.
func (w *writer) tail(management bool) {
	w.b = append(w.b, `,"managementEvent":`...)
	w.bool(management)
	w.b = append(w.b, `,"recipientAccountId":`...)
	w.text(w.account.id)
}

// tls appends how the call was encrypted.
func (w *writer) tls(service string) {
	w.b = append(w.b, `,"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"`...)
	w.b = append(w.b, service...)
	w.b = append(w.b, '.')
	w.b = append(w.b, w.region...)
	w.b = append(w.b, `.amazonaws.com"}`...)
}

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, "true"...)
	} else {
		w.b = append(w.b, "false"...)
	}
}
