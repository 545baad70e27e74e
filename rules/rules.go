// Package rules holds the Sigma rules that Trailbell ships, embedded in the
// binary. A rule stands in a folder named after its eventSource, with its tests
// beside it in NAME.test.yml.
package rules

import (
	"embed"

	"github.com/trailbell/trailbell/sigma"
)

// FS holds the rule files and their tests.
//
//go:embed bedrock cloudtrail config ec2 guardduty iam kms lambda organizations rds rolesanywhere route53resolver s3 secretsmanager securityhub signin ssm sts
var FS embed.FS

// Load reads the shipped rules. An error is a defect of the build, which the
// tests of this package exclude.
func Load() (*sigma.Collection, []error) { return sigma.Load(FS, ".") }
