package smolvm

import (
	"os"
	"path/filepath"
)

// Home is where one smolvm keeps records, disks and layers: a private HOME, so
// that machines of different homes share nothing and cannot meet.
type Home struct {
	Dir       string   // absolute; becomes HOME; made with 0700 if missing
	AgentRoot string   // private copy of the system that the VM boots, SMOLVM_AGENT_ROOTFS; "" leaves it to the command
	Path      string   // PATH; "" means the system's folders
	Locale    string   // LANG; "" means C.UTF-8
	Env       []string // further K=V, for a stand-in command and tests; nothing of a person's smolvm belongs here
}

// Folders in which the wrapper script and mkfs.ext4 are found on macOS and on
// Linux.
const systemPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

// Environ is the whole environment of a command that works in h. Nothing is
// inherited: any XDG or SMOLVM variable of a person would lead back to the
// state that all their machines share.
func (h Home) Environ() []string {
	path, lang := h.Path, h.Locale
	if path == "" {
		path = systemPath
	}
	if lang == "" {
		lang = "C.UTF-8"
	}
	env := []string{"HOME=" + h.Dir, "PATH=" + path, "LANG=" + lang, "RUST_LOG=error"}
	if h.AgentRoot != "" {
		env = append(env, "SMOLVM_AGENT_ROOTFS="+h.AgentRoot)
	}
	return append(env, h.Env...)
}

// linkTemplate puts the empty disk that pack create formats from where smolvm
// looks for it in this home.
func (h Home) linkTemplate(template string) error {
	if template == "" {
		return nil
	}
	dir := filepath.Join(h.Dir, ".smolvm")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	err := os.Symlink(template, filepath.Join(dir, templateName))
	if os.IsExist(err) {
		return nil
	}
	return err
}

const templateName = "storage-template.ext4"
