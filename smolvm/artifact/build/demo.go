package build

import (
	_ "embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

//go:embed claude.sh
var demoClaude []byte

// DemoOptions says what a demo artifact is made of.
type DemoOptions struct {
	Busybox string // a static busybox for the guest; /bin/busybox when empty
	Arch    string // of that busybox, such as "amd64"; this machine's when empty
	Cmd     []string
}

// Demo writes an artifact that needs nothing but a static busybox: a small
// Linux with root and a user "claude" (id 1000), and a command "claude" that
// says it is a demo and answers what is typed.
func Demo(w io.Writer, o DemoOptions) error {
	files, err := DemoFiles(o.Busybox)
	if err != nil {
		return err
	}
	if o.Arch == "" {
		o.Arch = runtime.GOARCH
	}
	return Write(w, Manifest{
		Image: "bottlebar.app/demo:latest", Platform: "linux/" + o.Arch,
		Cmd: o.Cmd, CPUs: 2, MemMiB: 1024, Workdir: "/home/claude/work",
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
	}, Layer{Files: files})
}

// DemoFiles is the root file system of [Demo]. An empty busybox means
// /bin/busybox.
func DemoFiles(busybox string) ([]File, error) {
	if busybox == "" {
		busybox = "/bin/busybox"
	}
	bin, err := os.ReadFile(busybox)
	if err != nil {
		return nil, fmt.Errorf("demo artifact: %w: install a static busybox (Debian: apt-get install busybox-static)", err)
	}
	if strings.Contains(string(bin[:min(len(bin), 4096)]), "/ld-") {
		return nil, fmt.Errorf("demo artifact: %s is linked dynamically: install a static busybox (Debian: apt-get install busybox-static)", busybox)
	}
	var files []File
	for _, d := range strings.Fields("bin dev etc home mnt opt proc root run sbin srv sys tmp usr usr/bin usr/local usr/local/bin var var/tmp") {
		mode := fs.ModeDir | 0o755
		switch d {
		case "tmp", "var/tmp":
			mode |= 0o777 | fs.ModeSticky
		case "root":
			mode = fs.ModeDir | 0o700
		}
		files = append(files, File{Name: d, Mode: mode})
	}
	files = append(files, File{Name: "bin/busybox", Mode: 0o755, Data: bin})
	for _, a := range strings.Fields(applets) {
		files = append(files, File{Name: "bin/" + a, Mode: fs.ModeSymlink | 0o777, Link: "busybox"})
	}
	files = append(files,
		File{Name: "usr/bin/env", Mode: fs.ModeSymlink | 0o777, Link: "../../bin/busybox"},
		File{Name: "etc/passwd", Mode: 0o644, Data: []byte("root:x:0:0:root:/root:/bin/sh\nclaude:x:1000:1000:Claude:/home/claude:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")},
		File{Name: "etc/group", Mode: 0o644, Data: []byte("root:x:0:\nclaude:x:1000:\nnogroup:x:65534:\n")},
		File{Name: "etc/hostname", Mode: 0o644, Data: []byte("bottle\n")},
		File{Name: "etc/os-release", Mode: 0o644, Data: []byte("NAME=\"Bottlebar demo\"\nID=bottlebar-demo\nVERSION_ID=1\nPRETTY_NAME=\"Bottlebar demo (busybox)\"\n")},
		File{Name: "etc/profile", Mode: 0o644, Data: []byte("export PS1='\\w $ '\n")},
		File{Name: "home/claude", Mode: fs.ModeDir | 0o755, UID: 1000, GID: 1000},
		File{Name: "home/claude/work", Mode: fs.ModeDir | 0o755, UID: 1000, GID: 1000},
		File{Name: "home/claude/work/README.md", Mode: 0o644, UID: 1000, GID: 1000, Data: []byte("# Demo\n\nThis folder belongs to the bottle. Drop files on the window to copy them here.\n")},
		File{Name: "usr/local/bin/claude", Mode: 0o755, Data: demoClaude},
	)
	return files, nil
}

// applets are linked to busybox in the demo; all are in Debian's static one.
const applets = `[ [[ ash awk base64 basename bc cat chgrp chmod chown chroot clear cmp cp cut date dd df diff
dirname dmesg du echo ed egrep env expand expr false fdisk find fold free grep groups gunzip gzip head hexdump
hostname id ifconfig ip kill killall less ln ls md5sum mkdir mkfifo mknod mktemp more mount mv nc netstat nl nproc
nslookup od paste patch pidof ping printf ps pwd readlink realpath renice reset rev rm rmdir route sed seq setsid sh
sha1sum sha256sum sha512sum shuf sleep sort stat strings stty su sync tac tail tar tee telnet test time timeout top
touch tr true truncate tty umount uname uniq unlink unxz unzip uptime usleep vi watch wc wget which whoami xargs xxd
xz yes zcat`

// WriteFile is [Demo] into a file, complete or not at all.
func WriteFile(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(dirOf(path), ".smolmachine-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := write(tmp); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func dirOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "."
}
