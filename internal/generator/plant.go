package generator

// plant appends a planted record.
func (w *writer) plant(c *catalogue, e *event) {
	switch e.call {
	case failedLogin:
		w.login(e, "Failure", "No")
	case loginWithMFA:
		w.login(e, "Success", "Yes")
	case loginWithoutMFA:
		w.login(e, "Success", "No")
	case rootLogin:
		w.rootLogin(e)
	case rootCall:
		w.rootCall(e)
	default:
		w.planted(e, &c.planted[e.call])
	}
}

// login appends a console login of an IAM user. A failed one has no arn, and
// not always a message; an unknown user is not named.
func (w *writer) login(e *event, outcome, mfa string) {
	failed := outcome == "Failure"
	unknown := failed && e.number%5 == 3
	w.b = append(w.b, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":`...)
	if unknown {
		w.text("")
	} else {
		w.text(w.account.actors[person][e.user].principal)
	}
	w.b = append(w.b, ',')
	if !failed {
		w.b = append(w.b, `"arn":`...)
		w.text(w.account.actors[person][e.user].arn)
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, `"accountId":`...)
	w.text(w.account.id)
	if failed {
		w.b = append(w.b, `,"accessKeyId":""`...)
	}
	w.b = append(w.b, `,"userName":`...)
	if unknown {
		w.text("HIDDEN_DUE_TO_SECURITY_REASONS")
	} else {
		w.text(people[e.user])
	}
	w.b = append(w.b, '}')
	w.call("signin", "ConsoleLogin", e.source, browser)
	switch {
	case unknown:
		w.b = append(w.b, `,"errorMessage":"No username found in supplied account"`...)
	case failed && e.number%5 != 1:
		w.b = append(w.b, `,"errorMessage":"Failed authentication"`...)
	}
	w.signin(e, outcome, mfa)
}

// rootLogin appends a console login of the root user, who has an arn and no
// userName.
func (w *writer) rootLogin(e *event) {
	w.root(`"1.08"`, `"accessKeyId":""`)
	w.call("signin", "ConsoleLogin", e.source, browser)
	w.signin(e, "Success", "No")
}

// signin appends the rest of a console login.
func (w *writer) signin(e *event, outcome, mfa string) {
	w.b = append(w.b, `,"requestParameters":null,"responseElements":{"ConsoleLogin":`...)
	w.text(outcome)
	w.b = append(w.b, `},"additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true&state=hashArgsFromTB_`...)
	w.b = append(w.b, w.region...)
	w.b = append(w.b, `","MobileVersion":"No","MFAUsed":`...)
	w.text(mfa)
	w.b = append(w.b, `},"eventID":`...)
	w.text(e.id)
	w.b = append(w.b, `,"readOnly":false,"eventType":"AwsConsoleSignIn"`...)
	w.tail(true)
	w.b = append(w.b, `,"eventCategory":"Management"`...)
	w.tls("signin")
	w.b = append(w.b, '}')
}

// root appends the beginning of a record of the root user.
func (w *writer) root(version, credentials string) {
	w.b = append(w.b, `{"eventVersion":`...)
	w.b = append(w.b, version...)
	w.b = append(w.b, `,"userIdentity":{"type":"Root","principalId":`...)
	w.text(w.account.id)
	w.b = append(w.b, `,"arn":"arn:aws:iam::`...)
	w.b = append(w.b, w.account.id...)
	w.b = append(w.b, `:root","accountId":`...)
	w.text(w.account.id)
	w.b = append(w.b, ',')
	w.b = append(w.b, credentials...)
	w.b = append(w.b, '}')
}

// rootCall appends what the root user does behind its login.
func (w *writer) rootCall(e *event) {
	w.root(`"1.09"`, `"accessKeyId":"ASIAROOTEXAMPLE2WXYZ","sessionContext":{"attributes":{"mfaAuthenticated":"false"}}`)
	w.call("iam", "GetAccountSummary", e.source, browser)
	w.b = append(w.b, `,"requestParameters":null,"responseElements":null,"requestID":"`...)
	w.uuid()
	w.b = append(w.b, `","eventID":`...)
	w.text(e.id)
	w.b = append(w.b, `,"readOnly":true,"eventType":"AwsApiCall"`...)
	w.tail(true)
	w.b = append(w.b, `,"eventCategory":"Management"`...)
	w.tls("iam")
	w.b = append(w.b, `,"sessionCredentialFromConsole":"true"}`...)
}

// plantedCall is an API call that is planted.
type plantedCall struct {
	service, name     string
	request, response template
}

const trailARN = `"arn:aws:cloudtrail:$R:$A:trail/management"`

// compilePlanted gives the planted calls by their kind.
func compilePlanted() []plantedCall {
	return []plantedCall{
		runInstances: {
			"ec2", "RunInstances",
			compile(`{"instancesSet":{"items":[{"imageId":"ami-0$h16","minCount":10,"maxCount":10}]},"instanceType":"p5.48xlarge","blockDeviceMapping":{},"monitoring":{"enabled":false},"disableApiTermination":true,"clientToken":"$u"}`),
			compile(`{"requestId":"$u","reservationId":"r-0$h16","ownerId":"$A","groupSet":{},"instancesSet":{"items":[{"instanceId":"i-0$h16","instanceType":"p5.48xlarge","instanceState":{"code":0,"name":"pending"},"networkInterfaceSet":{"items":[{"networkInterfaceId":"$e","privateIpAddressesSet":{"item":[{"privateIpAddress":"$p","primary":true}]}}]}}]}}`),
		},
		terminateInstances: {
			"ec2", "TerminateInstances",
			compile(`{"instancesSet":{"items":[{"instanceId":"$i"}]}}`),
			compile(`{"requestId":"$u","instancesSet":{"items":[{"instanceId":"$i","currentState":{"code":32,"name":"shutting-down"},"previousState":{"code":16,"name":"running"}}]}}`),
		},
		stopLogging: {"cloudtrail", "StopLogging", compile(`{"name":` + trailARN + `}`), nil},
		deleteTrail: {"cloudtrail", "DeleteTrail", compile(`{"name":` + trailARN + `}`), nil},
		updateTrail: {
			"cloudtrail", "UpdateTrail",
			compile(`{"name":` + trailARN + `,"isMultiRegionTrail":false,"includeGlobalServiceEvents":false}`),
			compile(`{"name":"management","trailARN":` + trailARN + `,"s3BucketName":"$b","includeGlobalServiceEvents":false,"isMultiRegionTrail":false,"logFileValidationEnabled":false,"isOrganizationTrail":false}`),
		},
		putEventSelectors: {
			"cloudtrail", "PutEventSelectors",
			compile(`{"trailName":` + trailARN + `,"eventSelectors":[{"readWriteType":"ReadOnly","includeManagementEvents":false,"dataResources":[]}]}`),
			compile(`{"trailARN":` + trailARN + `,"eventSelectors":[{"readWriteType":"ReadOnly","includeManagementEvents":false,"dataResources":[],"excludeManagementEventSources":[]}]}`),
		},
		openToIPv4: {
			"ec2", "AuthorizeSecurityGroupIngress",
			compile(`{"groupId":"$g","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"groups":{},"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}`),
			compile(`{"requestId":"$u","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"$A","groupId":"$g","securityGroupRuleId":"sgr-0$h16","isEgress":false,"ipProtocol":"tcp","fromPort":22,"toPort":22,"cidrIpv4":"0.0.0.0/0"}]}}`),
		},
		openToIPv6: {
			"ec2", "AuthorizeSecurityGroupIngress",
			compile(`{"groupId":"$g","ipPermissions":{"items":[{"ipProtocol":"-1","groups":{},"ipRanges":{},"ipv6Ranges":{"items":[{"cidrIpv6":"::/0"}]},"prefixListIds":{}}]}}`),
			compile(`{"requestId":"$u","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"$A","groupId":"$g","securityGroupRuleId":"sgr-0$h16","isEgress":false,"ipProtocol":"-1","cidrIpv6":"::/0"}]}}`),
		},
	}
}

// planted appends an API call by an IAM user whose key was stolen.
func (w *writer) planted(e *event, c *plantedCall) {
	thief := *w.account.actors[person][0]
	thief.source, thief.agent = e.source, agents[0]
	w.head(&thief)
	w.call(c.service, c.name, thief.source, thief.agent)
	w.b = append(w.b, `,"requestParameters":`...)
	w.optional(c.request)
	w.b = append(w.b, `,"responseElements":`...)
	w.optional(c.response)
	w.b = append(w.b, `,"requestID":"`...)
	w.uuid()
	w.b = append(w.b, `","eventID":`...)
	w.text(e.id)
	w.b = append(w.b, `,"readOnly":false,"eventType":"AwsApiCall"`...)
	w.tail(true)
	w.b = append(w.b, `,"eventCategory":"Management"`...)
	w.tls(c.service)
	w.b = append(w.b, '}')
}
