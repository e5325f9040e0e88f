//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// guest is pid 1 of the new namespaces: it lays out the guest's root, enters
// it for good and serves as the agent.
func guest(dir string) int {
	if err := runGuest(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runGuest(dir string) error {
	c, err := readBootConfig(dir)
	if err != nil {
		return err
	}
	// Nothing that the guest runs may inherit these.
	for _, fd := range []int{fdLock, fdControl, fdConsole} {
		unix.CloseOnExec(fd)
	}
	control, err := net.FileConn(os.NewFile(fdControl, "control"))
	if err != nil {
		return err
	}
	console := os.NewFile(fdConsole, "console")
	logLine(console, "boot agent_entry", nil)
	marker := ".smolvm-ready"
	if c.Release >= r177 {
		marker += "-" + id(c.Name) // one for all machines until 1.2.4
	}
	if err := os.WriteFile(filepath.Join(c.AgentRoot, marker), []byte("ready\n"), 0o644); err != nil {
		return fmt.Errorf("write ready marker: %w", err)
	}
	outside, err := enterRoot(c, dir)
	if err != nil {
		return err
	}
	if err := setUpNetwork(c); err != nil {
		return err
	}
	hostname := "container"
	if c.Release >= r193 {
		hostname = c.Name
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	logLine(console, "boot mounts_done", nil)
	g := newAgent(c, console, control.(*net.UnixConn), outside)
	if err := g.listenPipes(); err != nil {
		return err
	}
	logLine(console, "ready marker written: /oldroot/"+marker, nil)
	return g.serve()
}

// mount is unix.Mount with the target below the new root and in the error.
func mount(root, source, target, kind string, flags uintptr, data string) error {
	at := filepath.Join(root, target)
	if err := unix.Mount(source, at, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

// enterRoot mounts what a guest has, makes the machine's folder the root and
// drops the host's. The returned descriptor is the bare folder, without what
// is mounted over it: where cp reaches on releases that serve it from
// outside the container.
func enterRoot(c bootConfig, dir string) (*os.File, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, err
	}
	outside, err := os.Open(c.Root)
	if err != nil {
		return nil, err
	}
	if err := unix.Mount(c.Root, c.Root, "", unix.MS_BIND, ""); err != nil {
		return nil, err
	}
	if err := mountAll(c, dir); err != nil {
		return nil, err
	}
	if err := layFiles(c); err != nil {
		return nil, err
	}
	if err := unix.Chdir(c.Root); err != nil {
		return nil, err
	}
	// The old root ends up below the new one, and goes.
	if err := unix.PivotRoot(".", "."); err != nil {
		return nil, fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return nil, err
	}
	return outside, unix.Chdir("/")
}

func mountAll(c bootConfig, dir string) error {
	root := c.Root
	if err := layFolders(c); err != nil {
		return err
	}
	if err := mount(root, "proc", "proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := mountSys(root, c.HostNet); err != nil {
		return err
	}
	if err := mountDev(root); err != nil {
		return err
	}
	if c.Release >= r177 { // earlier ones keep both over a restart
		for _, m := range [][2]string{{"tmp", "mode=1777"}, {"run", "mode=755"}} {
			if err := mount(root, "tmpfs", m[0], "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, m[1]); err != nil {
				return err
			}
		}
	}
	if err := layRun(c); err != nil {
		return err
	}
	if err := mount(root, filepath.Join(root, "storage/workspace"), "workspace", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := mount(root, c.AgentRoot, ".smolvm-root", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := bindFile(root, filepath.Join(dir, "agent-console.log"), ".smolvm-console"); err != nil {
		return err
	}
	for _, v := range c.Volumes {
		if err := mountVolume(root, v); err != nil {
			return err
		}
	}
	return nil
}

// mountSys mounts /sys. The kernel refuses a fresh one to a process that sees
// none (a bare chroot, some containers) or has no network namespace of its own;
// a machine without it is good for everything but a look at /sys.
func mountSys(root string, hostNet bool) error {
	err := mount(root, "sysfs", "sys", "sysfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if hostNet || errors.Is(err, unix.EPERM) {
		return nil
	}
	return err
}

func mountVolume(root string, v volume) error {
	if err := mount(root, v.Host, v.Guest, "", unix.MS_BIND, ""); err != nil || !v.ReadOnly {
		return err
	}
	// What the host's mount forbids may not be dropped on the way.
	var st unix.Statfs_t
	if err := unix.Statfs(v.Host, &st); err != nil {
		return err
	}
	keep := uintptr(st.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	return mount(root, "", v.Guest, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|keep, "")
}

// layFolders makes the places that are mounted on. Links of the image are
// not followed out of it.
func layFolders(c bootConfig) error {
	root, err := os.OpenRoot(c.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	dirs := []string{"proc", "sys", "dev", "tmp", "run", "etc", "root", ".smolvm-root", "storage/workspace", "workspace"}
	for _, v := range c.Volumes {
		dirs = append(dirs, strings.TrimPrefix(filepath.Clean(v.Guest), "/"))
	}
	for _, d := range dirs {
		if err := root.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// layRun makes what newer releases keep in /run.
func layRun(c bootConfig) error {
	run := filepath.Join(c.Root, "run")
	if c.Release >= r177 {
		lock := filepath.Join(run, "lock")
		if err := os.Mkdir(lock, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(lock, 0o777|os.ModeSticky); err != nil {
			return err
		}
	}
	if c.Release >= r193 {
		if err := os.Mkdir(filepath.Join(run, "smolvm"), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(run, "smolvm/init"), nil, 0o755)
	}
	return nil
}

func bindFile(root, source, target string) error {
	f, err := os.OpenFile(filepath.Join(root, target), os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	f.Close()
	return mount(root, source, target, "", unix.MS_BIND, "")
}

// mountDev makes /dev: device nodes are the host's harmless ones.
func mountDev(root string) error {
	if err := mount(root, "tmpfs", "dev", "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	for _, d := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := bindFile(root, "/dev/"+d, "dev/"+d); err != nil {
			return err
		}
	}
	for _, d := range []string{"pts", "shm", "mqueue"} {
		if err := os.Mkdir(filepath.Join(root, "dev", d), 0o755); err != nil {
			return err
		}
	}
	if err := mount(root, "devpts", "dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return err
	}
	if err := mount(root, "tmpfs", "dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return err
	}
	for name, to := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, filepath.Join(root, "dev", name)); err != nil {
			return err
		}
	}
	return nil
}

// layFiles writes the files that the agent makes in a guest.
func layFiles(c bootConfig) error {
	files := map[string]string{"etc/resolv.conf": "nameserver 8.8.8.8\nnameserver 1.1.1.1\n"}
	if c.Release >= r193 {
		files["etc/hosts"] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	}
	root, err := os.OpenRoot(c.Root) // the image may have links here
	if err != nil {
		return err
	}
	defer root.Close()
	for name, text := range files {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// listenPipes makes the guest ends of the byte pipes.
func (g *agent) listenPipes() error {
	if g.c.SSHAgent {
		if err := g.listenPipe("/tmp/ssh-agent.sock", agentPipe, false); err != nil {
			return err
		}
	}
	for i, s := range g.c.Sockets {
		if err := g.listenPipe(s.Guest, byte(i+1), true); err != nil {
			logLine(g.console, "mount-socket failed", map[string]any{"path": s.Guest, "error": err.Error()})
		}
	}
	return nil
}

// listenPipe listens at path. A mounted socket is bound over a placeholder,
// so that nobody in the guest can remove it.
func (g *agent) listenPipe(path string, tag byte, mounted bool) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	at := path
	if mounted {
		at = fmt.Sprintf("/dev/.smolvm-%d.sock", tag)
	}
	os.Remove(at)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"})
	if err != nil {
		return err
	}
	if err := os.Chmod(at, 0o777); err != nil {
		return err
	}
	if mounted {
		if info, err := os.Lstat(path); err == nil && info.IsDir() {
			return errors.New("is a directory")
		}
		if err := bindFile("/", at, strings.TrimPrefix(path, "/")); err != nil {
			return err
		}
	}
	go func() {
		for {
			conn, err := ln.AcceptUnix()
			if err != nil {
				return
			}
			_ = sendConn(g.control, []byte{tag}, conn)
		}
	}()
	return nil
}
