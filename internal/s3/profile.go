package s3

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
)

// configFiles are the shared configuration and credentials files, as the SDK
// chooses them ("Shared config and credentials files" of the AWS SDKs and
// Tools reference).
func configFiles() (configFile, credentialsFile string) {
	configFile, credentialsFile = os.Getenv("AWS_CONFIG_FILE"), os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
	if configFile == "" {
		configFile = config.DefaultSharedConfigFilename()
	}
	if credentialsFile == "" {
		credentialsFile = config.DefaultSharedCredentialsFilename()
	}
	return configFile, credentialsFile
}

// profiles are the names of the profiles in both files, sorted. A file that
// cannot be read has none.
func profiles() []string {
	configFile, credentialsFile := configFiles()
	var names []string
	for _, section := range sections(configFile) {
		// In the configuration file other sections stand beside the profiles,
		// such as [sso-session x]; only the default profile goes without the
		// word.
		if name, ok := strings.CutPrefix(section, "profile "); ok {
			names = append(names, strings.TrimSpace(name))
		} else if section == "default" {
			names = append(names, section)
		}
	}
	names = append(names, sections(credentialsFile)...)
	slices.Sort(names)
	return slices.Compact(names)
}

func sections(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var names []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if name, ok := strings.CutPrefix(line, "["); ok {
			if name, _, ok := strings.Cut(name, "]"); ok {
				names = append(names, strings.Join(strings.Fields(name), " "))
			}
		}
	}
	return names
}

// home writes a path below the home directory with a tilde.
func home(path string) string {
	dir, err := os.UserHomeDir()
	if err != nil || dir == "" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, dir+string(filepath.Separator)); ok {
		return "~" + string(filepath.Separator) + rest
	}
	return path
}

// usedProfile is the profile that the credentials come from, if they come from
// a profile.
func usedProfile(b Bucket) string {
	switch {
	case b.Profile != "":
		return b.Profile
	case os.Getenv("AWS_PROFILE") != "":
		return os.Getenv("AWS_PROFILE")
	}
	return "default"
}

func fromEnvironment(b Bucket) bool {
	return b.Keys == nil && b.Profile == "" && os.Getenv("AWS_ACCESS_KEY_ID") != ""
}

// usedCredentials names the credentials in a user's words.
func usedCredentials(b Bucket) string {
	if b.Keys != nil {
		return "the program itself (" + b.Keys.Access + ")"
	}
	if fromEnvironment(b) {
		return "the environment (AWS_ACCESS_KEY_ID)"
	}
	return "profile " + quote(usedProfile(b))
}

func quote(s string) string { return `"` + s + `"` }
