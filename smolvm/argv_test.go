package smolvm

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// The four releases that stand for their families.
var releases = []string{"0.8.0", "1.0.2", "1.7.7", "1.9.3"}

func TestArgumentsOfEachOperationByRelease(t *testing.T) {
	artifact := CreateOptions{Name: "m", From: "/x.smolmachine", CPUs: 2, MemMiB: 1024, Hop: HopAgent, Env: []string{"A=1"}, Command: []string{"sleep", "9"}}
	image := CreateOptions{Name: "m", Image: "alpine:3", AllowCIDR: []string{"10.0.0.0/8"}}
	exec := ExecOptions{Workdir: "/w", Env: []string{"A=1"}, Timeout: 30 * time.Second}
	args := func(a []string, err error) []string {
		if err != nil {
			t.Error(err)
		}
		return a
	}
	run := func(v Version, mode execMode, o ExecOptions) []string {
		a, _, err := execArgs(v, "m", mode, o, []string{"ls", "-l"})
		return args(a, err)
	}
	for _, op := range []struct {
		name  string
		build func(v Version) []string
		want  [4]string // by release; "" is as the one before
	}{
		{"create from artifact", func(v Version) []string { return args(createArgs(v, artifact)) }, [4]string{
			"machine create --from /x.smolmachine --cpus 2 --mem 1024 --ssh-agent -e A=1 m",
			"machine create --name m --from /x.smolmachine --cpus 2 --mem 1024 --ssh-agent -e A=1",
			"machine create --name m --from /x.smolmachine --cpus 2 --mem 1024 --ssh-agent -e A=1 -- sleep 9", "",
		}},
		{"create from image", func(v Version) []string { return args(createArgs(v, image)) }, [4]string{
			"machine create --image alpine:3 --allow-cidr 10.0.0.0/8 m",
			"machine create --name m --image alpine:3 --allow-cidr 10.0.0.0/8", "", "",
		}},
		{"update", func(v Version) []string {
			return args(updateArgs(v, "m", UpdateOptions{CPUs: 4, MemMiB: 8192, Env: []string{"A=1"}, RemoveEnv: []string{"B"}}))
		}, [4]string{
			"machine update --cpus 4 --mem 8192 -e A=1 --remove-env B m",
			"machine update --name m --cpus 4 --mem 8192 -e A=1 --remove-env B", "", "",
		}},
		{"start", func(Version) []string { return startArgs("m") }, [4]string{"machine start --name m", "", "", ""}},
		{"stop", func(Version) []string { return stopArgs("m") }, [4]string{"machine stop --name m", "", "", ""}},
		{"delete", func(v Version) []string { return deleteArgs(v, "m") }, [4]string{"machine delete -f m", "machine delete --name m -f", "", ""}},
		{"list", func(Version) []string { return listArgs() }, [4]string{"machine ls --json", "", "", ""}},
		{"status", func(Version) []string { return statusArgs("m") }, [4]string{"machine status --name m --json", "", "", ""}},
		{"data dir", func(v Version) []string { return dataDirArgs(v, "m") }, [4]string{"machine data-dir m", "machine data-dir --name m", "", ""}},
		{"exec captured", func(v Version) []string { return run(v, captured, exec) }, [4]string{
			"machine exec --name m -w /w --timeout 30s -e A=1 -- ls -l", "", "", "",
		}},
		{"exec streaming", func(v Version) []string { return run(v, streaming, ExecOptions{Timeout: 1500 * time.Millisecond}) }, [4]string{
			"machine exec --name m -i --timeout 1500ms -- ls -l", "", "", "",
		}},
		{"exec interactive", func(v Version) []string { return run(v, interactive, ExecOptions{Env: []string{"A=1"}}) }, [4]string{
			"machine exec --name m -i -t -e TERM=xterm-256color -e COLORTERM=truecolor -e A=1 -- ls -l", "", "", "",
		}},
		{"copy in", func(v Version) []string {
			return copyInArgs(v, "m", "/h", "/g", CopyOptions{Mode: 0o640, UID: 1, GID: 2})
		}, [4]string{
			"machine cp /h m:/g", "", "", "machine cp --mode 640 --uid 1 --gid 2 /h m:/g",
		}},
		{"copy out", func(Version) []string { return copyOutArgs("m", "/g", "/h") }, [4]string{"machine cp m:/g /h", "", "", ""}},
		{"pack", func(v Version) []string {
			return packArgs(v, PackOptions{Image: "a:1", Output: "/o/x.smolmachine", StagingDir: "/s", CPUs: 1, MemMiB: 512, Platform: "linux/arm64"})
		}, [4]string{
			"pack create --image a:1 -o /o/x --cpus 1 --mem 512 --oci-platform linux/arm64", "",
			"pack create --image a:1 -o /o/x --cpus 1 --mem 512 --oci-platform linux/arm64 --staging-dir /s", "",
		}},
	} {
		want := ""
		for i, release := range releases {
			if op.want[i] != "" {
				want = op.want[i]
			}
			if got := strings.Join(op.build(must(t, release)), " "); got != want {
				t.Errorf("%s on %s:\n got %s\nwant %s", op.name, release, got, want)
			}
		}
	}
}

