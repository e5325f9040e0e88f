package smolvm

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type sample struct {
	file   string
	ID     string   `json:"id"`
	Argv   []string `json:"argv"`
	Exit   int      `json:"exit"`
	Stdout string   `json:"stdout"`
	Stderr string   `json:"stderr"`
}

func samples(t testing.TB) []sample {
	t.Helper()
	files, err := filepath.Glob("testdata/samples/*.json")
	if err != nil || len(files) != 8 {
		t.Fatalf("%d sample files, %v", len(files), err)
	}
	var out []sample
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var in []sample
		if err := json.Unmarshal(data, &in); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for i := range in {
			in[i].file = filepath.Base(f)
		}
		out = append(out, in...)
	}
	return out
}

// What each recorded failure of smolvm is, by the name of the case; a name
// that ends in * stands for all that begin so. Cases of smolvm's own that are
// not here have no class.
var classes = map[error][]string{
	ErrUnknownMachine: {
		"status-unknown", "status-json-unknown", "start-unknown", "stop-unknown", "delete-unknown", "exec-unknown", "exec-stream-unknown",
		"exec-it-unknown", "cp-in-unknown", "cp-out-unknown", "cp-unknown", "data-dir-unknown", "update-unknown", "delete-again",
		"pack-from-vm-unknown", "exec-no-name", "images-unknown", "delete-ms*", "shell-unknown", "monitor-unknown", "prune-unknown",
		"egress-events-unknown", "fork-unknown",
	},
	ErrExists:       {"create-exists*"},
	ErrBadName:      {"create-name-*"},
	ErrNotRunning:   {"exec-created", "exec-it-created", "cp-in*-created", "cp-out-created", "shell-created", "exec-stopped*", "cp-stopped", "shell-stopped", "exec-vm-killed", "exec-vm-frozen", "exec-agent-frozen", "exec-9th-*", "exec-after-9-fifo-reads", "exec-cmdbad-pack", "exec-nocmd-pack", "exec-init-fails"},
	ErrRunning:      {"update-running", "pack-from-vm-running"},
	ErrNoHypervisor: {"start-no-kvm", "start-no-kvm-permission"},
	ErrPlatform:     {"create-from-arm64"},
	ErrBadArtifact: {
		"create-from-missing", "create-from-flip-magic", "create-from-flip-version", "create-from-version-*", "create-from-flip-assets",
		"create-from-63", "create-from-empty", "create-from-short-1", "create-from-stub", "create-from-offset-plus-1", "create-from-manifest-huge",
		"create-from-sizes-exceed", "create-from-bad-json", "create-from-missing-field", "create-from-dir", "create-from-bad-assets",
		"create-from-secret", "create-from-same-crc-other-bytes",
	},
	ErrOutput: {"exec-output-12m-stream"},
	ErrPull:   {"1.0.2-running.json pack-from-vm"}, // the others fail before they pull
}

func expected(id string) error {
	for cause, ids := range classes {
		if slices.ContainsFunc(ids, func(p string) bool {
			before, after, star := strings.Cut(p, "*")
			return id == p || star && strings.HasPrefix(id, before) && strings.HasSuffix(id, after)
		}) {
			return cause
		}
	}
	return nil
}

func TestRecordedFailuresAreClassified(t *testing.T) {
	seen := map[error]int{}
	for _, s := range samples(t) {
		if s.Exit != 1 && s.Exit != 2 {
			continue
		}
		v := classify(s.Stderr, s.Exit)
		if s.Exit == 2 {
			parser := strings.HasPrefix(s.Stderr, "error: ")
			if parser != errors.Is(v.cause, ErrUsage) {
				t.Errorf("%s %s: %q is %v", s.file, s.ID, s.Stderr, v.cause)
			}
			seen[v.cause]++
			continue
		}
		report := strings.HasPrefix(s.Stderr, "Error: ") || strings.Contains(s.Stderr, "\nError: ") || strings.HasPrefix(s.Stderr, "error: ")
		if report != v.ours {
			t.Errorf("%s %s: ours is %v for %q", s.file, s.ID, v.ours, s.Stderr)
		}
		want := expected(s.ID)
		if want == nil {
			want = expected(s.file + " " + s.ID)
		}
		if !report {
			want = nil
		}
		if !same(v.cause, want) {
			t.Errorf("%s %s: %v, want %v, for %q", s.file, s.ID, v.cause, want, s.Stderr)
		}
		seen[v.cause]++
	}
	for cause := range classes {
		if seen[cause] == 0 {
			t.Errorf("no sample is %v", cause)
		}
	}
}

// same tells two of the Err values, or their lack, alike.
func same(a, b error) bool { return errors.Is(a, b) && errors.Is(b, a) }

