package guest

import (
	"net"
	"os"
	"runtime"
	"strings"

	"bottlebar.app/hop"
)

// maxInterfaces bounds what is told about the guest's network.
const maxInterfaces = 64

func (h *helper) about() hop.Info {
	host, _ := os.Hostname()
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return hop.Info{
		Version: Version, Kernel: strings.TrimSpace(string(kernel)), Arch: runtime.GOARCH, Hostname: host,
		Pid: os.Getpid(), Started: h.begun.UTC(), Users: accounts{h.opts.Passwd, h.opts.Group}.users(),
		Interfaces: interfaces(),
	}
}

func interfaces() []hop.Interface {
	list, err := net.Interfaces()
	if err != nil {
		// An unreadable list must not look like an empty one.
		return []hop.Interface{{Name: "unreadable: " + err.Error(), Up: true}}
	}
	var out []hop.Interface
	for _, i := range list[:min(len(list), maxInterfaces)] {
		n := hop.Interface{Name: i.Name, Up: i.Flags&net.FlagUp != 0}
		addrs, _ := i.Addrs()
		for _, a := range addrs[:min(len(addrs), 16)] {
			n.Addrs = append(n.Addrs, a.String())
		}
		out = append(out, n)
	}
	return out
}
