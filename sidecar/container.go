package sidecar

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"bottlebar.app/sidecar/control"
	"bottlebar.app/sidecar/inside"
)

// The bounds of a sidecar's container.
const (
	maxPids   = 64
	maxMemory = 128 << 20 // bytes, swap included
	maxCPU    = 1e9       // billionths of a CPU
	maxFiles  = 4096
)

var proxyPort = nat.Port(fmt.Sprintf("%d/tcp", inside.Port))

// hardened is how a sidecar's container is made: no rights, no disk, no
// environment, one port on this computer's loopback.
func hardened(image, network string, labels map[string]string) (*container.Config, *container.HostConfig) {
	pids, noInit := int64(maxPids), false
	cfg := &container.Config{
		Image: image, User: imageUser, Labels: labels,
		// The policy and the credential come over standard input, which stays
		// open when the app goes away so that the next run can attach.
		OpenStdin: true, StdinOnce: false, AttachStdin: true, AttachStdout: true, AttachStderr: true,
		ExposedPorts: nat.PortSet{proxyPort: {}},
	}
	host := &container.HostConfig{
		NetworkMode:    container.NetworkMode(network),
		ReadonlyRootfs: true,
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges"}, // the engine's own seccomp profile applies unless one is named
		IpcMode:        container.IPCModeNone,
		Init:           &noInit,
		// One that the engine restarted would have no policy; one that it
		// removed would have no log.
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		AutoRemove:    false,
		LogConfig: container.LogConfig{
			Type: "local", Config: map[string]string{"max-size": "1m", "max-file": "2"},
		},
		PortBindings: nat.PortMap{proxyPort: {{HostIP: "127.0.0.1"}}},
		Resources: container.Resources{
			PidsLimit: &pids, Memory: maxMemory, MemorySwap: maxMemory, NanoCPUs: maxCPU,
			Ulimits: []*container.Ulimit{{Name: "nofile", Soft: maxFiles, Hard: maxFiles}},
		},
	}
	return cfg, host
}

// facts compares a container, as the engine shows it, with hardened.
func facts(got container.InspectResponse, image, network string, report control.Report) []Fact {
	var list []Fact
	add := func(name string, want, found any) {
		w, f := fmt.Sprint(want), fmt.Sprint(found)
		list = append(list, Fact{Name: name, Want: w, Got: f, Holds: w == f})
	}
	h, c := got.HostConfig, got.Config
	if h == nil || c == nil || got.State == nil || got.NetworkSettings == nil {
		add("inspect", "complete", "incomplete")
		return list
	}
	add("running", true, got.State.Running && !got.State.Paused && !got.State.Restarting)
	add("image", image, got.Image)
	add("user", imageUser, c.User)
	add("entrypoint", []string{imageEntry}, append(slices.Clone([]string(c.Entrypoint)), c.Cmd...))
	add("environment", 0, len(ownEnv(c.Env)))
	add("read-only-root", true, h.ReadonlyRootfs)
	add("privileged", false, h.Privileged)
	add("capabilities-dropped", []string{"ALL"}, h.CapDrop)
	add("capabilities-added", 0, len(h.CapAdd))
	add("security-options", "no-new-privileges", securityOptions(h.SecurityOpt))
	add("mounts", 0, len(got.Mounts)+len(h.Binds)+len(h.Mounts)+len(h.Tmpfs)+len(h.VolumesFrom))
	add("devices", 0, len(h.Devices)+len(h.DeviceRequests)+len(h.DeviceCgroupRules))
	add("pids", maxPids, value(h.PidsLimit))
	add("memory", fmt.Sprint(maxMemory, maxMemory), fmt.Sprint(h.Memory, h.MemorySwap))
	add("cpu", int64(maxCPU), h.NanoCPUs)
	add("files", fmt.Sprint("nofile ", maxFiles), ulimits(h.Ulimits))
	add("ipc", container.IPCModeNone, h.IpcMode)
	add("namespaces", "own", namespaces(h))
	add("restart", container.RestartPolicyDisabled, h.RestartPolicy.Name)
	add("auto-remove", false, h.AutoRemove)
	add("links", 0, len(h.Links)+len(h.ExtraHosts)+len(h.DNS))
	add("networks", []string{network}, networks(got))
	add("ports", "127.0.0.1", ports(got))
	add("stdin", true, c.OpenStdin && !c.StdinOnce && !c.Tty)
	add("kernel-capabilities", "0000000000000000", report.CapEff)
	add("kernel-no-new-privs", true, report.NoNewPrivs)
	add("kernel-seccomp", 2, report.Seccomp)
	add("kernel-root", true, report.RootReadOnly)
	add("listening", fmt.Sprint("tcp 0.0.0.0:", inside.Port), strings.Join(notResolver(report.Listening), ", "))
	return list
}

// ownEnv drops the PATH that some engines add by themselves.
func ownEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, "PATH=") })
}

// securityOptions brings the two spellings of one option together; anything
// more than it is shown as it is, and then differs.
func securityOptions(opts []string) string {
	out := make([]string, len(opts))
	for i, o := range opts {
		out[i] = strings.TrimSuffix(strings.TrimSuffix(o, ":true"), "=true")
	}
	return strings.Join(out, " ")
}

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func ulimits(list []*container.Ulimit) string {
	var out []string
	for _, u := range list {
		out = append(out, fmt.Sprint(u.Name, " ", u.Hard))
	}
	return strings.Join(out, ", ")
}

func namespaces(h *container.HostConfig) string {
	if h.PidMode != "" || h.UTSMode != "" || h.UsernsMode != "" {
		return fmt.Sprintf("pid %q, uts %q, user %q", h.PidMode, h.UTSMode, h.UsernsMode)
	}
	return "own"
}

func networks(got container.InspectResponse) []string {
	var out []string
	for name := range got.NetworkSettings.Networks {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// ports are the addresses on which the container is published; the one port
// there is must be on loopback, and nothing else.
func ports(got container.InspectResponse) string {
	var out []string
	for port, list := range got.NetworkSettings.Ports {
		for _, b := range list {
			if port != proxyPort {
				out = append(out, string(port)+" on "+b.HostIP)
				continue
			}
			out = append(out, b.HostIP)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// notResolver drops the sockets of the engine's own name resolver, which it
// puts into each container's network at 127.0.0.11.
func notResolver(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		return strings.Contains(s, " 127.0.0.11:")
	})
}

// publishedPort is the port on this computer that leads to the proxy.
func publishedPort(got container.InspectResponse) (string, error) {
	if got.NetworkSettings != nil {
		for _, b := range got.NetworkSettings.Ports[proxyPort] {
			if b.HostIP == "127.0.0.1" && b.HostPort != "" {
				return b.HostPort, nil
			}
		}
	}
	return "", fmt.Errorf("the engine did not publish the sidecar's port on 127.0.0.1")
}
