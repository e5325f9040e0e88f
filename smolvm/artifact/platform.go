package artifact

import "strings"

// Arch returns the architecture of a platform as Go and OCI name it ("amd64",
// "arm64"), or of a bare architecture name; unknown ones come back as they are.
func Arch(platform string) string {
	parts := strings.Split(platform, "/")
	arch := parts[0]
	if len(parts) > 1 {
		arch = parts[1]
	}
	switch arch = strings.ToLower(strings.TrimSpace(arch)); arch {
	case "x86_64", "x86-64", "x64":
		return "amd64"
	case "aarch64", "arm64v8":
		return "arm64"
	}
	return arch
}

// CheckPlatform says whether a machine packed as m runs on a computer with
// this architecture ("amd64", "x86_64", "arm64", ...). The guest is always
// Linux; the host's system does not matter. The error is a [*PlatformError],
// or a [*FormatError] when the manifest names no Linux platform.
func CheckPlatform(m *Manifest, goarch string) error {
	system, arch, ok := strings.Cut(m.Platform, "/")
	if !ok || arch == "" || !strings.EqualFold(system, "linux") {
		return refused(ClassManifest, "its platform is %s, and only Linux guests run", quote(m.Platform))
	}
	have, want := Arch(m.Platform), Arch(goarch)
	if have == want {
		return nil
	}
	return &PlatformError{Artifact: Clean(have), Host: Clean(want), Platform: Clean(m.Platform)}
}
