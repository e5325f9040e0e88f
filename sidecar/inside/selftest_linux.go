package inside

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"bottlebar.app/sidecar/control"
)

// lookAtSelf reports what this process may do, by reading what the kernel
// says and by trying.
func lookAtSelf() control.Report {
	r := control.Report{UID: os.Getuid(), Listening: listening()}
	for key, value := range status() {
		switch key {
		case "CapEff":
			r.CapEff = value
		case "CapBnd":
			r.CapBnd = value
		case "NoNewPrivs":
			r.NoNewPrivs = value == "1"
		case "Seccomp":
			r.Seccomp, _ = strconv.Atoi(value)
		}
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err == nil {
		r.Dumpable = n != 0
	}
	var fs unix.Statfs_t
	r.RootReadOnly = unix.Statfs("/", &fs) == nil && fs.Flags&unix.ST_RDONLY != 0
	for _, t := range attempts() {
		if err := t.do(); err != nil {
			r.Refused = append(r.Refused, t.name)
		} else {
			r.Worked = append(r.Worked, t.name)
		}
	}
	_, err := os.Open("/")
	r.Landlock = err != nil
	return r
}

type attempt struct {
	name string
	do   func() error
}

// attempts are things that a sidecar has no business doing.
func attempts() []attempt {
	return []attempt{
		{"write /", func() error {
			f, err := os.OpenFile("/written", os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
			if err == nil {
				f.Close()
				os.Remove("/written")
			}
			return err
		}},
		{"raw socket", func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}},
		{"unix socket", func() error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}},
		{"mount", func() error {
			// A file system that does not exist: who may mount learns that, who
			// may not gets EPERM first.
			if err := unix.Mount("none", "/", "bottlebar-none", 0, ""); err == unix.EPERM {
				return err
			}
			return nil
		}},
		{"exec", func() error {
			// A descriptor that is no program: only a filter or Landlock says EPERM
			// or EACCES, everything else is "it would have been allowed".
			err := unix.Exec("/proc/self/status", []string{"x"}, nil)
			if err == unix.EPERM {
				return err
			}
			return nil
		}},
		{"open /root or /home", func() error {
			for _, p := range []string{"/root", "/home"} {
				if d, err := os.Open(p); err == nil {
					d.Close()
					return nil
				}
			}
			return os.ErrPermission
		}},
	}
}

func status() map[string]string {
	out := map[string]string{}
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return statusWithoutFiles()
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if key, value, ok := strings.Cut(sc.Text(), ":"); ok {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

// statusWithoutFiles asks the kernel directly, for a process that may not
// open /proc any more.
func statusWithoutFiles() map[string]string {
	out := map[string]string{}
	if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil {
		out["NoNewPrivs"] = strconv.Itoa(n)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); err == nil {
		out["Seccomp"] = strconv.Itoa(n)
	}
	var data [2]unix.CapUserData
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if unix.Capget(&head, &data[0]) == nil {
		out["CapEff"] = fmt.Sprintf("%08x%08x", data[1].Effective, data[0].Effective)
	}
	return out
}

// listening lists the sockets in this network namespace that wait for
// connections or packets.
func listening() []string {
	var out []string
	for _, kind := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6"} {
		f, err := os.Open("/proc/net/" + kind)
		if err != nil {
			continue
		}
		sc := bufio.NewScanner(f)
		for sc.Scan() {
			fields := strings.Fields(sc.Text())
			if len(fields) < 4 || !strings.Contains(fields[1], ":") {
				continue
			}
			if strings.HasPrefix(kind, "tcp") && fields[3] != "0A" {
				continue
			}
			out = append(out, kind+" "+procAddress(fields[1]))
		}
		f.Close()
	}
	return out
}

// procAddress reads "0100007F:0C38", whose groups of four bytes are in the
// machine's order, little-endian on the machines we build for.
func procAddress(s string) string {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	if err != nil || len(b)%4 != 0 {
		return s
	}
	for i := 0; i < len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return s
	}
	return net.JoinHostPort(net.IP(b).String(), strconv.FormatUint(n, 10))
}
