package generator

import (
	"hash/fnv"
	"sync"
)

// shape is a kind of event: what is called, how often, by whom, and with what.
type shape struct {
	service, name string
	weight        int
	by            kind
	readOnly      bool
	// tls says that the service records how the call was encrypted.
	tls bool
	// data says that it is a data event, for which a trail has to be set up.
	data bool
	// Templates; an empty one is null for request and response, and nothing for
	// the rest.
	request, response, additional, resources template
	// failure is what it fails with when it does not fail with a denial; nil is
	// throttling.
	failure, message template
	// salt chooses who is denied it, see lacks.
	salt uint64
}

// text of a shape, before it is compiled. None of them may ring a shipped rule:
// a trail rings where attacks are planted, and nowhere else.
type source struct {
	service, name string
	weight        int
	by            kind
	flags         string // r: read only, d: data event
	request       string
	response      string
	additional    string
	resources     string
	failure       string
	message       string
}

const (
	kmsKey   = `{"accountId":"$A","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$R:$A:key/$K"}`
	s3Object = `{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::$b/$o"},{"accountId":"$A","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$b"}`
	s3Extra  = `{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"$c28","bytesTransferredOut":$d5}`
	token    = `{"accessKeyId":"ASIA$U16","sessionToken":"IQoJb3JpZ2luX2Vj$c620==","expiration":"$X"}`
)

