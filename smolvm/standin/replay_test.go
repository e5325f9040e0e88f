//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
)

// sample is one recorded run of a real release.
type sample struct {
	ID     string            `json:"id"`
	Argv   []string          `json:"argv"`
	Env    map[string]string `json:"env"`
	Note   string            `json:"note"`
	Stdin  json.RawMessage   `json:"stdin"`
	Exit   json.RawMessage   `json:"exit"`
	Stdout json.RawMessage   `json:"stdout"`
	Stderr json.RawMessage   `json:"stderr"`
	Stream string            `json:"stream"`
	Flags  []string          `json:"flags"`
	Usage  string            `json:"usage"`
}

func samples(t *testing.T, name string) []sample {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/samples", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []sample
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func text(raw json.RawMessage) (string, bool) {
	var s string
	if raw == nil {
		return "", true
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// tally counts what a replay did with its cases.
type tally struct {
	equal    int
	excluded map[string]int // by reason
}

func (c *tally) report(t *testing.T, all int) {
	out := 0
	var reasons []string
	for why, n := range c.excluded {
		out += n
		reasons = append(reasons, fmt.Sprintf("%3d  %s", n, why))
	}
	sort.Strings(reasons)
	t.Logf("%d cases: %d replayed, %d of them equal, %d excluded:\n%s", all, all-out, c.equal, out, strings.Join(reasons, "\n"))
}

// replay runs one case in an install and compares.
func replay(t *testing.T, in *install, c sample) error {
	argv := make([]string, len(c.Argv))
	for i, a := range c.Argv {
		argv[i] = strings.ReplaceAll(a, "$WORK", in.work)
	}
	in.env = nil
	for k, v := range c.Env {
		in.env = append(in.env, k+"="+strings.ReplaceAll(v, "$WORK", in.work))
	}
	stdin, _ := text(c.Stdin)
	return compare(in, c, in.run(stdin, argv...))
}

func compare(in *install, c sample, got result) error {
	var exit int
	if err := json.Unmarshal(c.Exit, &exit); err != nil {
		return fmt.Errorf("recorded exit %s", c.Exit)
	}
	if got.exit != exit {
		return fmt.Errorf("exit %d, recorded %d\nstdout %.300q\nstderr %.300q", got.exit, exit, got.stdout, got.stderr)
	}
	switch {
	case c.Stream != "":
		if said := map[string]string{"stdout": got.stdout, "stderr": got.stderr}; said[c.Stream] == "" {
			return fmt.Errorf("nothing on %s", c.Stream)
		}
		return nil
	case c.Flags != nil:
		return compareHelp(c, got.stdout)
	case exit == 2 && strings.Contains(string(c.Stderr), "For more information"):
		return compareStream(in, c, "stderr", firstLine(c.Stderr), strings.SplitN(got.stderr, "\n", 2)[0])
	}
	if err := compareStream(in, c, "stdout", c.Stdout, got.stdout); err != nil {
		return err
	}
	return compareStream(in, c, "stderr", c.Stderr, got.stderr)
}

func firstLine(raw json.RawMessage) json.RawMessage {
	s, _ := text(raw)
	b, _ := json.Marshal(strings.SplitN(s, "\n", 2)[0])
	return b
}

func compareHelp(c sample, out string) error {
	flags := regexp.MustCompile(`--[a-z][a-z-]*`).FindAllString(out, -1)
	slices.Sort(flags)
	flags = slices.Compact(flags)
	if !slices.Equal(flags, c.Flags) {
		return fmt.Errorf("flags %v, recorded %v", flags, c.Flags)
	}
	if !strings.Contains(out, "Usage: "+c.Usage+"\n") {
		return fmt.Errorf("usage %q, recorded %q", strings.SplitN(out, "\n", 2)[0], c.Usage)
	}
	return nil
}

func compareStream(in *install, c sample, stream string, recorded json.RawMessage, got string) error {
	want, isText := text(recorded)
	if !isText {
		var sized struct {
			Bytes  int    `json:"bytes"`
			SHA256 string `json:"sha256"`
		}
		if err := json.Unmarshal(recorded, &sized); err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(got))
		if len(got) != sized.Bytes || hex.EncodeToString(sum[:]) != sized.SHA256 {
			return fmt.Errorf("%s has %d bytes, recorded %d, or others", stream, len(got), sized.Bytes)
		}
		return nil
	}
	if recorded == nil && stream == "stderr" {
		return nil // not recorded
	}
	want, got = normal(in, c, want), normal(in, c, got)
	if got != want {
		return fmt.Errorf("%s\n got %.900q\nwant %.900q", stream, got, want)
	}
	return nil
}

var rewrites = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`PID:? \d+`), "PID $$PID"},
	{regexp.MustCompile(`PID: \$PID`), "PID $$PID"},
	{regexp.MustCompile(`"pid": (\d+|"\$PID")`), `"pid": "$$PID"`},
	{regexp.MustCompile(`"created_at": \d+`), `"created_at": 0`},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "$$TIME"},
	{regexp.MustCompile(`[A-Z][a-z]{2} [ 0-9]\d( \d\d:\d\d|  \d{4})`), "DATE"},
	// A terminal's echo of the end of its input, before or after what a command says.
	{regexp.MustCompile(`(?s)^(.*)\^@`), "^@$1"},
	// The lines of a copy's progress: how many there are and how fast it goes.
	{regexp.MustCompile(`, [0-9.]+ [KMG]?B/s\)`), ", RATE)"},
	{regexp.MustCompile(`\([0-9.]+ [KMG]?B/s\)`), "(RATE)"},
	{regexp.MustCompile(`(\r(Uploading|Downloading)[^\r\n]*)+\r`), "\rPROGRESS\r"},
}