func TestRecordedAnswersInJSONAreRead(t *testing.T) {
	lists, machines := 0, 0
	for _, s := range samples(t) {
		if s.Exit != 0 || !slices.Contains(s.Argv, "--json") || s.Argv[0] == "pack" {
			continue
		}
		// Process ids were made unknown by the recorder.
		data := []byte(strings.ReplaceAll(s.Stdout, `"$PID"`, "4242"))
		switch s.Argv[1] {
		case "ls":
			list, err := parseList(data)
			if err != nil {
				t.Errorf("%s %s: %v", s.file, s.ID, err)
			}
			lists++
			machines += len(list)
		case "status":
			m, err := parseStatus(data)
			if err != nil || m.State == StateUnknown || m.CPUs == 0 && m.Name != "artz" || m.CreatedAt.Unix() != 1700000000 {
				t.Errorf("%s %s: %+v, %v", s.file, s.ID, m, err)
			}
			machines++
		}
	}
	if lists < 8 || machines < 40 {
		t.Errorf("only %d lists and %d machines in the samples", lists, machines)
	}
}

func TestReportIsTheLastOne(t *testing.T) {
	for _, c := range []struct {
		stderr string
		exit   int
		cause  error
		ours   bool
		reason string
	}{
		{"", 1, nil, false, ""},
		{"plain\n", 1, nil, false, ""},
		{"Error: own words of a guest\n", 1, nil, false, "own words of a guest"},
		{"Error: vm not found: a\nError: io operation failed: connection closed\n", 1, nil, true, "io operation failed: connection closed"},
		{"2026 WARN x\nStarting machine 'm'...\nError: vm not found: m", 1, ErrUnknownMachine, true, "vm not found: m"},
		{"Error: agent operation failed: extract sidecar: failed to unpack: No space left on device (os error 28)", 1, ErrNoSpace, true, "agent operation failed: extract sidecar: failed to unpack: No space left on device (os error 28)"},
		{"Error: agent operation failed: start machine: monitor agent: krun_start_enter returned: -22", 1, ErrNoHypervisor, true, "agent operation failed: start machine: monitor agent: krun_start_enter returned: -22"},
		{"Error: agent operation failed: wait for ready: agent did not become ready within 30 seconds", 1, ErrTimeout, true, "agent operation failed: wait for ready: agent did not become ready within 30 seconds"},
		{"error: the guest's own\n", 2, nil, false, ""},
		{"\x1b[31mError: \x1b[0mvm not found: x\n", 1, ErrUnknownMachine, true, "vm not found: x"},
	} {
		v := classify(c.stderr, c.exit)
		if !same(v.cause, c.cause) || v.ours != c.ours || v.reason != c.reason {
			t.Errorf("classify(%q, %d) = %+v", c.stderr, c.exit, v)
		}
	}
}

func TestFriendlyTextsHaveACure(t *testing.T) {
	for _, text := range []string{
		"krun_start_enter returned: -22", "kvm permission denied: x", "libkrun/libkrunfw not found", "agent did not become ready",
		"host port 80 is already in use by running machine 'm'", "another process is already starting or running this VM",
		"platform mismatch: x", "read .smolmachine: invalid magic: expected SMOLPACK", "No space left on device",
		"verify rootfs: agent rootfs not found: /x",
	} {
		v := classify("Error: agent operation failed: "+text, 1)
		e := &CommandError{Argv: []string{"smolvm", "machine", "start"}, ExitCode: 1, Reason: v.reason, Cause: v.cause}
		if e.Cure() == "" {
			t.Errorf("no cure for %q", text)
		}
	}
}

func TestParseListToleratesWhatItDoesNotKnow(t *testing.T) {
	list, err := parseList([]byte(`[{"name":"a","state":"levitating","pid":null,"labels":null,"new":{"x":[1]}}]`))
	if err != nil || len(list) != 1 || list[0].State != StateUnknown || !list[0].Network {
		t.Errorf("%+v, %v", list, err)
	}
	for _, bad := range []string{``, `null`, `{}`, `[1]`, `[{}]`, `[{"name":"a","cpus":"x"}]`, `[] trailing`} {
		if list, err := parseList([]byte(bad)); err == nil {
			t.Errorf("%q gave %v", bad, list)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, s := range samples(f) {
		if s.Exit == 1 || s.Exit == 2 {
			f.Add(s.Stderr, s.Exit)
		}
	}
	f.Fuzz(func(t *testing.T, stderr string, exit int) {
		v := classify(stderr, exit)
		if v.cause != nil && v.reason == "" && exit != 2 {
			t.Errorf("%q: cause %v without a reason", stderr, v.cause)
		}
		if strings.ContainsAny(v.reason, "\x1b\x00\n\r") || len([]rune(v.reason)) > 301 {
			t.Errorf("%q: reason %q", stderr, v.reason)
		}
	})
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{`[]`, `null`, `[{"name":"a","state":"running","pid":1}]`, `[{"name":1}]`, "[\xff]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseList(data)
		if err == nil && list == nil {
			t.Error("no list and no error")
		}
		for _, m := range list {
			if m.Name == "" || m.State == "" {
				t.Errorf("%+v", m)
			}
		}
	})
}