var sources = []source{
	{"ec2", "DescribeInstances", 70, machine, "r", `{"instancesSet":{"items":[{"instanceId":"$i"}]},"filterSet":{}}`, "", "", "", "Client.InvalidInstanceID.NotFound", "The instance ID '$i' does not exist"},
	{"ec2", "DescribeInstances", 25, person, "r", `{"maxResults":1000,"instancesSet":{},"filterSet":{"items":[{"name":"tag:application","valueSet":{"items":[{"value":"$f"}]}},{"name":"instance-state-name","valueSet":{"items":[{"value":"running"},{"value":"pending"}]}}]}}`, "", "", "", "", ""},
	{"ec2", "DescribeInstanceStatus", 25, linked, "r", `{"instancesSet":{"items":[{"instanceId":"$i"},{"instanceId":"$i"},{"instanceId":"$i"}]},"filterSet":{},"includeAllInstances":true}`, "", "", "", "", ""},
	{"ec2", "DescribeVolumes", 25, machine, "r", `{"volumeSet":{},"filterSet":{"items":[{"name":"attachment.instance-id","valueSet":{"items":[{"value":"$i"}]}}]}}`, "", "", "", "Client.RequestLimitExceeded", "Request limit exceeded."},
	{"ec2", "DescribeSecurityGroups", 30, person, "r", `{"maxResults":200,"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"$g"}]},"filterSet":{}}`, "", "", "", "Client.InvalidGroup.NotFound", "The security group '$g' does not exist"},
	{"ec2", "DescribeNetworkInterfaces", 35, machine, "r", `{"networkInterfaceIdSet":{},"filterSet":{"items":[{"name":"network-interface-id","valueSet":{"items":[{"value":"$e"}]}},{"name":"subnet-id","valueSet":{"items":[{"value":"$s"}]}}]}}`, "", "", "", "Client.RequestLimitExceeded", "Request limit exceeded."},
	{"ec2", "DescribeTags", 20, machine, "r", `{"maxResults":1000,"filterSet":{"items":[{"name":"resource-id","valueSet":{"items":[{"value":"$i"}]}}]}}`, "", "", "", "", ""},
	{"ec2", "DescribeSubnets", 15, person, "r", `{"subnetSet":{},"filterSet":{"items":[{"name":"vpc-id","valueSet":{"items":[{"value":"$v"}]}}]}}`, "", "", "", "", ""},
	{"s3", "GetBucketAcl", 28, service, "r", `{"bucketName":"$b","Host":"$b.s3.$R.amazonaws.com","acl":""}`, "", `{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"$c28","bytesTransferredOut":556}`, `{"accountId":"$A","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$b"}`, "", ""},
	{"s3", "GetObject", 45, machine, "rd", `{"bucketName":"$b","Host":"$b.s3.$R.amazonaws.com","key":"$o"}`, "", s3Extra, s3Object, "NoSuchKey", "The specified key does not exist."},
	{"s3", "ListObjects", 25, machine, "rd", `{"list-type":"2","bucketName":"$b","prefix":"events/","delimiter":"/","encoding-type":"url","Host":"$b.s3.$R.amazonaws.com"}`, "", s3Extra, `{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::$b/events/"},{"accountId":"$A","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$b"}`, "NoSuchBucket", "The specified bucket does not exist"},
	{"s3", "GetBucketPolicy", 14, person, "r", `{"bucketName":"$b","Host":"$b.s3.$R.amazonaws.com","policy":""}`, "", s3Extra, `{"accountId":"$A","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$b"}`, "NoSuchBucketPolicy", "The bucket policy does not exist"},
	{"iam", "GetRole", 20, person, "r", `{"roleName":"$f-service"}`, "", "", "", "NoSuchEntityException", "The role with name $f-service cannot be found."},
	{"iam", "ListAttachedRolePolicies", 15, person, "r", `{"roleName":"$f-service"}`, "", "", "", "NoSuchEntityException", "The role with name $f-service cannot be found."},
	{"iam", "GetPolicyVersion", 15, machine, "r", `{"policyArn":"arn:aws:iam::$A:policy/$f-access","versionId":"v$d1"}`, "", "", "", "", ""},
	{"iam", "ListUsers", 6, person, "r", `{"maxItems":1000}`, "", "", "", "", ""},
	{"sts", "GetCallerIdentity", 25, machine, "r", ``, "", "", "", "", ""},
	{"sts", "AssumeRole", 18, service, "r", `{"roleArn":"arn:aws:iam::$A:role/$f-service","roleSessionName":"$i"}`, `{"credentials":` + token + `}`, "", `{"accountId":"$A","type":"AWS::IAM::Role","ARN":"arn:aws:iam::$A:role/$f-service"}`, "", ""},
	{"sts", "AssumeRole", 15, machine, "r", `{"roleArn":"arn:aws:iam::$A:role/$f-service","roleSessionName":"$f-$d10","durationSeconds":3600}`, `{"credentials":` + token + `,"assumedRoleUser":{"assumedRoleId":"AROA$U17:$f","arn":"arn:aws:sts::$A:assumed-role/$f-service/$f"}}`, "", `{"accountId":"$A","type":"AWS::IAM::Role","ARN":"arn:aws:iam::$A:role/$f-service"}`, "", ""},
	{"kms", "Decrypt", 75, machine, "r", `{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::$b"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`, "", "", kmsKey, "", ""},
	{"kms", "GenerateDataKey", 25, machine, "r", `{"keySpec":"AES_256","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::$b"},"keyId":"arn:aws:kms:$R:$A:key/$K"}`, "", "", kmsKey, "", ""},
	{"kms", "DescribeKey", 15, person, "r", `{"keyId":"arn:aws:kms:$R:$A:key/$K"}`, "", "", kmsKey, "NotFoundException", "Key 'arn:aws:kms:$R:$A:key/$K' does not exist"},
	{"lambda", "GetFunction20150331v2", 14, person, "r", `{"functionName":"arn:aws:lambda:$R:$A:function:$f-handler"}`, "", "", "", "ResourceNotFoundException", "Function not found: arn:aws:lambda:$R:$A:function:$f-handler"},
	{"lambda", "ListTags20170331", 10, person, "r", `{"resource":"arn:aws:lambda:$R:$A:function:$f-handler"}`, "", "", "", "", ""},
	{"logs", "DescribeLogStreams", 30, machine, "r", `{"logGroupName":"/aws/lambda/$f-handler","logStreamNamePrefix":"$T","descending":false,"limit":50}`, "", "", "", "ResourceNotFoundException", "The specified log group does not exist."},
	{"logs", "DescribeLogGroups", 15, linked, "r", `{"logGroupNamePrefix":"/aws/lambda/$f"}`, "", "", "", "", ""},
	{"monitoring", "DescribeAlarms", 18, machine, "r", `{"alarmNamePrefix":"TargetTracking-service/$f","maxRecords":100}`, "", "", "", "ThrottlingException", "Rate exceeded"},
	{"rds", "DescribeDBInstances", 15, machine, "r", `{"dBInstanceIdentifier":"$f-primary"}`, "", "", "", "DBInstanceNotFound", "DBInstance $f-primary not found."},
	{"dynamodb", "DescribeTable", 22, machine, "r", `{"tableName":"$f-state"}`, "", "", `{"accountId":"$A","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:$R:$A:table/$f-state"}`, "ResourceNotFoundException", "Requested resource not found: Table: $f-state not found"},
	{"ssm", "GetParameter", 22, machine, "r", `{"name":"/$f/production/database-url","withDecryption":true}`, "", "", `{"accountId":"$A","ARN":"arn:aws:ssm:$R:$A:parameter/$f/production/database-url"}`, "ParameterNotFound", ""},
	{"secretsmanager", "GetSecretValue", 16, machine, "r", `{"secretId":"arn:aws:secretsmanager:$R:$A:secret:$f/api-key-Tb4xQ2"}`, "", "", "", "ResourceNotFoundException", "Secrets Manager can't find the specified secret."},
	{"elasticloadbalancing", "DescribeTargetHealth", 14, linked, "r", `{"targetGroupArn":"arn:aws:elasticloadbalancing:$R:$A:targetgroup/$f/$h16"}`, "", `{}`, "", "TargetGroupNotFoundException", "One or more target groups not found"},
	{"ecr", "BatchGetImage", 14, machine, "r", `{"registryId":"$A","repositoryName":"$f","imageIds":[{"imageDigest":"sha256:$h64"}],"acceptedMediaTypes":["application/vnd.docker.distribution.manifest.v2+json","application/vnd.oci.image.manifest.v1+json","application/vnd.oci.image.index.v1+json"]}`, "", "", `{"accountId":"$A","ARN":"arn:aws:ecr:$R:$A:repository/$f"}`, "ImageNotFoundException", "The image with imageId does not exist within the repository with name '$f'"},
	{"cloudtrail", "LookupEvents", 8, person, "r", `{"maxResults":50,"lookupAttributes":[{"attributeKey":"ReadOnly","attributeValue":"false"}]}`, "", "", "", "", ""},
	{"cloudtrail", "GetTrailStatus", 8, person, "r", `{"name":"arn:aws:cloudtrail:$R:$A:trail/management"}`, "", "", "", "", ""},
	{"health", "DescribeEventAggregates", 10, person, "r", `{"filter":{"startTimes":[{"from":"$T"}],"eventStatusCodes":["open","upcoming"]},"aggregateField":"eventTypeCategory"}`, "", "", "", "", ""},

	{"logs", "CreateLogStream", 52, machine, "", `{"logGroupName":"/aws/lambda/$f-handler","logStreamName":"$T[1]$h32"}`, "", "", "", "ResourceAlreadyExistsException", "The specified log stream already exists"},
	{"ssm", "UpdateInstanceInformation", 54, machine, "", `{"instanceId":"$i","agentVersion":"3.3.551.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"$p","computerName":"ip-$d3.$R.compute.internal","agentName":"amazon-ssm-agent","availabilityZone":"$R","sSMConnectionChannel":"ssmmessages"}`, "", "", "", "", ""},
	{"s3", "PutObject", 30, machine, "d", `{"bucketName":"$b","Host":"$b.s3.$R.amazonaws.com","key":"$o","x-amz-server-side-encryption":"aws:kms"}`, `{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:$R:$A:key/$K"}`, s3Extra, s3Object, "NoSuchBucket", "The specified bucket does not exist"},
	{"ec2", "CreateTags", 14, machine, "", `{"resourcesSet":{"items":[{"resourceId":"$i"}]},"tagSet":{"items":[{"key":"application","value":"$f"},{"key":"owner","value":"platform"}]}}`, `{"requestId":"$u","_return":true}`, "", "", "", ""},
	{"ec2", "CreateNetworkInterface", 10, linked, "", `{"subnetId":"$s","description":"AWS Lambda VPC ENI-$f-handler","groupSet":{"items":[{"groupId":"$g"}]},"privateIpAddressesSet":{},"clientToken":"$u"}`, `{"requestId":"$u","networkInterface":{"networkInterfaceId":"$e","subnetId":"$s","vpcId":"$v","availabilityZone":"$R","description":"AWS Lambda VPC ENI-$f-handler","ownerId":"$A","requesterManaged":false,"status":"pending","macAddress":"06:$h2:$h2:$h2:$h2:$h2","privateIpAddress":"$p","sourceDestCheck":true,"groupSet":{"items":[{"groupId":"$g","groupName":"$f-handler"}]},"privateIpAddressesSet":{"item":[{"privateIpAddress":"$p","primary":true}]},"tagSet":{}}}`, "", "", "", ""},
	{"ec2", "AuthorizeSecurityGroupIngress", 4, person, "", `{"groupId":"$g","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"$p/32","description":"$f"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}`, `{"requestId":"$u","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"$A","groupId":"$g","securityGroupRuleId":"sgr-0$h16","description":"$f","isEgress":false,"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"$p/32"}]}}`, "", "", "", ""},
	{"ec2", "CreateSnapshot", 6, machine, "", `{"volumeId":"vol-0$h16","description":"nightly backup of $i","tagSpecificationSet":{}}`, `{"requestId":"$u","snapshotId":"snap-0$h16","volumeId":"vol-0$h16","status":"pending","startTime":$d13,"progress":"","ownerId":"$A","volumeSize":100,"description":"nightly backup of $i","encrypted":true}`, "", "", "", ""},
	{"ec2", "RequestSpotFleet", 2, machine, "", `{"spotFleetRequestConfig":{"targetCapacity":4,"iamFleetRole":"arn:aws:iam::$A:role/fleet","allocationStrategy":"capacityOptimized","launchSpecifications":[{"imageId":"ami-0$h16","instanceType":"m6i.large","networkInterfaceSet":{"items":[{"deviceIndex":0,"subnetId":"$s","groupSet":{"items":[{"groupId":"$g"}]},"privateIpAddressesSet":{"items":[{"privateIpAddress":"$p","primary":true}]}}]}}]}}`, `{"requestId":"$u","spotFleetRequestId":"sfr-$u"}`, "", "", "", ""},
	{"ecs", "RegisterTaskDefinition", 12, machine, "", `{"family":"$f","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"512","memory":"1024","executionRoleArn":"arn:aws:iam::$A:role/ecs-execution","containerDefinitions":[{"name":"$f","image":"$A.dkr.ecr.$R.amazonaws.com/$f:$h40","essential":true,"portMappings":[{"containerPort":8080,"protocol":"tcp"}],"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/ecs/$f","awslogs-region":"$R","awslogs-stream-prefix":"$f"}}}]}`, `{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:$R:$A:task-definition/$f:$d3","family":"$f","revision":$d3,"status":"ACTIVE","networkMode":"awsvpc","cpu":"512","memory":"1024","registeredAt":"$T","registeredBy":"arn:aws:iam::$A:role/deploy-pipeline","compatibilities":["EC2","FARGATE"],"requiresAttributes":[{"name":"com.amazonaws.ecs.capability.logging-driver.awslogs"},{"name":"ecs.capability.execution-role-awslogs"},{"name":"com.amazonaws.ecs.capability.ecr-auth"},{"name":"ecs.capability.task-eni"}]}}`, "", "", "", ""},
	{"kms", "CreateGrant", 6, linked, "", `{"keyId":"arn:aws:kms:$R:$A:key/$K","granteePrincipal":"ec2.$R.amazonaws.com","retiringPrincipal":"ec2.$R.amazonaws.com","operations":["Decrypt","GenerateDataKeyWithoutPlaintext","ReEncryptFrom","ReEncryptTo","CreateGrant","DescribeKey","RetireGrant"],"constraints":{"encryptionContextSubset":{"aws:ebs:id":"vol-0$h16"}}}`, `{"grantId":"$h64","keyId":"arn:aws:kms:$R:$A:key/$K"}`, "", kmsKey, "", ""},
	{"cloudformation", "CreateChangeSet", 4, person, "", `{"stackName":"$f","changeSetName":"deploy-$d10","changeSetType":"UPDATE","capabilities":["CAPABILITY_NAMED_IAM"],"parameters":[{"parameterKey":"Image","parameterValue":"$h40"},{"parameterKey":"Environment","parameterValue":"production"}]}`, `{"id":"arn:aws:cloudformation:$R:$A:changeSet/deploy-$d10/$u","stackId":"arn:aws:cloudformation:$R:$A:stack/$f/$u"}`, "", "", "ValidationError", "Stack [$f] does not exist"},
}

// catalogue is sources, compiled, with the sum of their weights.
type catalogue struct {
	shapes []shape
	// byWeight has a shape's index as many times as its weight.
	byWeight []uint8
	planted  []plantedCall
}

func salt(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

var loadCatalogue = sync.OnceValue(func() *catalogue {
	c := &catalogue{planted: compilePlanted()}
	some := func(text string) template {
		if text == "" {
			return nil
		}
		return compile(text)
	}
	for i, s := range sources {
		sh := shape{
			service: s.service, name: s.name, weight: s.weight, by: s.by,
			request: some(s.request), response: some(s.response), additional: some(s.additional),
			resources: some(s.resources), failure: some(s.failure), message: some(s.message),
			salt: salt(s.service + ":" + s.name),
		}
		switch s.service {
		case "s3", "logs", "ssm", "monitoring", "dynamodb", "ecr", "rds", "kms", "sts", "elasticloadbalancing":
		default:
			sh.tls = true
		}
		for _, flag := range s.flags {
			switch flag {
			case 'r':
				sh.readOnly = true
			case 'd':
				sh.data = true
			}
		}
		c.shapes = append(c.shapes, sh)
		for range s.weight {
			c.byWeight = append(c.byWeight, uint8(i))
		}
	}
	return c
})