// normal removes what is never the same twice.
func normal(in *install, c sample, s string) string {
	for from, to := range map[string]string{in.home: "$HOME", in.work: "$WORK"} {
		s = strings.ReplaceAll(s, from, to)
	}
	s = string([]rune(s)) // each byte that is no UTF-8 was recorded as U+FFFD
	for _, r := range rewrites {
		s = r.re.ReplaceAllString(s, r.to)
	}
	if slices.Contains(c.Argv, "ls") && slices.Contains(c.Argv, "machine") && !slices.Contains(c.Argv, "exec") {
		s = sorted(s)
	}
	return s
}

// sorted makes a list comparable as a set.
func sorted(s string) string {
	var list []json.RawMessage
	if json.Unmarshal([]byte(s), &list) == nil {
		parts := make([]string, len(list))
		for i, x := range list {
			parts[i] = string(x)
		}
		sort.Strings(parts)
		return strings.Join(parts, "\n")
	}
	lines := strings.Split(s, "\n")
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// exclusion names cases, by patterns of path.Match, and why they are not
// compared.
type exclusion struct{ ids, why string }

func excluded(list []exclusion, id string) string {
	for _, e := range list {
		for _, p := range strings.Fields(e.ids) {
			if ok, err := path.Match(p, id); ok || err != nil {
				return e.why
			}
		}
	}
	return ""
}

// Cases without a running machine that a stand-in cannot have.
var notWithout = []exclusion{
	{"start-no-kvm start-no-kvm-permission start-no-libraries", "a start without a hypervisor: the stand-in needs none"},
}

func TestRecordedCasesWithoutAMachineGiveTheSame(t *testing.T) {
	for _, version := range []string{"0.8.0", "1.0.2", "1.7.7", "1.9.3"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			in := newInstall(t, version, true)
			layWork(t, in)
			count := tally{excluded: map[string]int{}}
			all := samples(t, version)
			for _, c := range all {
				if why := excluded(notWithout, c.ID); why != "" {
					count.excluded[why]++
					continue
				}
				where := in
				if strings.HasPrefix(c.Note, "in an empty HOME") {
					where = newInstall(t, version, true)
					layWork(t, where)
				}
				if err := replay(t, where, c); err != nil {
					t.Errorf("%s %q: %v", c.ID, c.Argv, err)
					continue
				}
				count.equal++
			}
			count.report(t, len(all))
		})
	}
}

// layWork makes the folder in which the recordings were made.
func layWork(t *testing.T, in *install) {
	t.Helper()
	artifacts, err := filepath.Glob("../artifact/testdata/*.smolmachine")
	if err != nil || len(artifacts) < 20 {
		t.Fatalf("sample artifacts: %v, %v", artifacts, err)
	}
	for _, a := range artifacts {
		raw, err := os.ReadFile(a)
		if err != nil {
			t.Fatal(err)
		}
		put(t, in, filepath.Base(a), string(raw))
	}
	put(t, in, "file.txt", "hello\n")
	put(t, in, "with space.txt", "spaced\n")
	put(t, in, "dir/sub/x", "x\n")
	if err := os.Symlink("file.txt", filepath.Join(in.work, "link.txt")); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, in *install, name, text string) {
	t.Helper()
	path := filepath.Join(in.work, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serveUnix answers each connection at path until the test ends.
func serveUnix(t *testing.T, path string, handle func(*net.UnixConn)) *net.UnixListener {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.AcceptUnix()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	return ln
}
