package smolvm

import (
	"slices"
	"strings"
	"testing"
)

func TestIsolationArgsHoldNothingButTheAllowedFlags(t *testing.T) {
	allowed := []string{"--name", "--from", "--cpus", "--mem", "--storage", "--overlay", "--ssh-agent", "--mount-socket"}
	full := CreateOptions{
		Name: "bottle", From: "/x.smolmachine", CPUs: 2, MemMiB: 2048, StorageGiB: 20, OverlayGiB: 10,
		Hop: HopAgent, Command: []string{"sh", "-c", "sleep --net 9"},
	}
	socket := full
	socket.Hop, socket.SocketHost, socket.SocketGuest = HopSocket, "/h.sock", "/run/g.sock"
	for _, release := range releases {
		for _, o := range []CreateOptions{full, socket} {
			args, err := IsolationArgs(must(t, release), o)
			if o.Hop == HopSocket && release != "1.9.3" {
				if err == nil {
					t.Errorf("%s: socket passed", release)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", release, err)
				continue
			}
			pipes := 0
			for _, a := range args {
				if a == "--" {
					break
				}
				if strings.HasPrefix(a, "-") && !slices.Contains(allowed, a) {
					t.Errorf("%s: flag %s", release, a)
				}
				if a == "--ssh-agent" || a == "--mount-socket" {
					pipes++
				}
			}
			if pipes != 1 {
				t.Errorf("%s: %d pipes in %q", release, pipes, args)
			}
		}
	}
}

func TestIsolationArgsRefuseWaysOut(t *testing.T) {
	base := CreateOptions{Name: "m", From: "/x", Hop: HopAgent}
	for name, change := range map[string]func(*CreateOptions){
		"no pipe":       func(o *CreateOptions) { o.Hop = HopNone },
		"address range": func(o *CreateOptions) { o.AllowCIDR = []string{"10.0.0.1/32"} },
		"variables":     func(o *CreateOptions) { o.Env = []string{"A=1"} },
		"image":         func(o *CreateOptions) { o.From, o.Image = "", "alpine" },
	} {
		o := base
		change(&o)
		if args, err := IsolationArgs(must(t, "1.9.3"), o); err == nil {
			t.Errorf("%s: %q", name, args)
		}
		o.Isolated = true
		if args, err := createArgs(must(t, "1.9.3"), o); err == nil {
			t.Errorf("%s, as an option of create: %q", name, args)
		}
	}
}

func TestCheckIsolationRefusesEachUnknownFlag(t *testing.T) {
	for args, ok := range map[string]bool{
		"machine create --name m --from /x --ssh-agent":                           true,
		"machine create --from /x --ssh-agent m":                                  true,
		"machine create --name m --from /x --mount-socket /h:/g":                  true,
		"machine create --name m --from /x --ssh-agent -- sleep --net":            true,
		"machine create --name m --from /x --ssh-agent --net":                     false,
		"machine create --name m --from /x --ssh-agent --net=true":                false,
		"machine create --name m --from /x --ssh-agent -p 1:1":                    false,
		"machine create --name m --from /x --ssh-agent -v /:/mnt":                 false,
		"machine create --name m --from /x --ssh-agent --allow-host a":            false,
		"machine create --name m --from /x --ssh-agent --docker-socket":           false,
		"machine create --name m --from /x --ssh-agent --init x":                  false,
		"machine create --name m --from /x --ssh-agent --dns 1.1.1.1":             false,
		"machine create --name m --from /x --ssh-agent --ssh-agent":               false,
		"machine create --name m --from /x --ssh-agent --mount-socket /h:/g":      false,
		"machine create --name m --from /x --mount-socket /h:/g --mount-socket a": false,
		"machine create --name m --from /x":                                       false,
		"machine create --name m --ssh-agent":                                     false,
		"machine create --from /x --ssh-agent":                                    false,
		"machine create --name m --from /x --ssh-agent m":                         false,
		"machine create --name m --from /x --ssh-agent --cpus":                    false,
		"machine run --name m --from /x --ssh-agent":                              false,
		"": false,
	} {
		if err := CheckIsolation(strings.Fields(args)); (err == nil) != ok {
			t.Errorf("%s: %v", args, err)
		}
	}
}
