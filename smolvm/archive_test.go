package smolvm

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAnArchiveIsPackedByWayOfAMachineWithoutANetwork(t *testing.T) {
	dir := t.TempDir()
	status := reply{Args: []string{"machine", "status"}, Stdout: `{"name":"pack","state":"running","pid":1,"cpus":4,"memory_mib":8192,"created_at":1}`}
	c, calls := scripted(t, "1.12.0",
		reply{Args: []string{"machine", "create"}}, reply{Args: []string{"machine", "start"}}, status, reply{Args: []string{"machine", "stop"}},
		reply{Args: packCreate, Make: "$5.smolmachine"})
	o := PackOptions{Archive: filepath.Join(dir, "a b.tar"), Output: filepath.Join(dir, "x"), CPUs: 3}
	if err := c.Pack(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, call := range calls() {
		if line := strings.Join(call.Args, " "); !strings.HasPrefix(line, "machine status") {
			got = append(got, strings.ReplaceAll(line, dir, "$D"))
		}
	}
	want := []string{
		"machine create --name pack --image $D/a b.tar --cpus 3", "machine start --name pack", "machine stop --name pack",
		"pack create --from-vm pack -o $D/x --cpus 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestAMachineThatDidNotStartIsStoppedAllTheSame(t *testing.T) {
	c, calls := scripted(t, "1.12.0", reply{Args: []string{"machine", "create"}}, reply{Args: []string{"machine", "start"}, Exit: 1, Stderr: "Error: agent operation failed: start machine: no\n"}, reply{Args: []string{"machine", "stop"}})
	if err := c.Pack(t.Context(), PackOptions{Archive: "/a.tar", Output: filepath.Join(t.TempDir(), "x")}, nil); err == nil {
		t.Error("packed")
	}
	all := calls()
	if last := all[len(all)-1].Args; !slices.Equal(last[:2], []string{"machine", "stop"}) {
		t.Errorf("last was %q", last)
	}
}

func TestReleasesThatCannotPackAnArchiveSaySo(t *testing.T) {
	for _, v := range []string{"0.8.0", "1.0.2", "1.7.7", "1.9.3"} {
		c, calls := scripted(t, v)
		err := c.Pack(t.Context(), PackOptions{Archive: "/a.tar", Output: filepath.Join(t.TempDir(), "x")}, nil)
		if !errors.Is(err, ErrUnsupported) || len(calls()) != 0 {
			t.Errorf("%s: %v after %d calls", v, err, len(calls()))
		}
	}
}

func TestAFailedPullSaysWhatToDo(t *testing.T) {
	for text, cure := range map[string]string{
		"crane manifest failed: Error: GET https://ghcr.io/v2/a/b/manifests/1: UNAUTHORIZED: authentication required": "docker pull",
		"crane manifest failed: Error: fetching manifest a:1: GET …: MANIFEST_UNKNOWN: manifest unknown":              "name and tag",
		"crane manifest failed: Error: no child with platform linux/arm64 in index a:1":                               "processor",
		"crane manifest failed: Error: dial tcp: lookup nowhere.invalid: no such host":                                "network",
	} {
		c, _ := scripted(t, "1.9.3", reply{Args: packCreate, Exit: 1, Stderr: "Error: agent operation failed: pull image: " + text + "\n"})
		err := c.Pack(context.WithoutCancel(t.Context()), PackOptions{Image: "a:1", Output: filepath.Join(t.TempDir(), "x")}, nil)
		var ce *CommandError
		if !errors.Is(err, ErrPull) || !errors.As(err, &ce) || !strings.Contains(ce.Cure(), cure) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