func TestMountedSocketOnlyWhereItIsSeenInside(t *testing.T) {
	o := CreateOptions{Name: "m", From: "/x", Hop: HopSocket, SocketHost: "/h.sock", SocketGuest: "/run/g.sock"}
	for _, release := range releases {
		args, err := createArgs(must(t, release), o)
		if release != "1.9.3" {
			if !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s: %v", release, err)
			}
			continue
		}
		if err != nil || strings.Join(args[6:], " ") != "" && !slices.Contains(args, "/h.sock:/run/g.sock") {
			t.Errorf("%s: %q, %v", release, args, err)
		}
	}
	for _, bad := range []string{"", "rel.sock", "/a:b", "/a;b", "/a|b"} {
		o.SocketHost = bad
		if _, err := createArgs(must(t, "1.9.3"), o); err == nil {
			t.Errorf("socket path %q passed", bad)
		}
	}
}

func TestAddressRangesAreNotHandedToReleasesThatDropThem(t *testing.T) {
	o := CreateOptions{Name: "m", From: "/x", AllowCIDR: []string{"10.0.0.1/32"}}
	for _, release := range releases {
		_, err := createArgs(must(t, release), o)
		if dropped := release != "1.9.3"; dropped != errors.Is(err, ErrUnsupported) || (!dropped && err != nil) {
			t.Errorf("%s: %v", release, err)
		}
	}
}

func TestSecretsAreInNoArgument(t *testing.T) {
	o := ExecOptions{Secrets: []Secret{{"TOKEN", "s3cret"}}}
	for release, want := range map[string]string{
		"0.8.1": "machine exec --name m -e TOKEN -- true|TOKEN=s3cret",
		"0.9.0": "machine exec --name m -e TOKEN -- true|TOKEN=s3cret",
		"1.0.0": "machine exec --name m --secret-env TOKEN=BOTTLEBAR_SECRET_0 -- true|BOTTLEBAR_SECRET_0=s3cret",
		"1.9.3": "machine exec --name m --secret-env TOKEN=BOTTLEBAR_SECRET_0 -- true|BOTTLEBAR_SECRET_0=s3cret",
	} {
		args, env, err := execArgs(must(t, release), "m", captured, o, []string{"true"})
		if got := strings.Join(args, " ") + "|" + strings.Join(env, " "); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", release, got, err, want)
		}
	}
	if _, _, err := execArgs(must(t, "0.8.0"), "m", captured, o, []string{"true"}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("0.8.0 drops the variable, yet: %v", err)
	}
	for _, name := range []string{"HOME", "PATH", "LD_PRELOAD", "SMOLVM_LIB_DIR", "XDG_DATA_HOME"} {
		o.Secrets[0].Name = name
		if _, _, err := execArgs(must(t, "0.9.0"), "m", captured, o, []string{"true"}); err == nil {
			t.Errorf("%s would steer the client and passed", name)
		}
		if _, _, err := execArgs(must(t, "1.9.3"), "m", captured, o, []string{"true"}); err != nil {
			t.Errorf("%s has a name of its own on the host, yet: %v", name, err)
		}
	}
}

func TestCreateRefusesWhatCannotBeMeant(t *testing.T) {
	for name, o := range map[string]CreateOptions{
		"neither source":    {Name: "m"},
		"both sources":      {Name: "m", From: "/x", Image: "a"},
		"relative artifact": {Name: "m", From: "x"},
		"option as image":   {Name: "m", Image: "--net"},
		"image with space":  {Name: "m", Image: "a b"},
		"bad name":          {Name: "-m", From: "/x"},
		"no name":           {From: "/x"},
		"env without value": {Name: "m", From: "/x", Env: []string{"A"}},
		"env without name":  {Name: "m", From: "/x", Env: []string{"=A"}},
		"env with NUL":      {Name: "m", From: "/x", Env: []string{"A=\x00"}},
		"option as range":   {Name: "m", Image: "a", AllowCIDR: []string{"--net"}},
	} {
		if args, err := createArgs(must(t, "1.9.3"), o); err == nil {
			t.Errorf("%s: %q", name, args)
		}
	}
}

func TestLongVariablesAreRefusedWhereTheyGetLost(t *testing.T) {
	env := []string{"A=" + strings.Repeat("x", maxEnv+1)}
	for release, fails := range map[string]bool{"0.8.0": true, "1.0.2": true, "1.7.7": false, "1.9.3": false} {
		if err := checkEnv(must(t, release), env); (err != nil) != fails {
			t.Errorf("%s: %v", release, err)
		}
	}
}

func TestCheckNameFollowsSmolvmsRules(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "A1": true, "a_b": true, "a-b": true, strings.Repeat("x", 128): true,
		"": false, "-x": false, "_x": false, "x-": false, "a--b": false, "a/b": false, "a b": false, "a.b": false,
		"a:b": false, "ünï": false, "a\n": false, strings.Repeat("x", 129): false,
	} {
		if err := CheckName(name); (err == nil) != ok || (err != nil && !errors.Is(err, ErrBadName)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
