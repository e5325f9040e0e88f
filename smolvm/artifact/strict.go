package artifact

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Bounds of what a manifest may ask for.
const (
	minMemMiB  = 64       // below it smolvm refuses
	maxMemMiB  = 4 << 20  // 4 TiB
	maxLogical = 1 << 40  // bytes of a disk image with its holes
	maxLayers  = 1024     //
	maxStrings = 16 << 10 // entries of entrypoint, cmd, env
	maxText    = 4 << 10  // bytes of a reference, a path
)

var reDigest = regexp.MustCompile(`^(none|[a-z0-9]+([.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,128})$`)

// Strict refuses what smolvm would take although no writer makes it so, or
// although nobody should start it. It looks at footer and manifest only.
// Network is not refused here: whoever launches does, see Manifest.Network.
func (f *File) Strict() error {
	if err := f.Footer.strict(uint64(f.Size)); err != nil {
		return err
	}
	m := &f.Manifest
	for _, check := range []func(*Manifest) error{checkSecrets, checkText, checkNumbers, checkAssets} {
		if err := check(m); err != nil {
			return err
		}
	}
	return nil
}

func checkSecrets(m *Manifest) error {
	if len(m.Secrets) == 0 {
		return nil
	}
	names := m.Secrets[:min(len(m.Secrets), 4)]
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return faulty(ClassSecrets, "it wants secrets of this computer ("+strings.Join(quoted, ", ")+")", "",
		"pack it again without secret references")
}

func checkText(m *Manifest) error {
	if m.Mode != "container" && m.Mode != "vm" {
		return refused(ClassManifest, "its mode %s is not known", quote(m.Mode))
	}
	if !reDigest.MatchString(m.Digest) {
		return refused(ClassManifest, "its image digest %s is none", quote(m.Digest))
	}
	for _, s := range []string{m.Image, m.Platform, m.Workdir, m.HostPlatform, m.Created, m.SmolvmVersion} {
		if len(s) > maxText || hasControl(s) {
			return refused(ClassManifest, "its manifest holds text that is none: %s", quote(s))
		}
	}
	if m.Workdir != "" && !strings.HasPrefix(m.Workdir, "/") {
		return refused(ClassManifest, "its working folder %s is not absolute", quote(m.Workdir))
	}
	for _, list := range [][]string{m.Entrypoint, m.Cmd, m.Env} {
		if len(list) > maxStrings {
			return refused(ClassManifest, "its command or environment is too long")
		}
		for _, s := range list {
			if strings.ContainsRune(s, 0) {
				return refused(ClassManifest, "its command or environment holds a NUL: %s", quote(s))
			}
		}
	}
	return nil
}

// hasControl finds ASCII and Latin-1 control characters.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || (r >= 0x7f && r < 0xa0) || r == utf8.RuneError })
}

func checkNumbers(m *Manifest) error {
	switch a := &m.Assets; {
	case m.CPUs < 1:
		return refused(ClassManifest, "it asks for no CPU")
	case m.MemMiB < minMemMiB || m.MemMiB > maxMemMiB:
		return refused(ClassManifest, "it asks for %d MiB of memory", m.MemMiB)
	case m.ImageSize > MaxUnpacked:
		return refused(ClassLimit, "its image is larger than %d GiB", int64(MaxUnpacked>>30))
	case a.OverlayLogicalSize > maxLogical || a.StorageLogicalSize > maxLogical:
		return refused(ClassLimit, "it asks for a disk of more than %d GiB", int64(maxLogical>>30))
	case len(a.Layers) > maxLayers:
		return refused(ClassLimit, "it has more than %d layers", maxLayers)
	}
	return nil
}

func checkAssets(m *Manifest) error {
	a := &m.Assets
	list := append([]Asset{a.AgentRootfs}, a.Libraries...)
	for _, l := range a.Layers {
		list = append(list, l.Asset)
	}
	for _, t := range []*Asset{a.StorageTemplate, a.OverlayTemplate} {
		if t != nil {
			list = append(list, *t)
		}
	}
	for _, item := range list {
		if _, err := outerName(item.Path); err != nil {
			return refused(ClassManifest, "its manifest names a part %s that %s", quote(item.Path), err)
		}
		if item.Size > MaxUnpacked {
			return refused(ClassLimit, "its part %s is larger than %d GiB", quote(item.Path), int64(MaxUnpacked>>30))
		}
	}
	return layersApart(m)
}

// layersApart refuses one tar in two roles: agent root and layer are held to
// different rules.
func layersApart(m *Manifest) error {
	agent := fold(m.Assets.AgentRootfs.Path)
	for _, l := range m.Assets.Layers {
		if fold(l.Path) == agent || fold(l.Path) == fold(agentRootfs) {
			return refused(ClassManifest, "its manifest uses %s for two things", quote(l.Path))
		}
	}
	return nil
}

var (
	errEmptyName = errors.New("is empty")
	errAbsolute  = errors.New("is absolute")
	errParent    = errors.New("leads upwards")
	errTooLong   = errors.New("is too long")
	errBadChars  = errors.New("has characters that no part has")
	errNUL       = errors.New("holds a NUL")
)
