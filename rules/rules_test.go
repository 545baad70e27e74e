package rules

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailbell/trailbell/sigma"
	"github.com/trailbell/trailbell/sigma/ruletest"
)

func shipped(t testing.TB) (*sigma.Collection, *sigma.Set) {
	t.Helper()
	c, errs := Load()
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, errs := sigma.Compile(c, sigma.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return c, set
}

func TestShippedRulesAreNotOdd(t *testing.T) {
	_, set := shipped(t)
	for _, warning := range set.Warnings() {
		t.Error(warning)
	}
}

// metas returns what every shipped rule says about itself, by file.
func metas(c *sigma.Collection) map[string][]sigma.Meta {
	byFile := map[string][]sigma.Meta{}
	for _, r := range c.Rules {
		byFile[r.File] = append(byFile[r.File], r.Meta)
	}
	for _, r := range c.Correlations {
		byFile[r.File] = append(byFile[r.File], r.Meta)
	}
	return byFile
}

func TestShippedRulesRingAsTheirTestsSay(t *testing.T) {
	c, _ := shipped(t)
	files, errs := ruletest.Load(FS, ".")
	for _, err := range errs {
		t.Error(err)
	}
	runner, errs := ruletest.New(c, sigma.Options{})
	for _, err := range errs {
		t.Error(err)
	}
	for r := range runner.Results(t.Context(), files) {
		t.Run(path.Base(r.File)+"/"+r.Case, func(t *testing.T) {
			if r.Err != nil {
				t.Error(r.Err)
			}
			for _, d := range r.Differences {
				t.Errorf("%s:%d:%d: %s", r.File, r.Line, r.Column, d)
			}
		})
	}
	untested, silent := runner.Unrung(files)
	for _, m := range untested {
		t.Errorf("%s:%d: %s has no tests beside it", m.File, m.Line, m.Name)
	}
	for _, m := range silent {
		t.Errorf("%s:%d: no test makes %s ring", m.File, m.Line, m.Name)
	}
}

var (
	uuid  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	snake = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	tag   = regexp.MustCompile(`^attack\.(` + tactics + `|t[0-9]{4}(\.[0-9]{3})?)$`)
)

// tactics are those of ATT&CK for enterprises since version 19, which parted
// defense evasion in two.
const tactics = "reconnaissance|resource-development|initial-access|execution|persistence|privilege-escalation|stealth|" +
	"defense-impairment|credential-access|discovery|lateral-movement|collection|command-and-control|exfiltration|impact"

// counted are the rules that are there to be counted by correlations: one match
// of them says nothing, and so they must not alert.
var counted = []string{"access_denied", "access_key_used", "object_deleted", "secret_read"}

func TestShippedRulesAreComplete(t *testing.T) {
	c, set := shipped(t)
	for file, own := range metas(c) {
		for _, m := range own {
			if !uuid.MatchString(m.ID) {
				t.Errorf("%s: id %q is not a random UUID", file, m.ID)
			}
			if !snake.MatchString(m.Name) || len(m.Name) > 48 {
				t.Errorf("%s: name %q is not a subject token in snake_case", file, m.Name)
			}
			if len(m.Title) > 256 || m.Author != "Trailbell" || m.Status == "" || m.Level == 0 {
				t.Errorf("%s: %s: title, author, status or level", file, m.Name)
			}
			for _, part := range []string{"Response:", "Trail:"} {
				if !strings.Contains(m.Description, part) {
					t.Errorf("%s: the description of %s does not say %q", file, m.Name, part)
				}
			}
			if len(m.FalsePositives) == 0 || len(m.References) == 0 {
				t.Errorf("%s: %s has no false positives or references", file, m.Name)
			}
			for _, r := range m.References {
				if u, err := url.Parse(r); err != nil || u.Scheme != "https" || u.Host != "docs.aws.amazon.com" {
					t.Errorf("%s: %q is not an address of the AWS documentation", file, r)
				}
			}
			technique := false
			for _, s := range m.Tags {
				technique = technique || strings.HasPrefix(s, "attack.t1")
				if !tag.MatchString(s) {
					t.Errorf("%s: tag %q", file, s)
				}
			}
			if !technique {
				t.Errorf("%s: %s has no ATT&CK technique", file, m.Name)
			}
		}
		if base := strings.TrimSuffix(path.Base(file), ".yml"); own[0].Name != base {
			t.Errorf("%s holds rule %q first", file, own[0].Name)
		}
	}
	for _, r := range set.Rules() {
		if name := r.Meta().Name; r.Alerts() == slices.Contains(counted, name) {
			t.Errorf("%s alerts by itself: %v; a correlation over it says or lacks \"generate: true\", or the list of this test is wrong", name, r.Alerts())
		}
	}
}

// Levels and names are what users' configuration and other parts of the
// program refer to.
func TestShippedRules(t *testing.T) {
	c, _ := shipped(t)
	var got []string
	for _, own := range metas(c) {
		for _, m := range own {
			got = append(got, m.Name+" "+m.Level.String())
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{
		"access_denied informational",
		"access_denied_burst medium",
		"access_denied_many_calls high",
		"access_key_created_and_used low",
		"access_key_created_for_another_user medium",
		"access_key_used informational",
		"access_key_used_elsewhere high",
		"account_left_organization high",
		"administrator_policy_attached high",
		"bucket_expires_objects_soon medium",
		"bucket_opened_to_world high",
		"bucket_protection_weakened medium",
		"config_recorder_stopped medium",
		"console_brute_force high",
		"console_brute_force_account medium",
		"console_brute_force_then_login critical",
		"console_login_failure medium",
		"console_login_success low",
		"console_login_without_mfa medium",
		"console_password_set medium",
		"db_snapshot_made_public high",
		"db_snapshot_shared medium",
		"dns_query_log_deleted medium",
		"ebs_encryption_by_default_disabled medium",
		"federation_token_issued medium",
		"flow_logs_deleted medium",
		"foundation_model_access_requested medium",
		"function_opened_to_world high",
		"guardduty_disabled high",
		"identity_provider_changed medium",
		"instance_password_read low",
		"instance_user_data_changed medium",
		"instances_launched_in_many_regions high",
		"key_disabled_or_deletion_scheduled high",
		"many_instance_passwords_read high",
		"many_instances_terminated high",
		"many_objects_deleted high",
		"many_secrets_read medium",
		"mfa_device_removed medium",
		"object_deleted informational",
		"policy_allows_everything high",
		"public_access_block_removed medium",
		"role_trust_given_to_another_account medium",
		"role_trust_opened_to_anyone high",
		"root_access_key_created critical",
		"root_activity high",
		"root_console_login_without_mfa critical",
		"run_instances low",
		"secret_read informational",
		"secrets_read_by_filter medium",
		"security_group_open_to_world medium",
		"securityhub_disabled medium",
		"serial_console_enabled medium",
		"snapshot_or_image_made_public high",
		"snapshot_or_image_shared medium",
		"ssm_session_or_command low",
		"terminate_instances medium",
		"trail_changed medium",
		"trail_tampering high",
		"trust_anchor_created medium",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
