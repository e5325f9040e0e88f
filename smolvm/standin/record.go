//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// record is what the real command keeps of a machine in its database. It
// holds no absolute path but what the person gave (volumes, sockets), so a
// copied HOME works at its new place.
type record struct {
	Name       string            `json:"name"`
	State      string            `json:"state"` // as stored: created, running, unreachable, stopped
	CreatedAt  int64             `json:"created_at"`
	CPUs       int               `json:"cpus"`
	MemMiB     int               `json:"memory_mib"`
	StorageGiB *int              `json:"storage_gb"`
	OverlayGiB *int              `json:"overlay_gb"`
	PID        int               `json:"pid"`
	PIDStart   uint64            `json:"pid_start"` // clock ticks after boot, tells a reused pid
	Image      string            `json:"image"`
	CRC        string            `json:"crc,omitempty"` // of the artifact, empty for an image machine
	Entrypoint []string          `json:"entrypoint"`
	Cmd        []string          `json:"cmd"`
	Env        []string          `json:"env"`
	Workdir    string            `json:"workdir"`
	Network    bool              `json:"network"`
	GPU        bool              `json:"gpu"`
	Labels     map[string]string `json:"labels"`
	Volumes    []volume          `json:"volumes"`
	Ports      []string          `json:"ports"`
	Sockets    []socket          `json:"sockets"`
	SSHAgent   bool              `json:"ssh_agent"`
	Init       []string          `json:"init"`
	InitDone   bool              `json:"init_done"`
}

type volume struct {
	Host, Guest string
	ReadOnly    bool
}

// socket is one --mount-socket.
type socket struct{ Host, Guest string }

// store is where machines are kept below HOME.
type store struct{ data, cache string }

func newStore(getenv func(string) string) store {
	home := getenv("HOME")
	data, cache := getenv("XDG_DATA_HOME"), getenv("XDG_CACHE_HOME")
	if data == "" {
		data = filepath.Join(home, ".local/share")
	}
	if cache == "" {
		cache = filepath.Join(home, ".cache")
	}
	return store{filepath.Join(data, "smolvm"), cache}
}

func id(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:8])
}

// dir is a machine's data directory.
func (s store) dir(name string) string { return filepath.Join(s.cache, "smolvm/vms", id(name)) }

func (s store) file(name string) string {
	return filepath.Join(s.data, "server", id(name)+".json")
}

// load returns nil for an unknown name.
func (s store) load(name string) (*record, error) {
	raw, err := os.ReadFile(s.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failf("database not available: %v", err)
	}
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, failf("database not available: %v", err)
	}
	return &r, nil
}

func (s store) save(r *record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := s.file(r.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return ioFailure(err)
	}
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return ioFailure(err)
	}
	return os.Rename(tmp, path)
}

func (s store) remove(name string) error { return os.Remove(s.file(name)) }

func (s store) all() ([]*record, error) {
	files, err := filepath.Glob(filepath.Join(s.data, "server", "*.json"))
	if err != nil {
		return nil, err
	}
	var out []*record
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		var r record
		if json.Unmarshal(raw, &r) == nil {
			out = append(out, &r)
		}
	}
	return out, nil
}

// alive says whether the machine's boot process runs.
func (r *record) alive() bool {
	return r.PID > 0 && startOf(r.PID) == r.PIDStart && r.PIDStart != 0
}

// startOf returns a process's start time in clock ticks, 0 for none or a
// zombie.
func startOf(pid int) uint64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	i := bytes.LastIndexByte(raw, ')')
	f := strings.Fields(string(raw[i+1:]))
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return 0
	}
	n, _ := strconv.ParseUint(f[19], 10, 64)
	return n
}

// state works out what a machine is now: its process, then a ping. A stored
// "unreachable" is believed from 1.7.7 on, however well the machine is.
func (a *app) state(r *record) string {
	if !r.alive() {
		if r.State == "created" {
			return "created"
		}
		return "stopped"
	}
	if r.State == "unreachable" && a.rel >= r177 {
		return "unreachable"
	}
	return a.pinged(r)
}

func (a *app) pinged(r *record) string {
	if a.ping(r.Name, 3*time.Second) != nil {
		return "unreachable"
	}
	return "running"
}

// machine returns a record or "vm not found".
func (a *app) machine(name string) (*record, error) {
	r, err := a.store.load(name)
	if err == nil && r == nil {
		err = failf("vm not found: %s", name)
	}
	return r, err
}

// checkName returns the text for an illegal machine name.
func checkName(n string) string {
	switch {
	case n == "":
		return "cannot be empty"
	case len(n) > 128:
		return fmt.Sprintf("too long: %d characters (max 128)", len(n))
	case !alnum([]rune(n)[0]):
		return fmt.Sprintf("must start with a letter or digit (got: %q)", n)
	case strings.HasSuffix(n, "-"):
		return fmt.Sprintf("cannot end with a hyphen (got: %q)", n)
	case strings.Contains(n, "--"):
		return "cannot contain consecutive hyphens"
	case strings.ContainsAny(n, `/\`):
		return "cannot contain path separators"
	}
	if i := strings.IndexFunc(n, func(c rune) bool { return !alnum(c) && c != '-' && c != '_' }); i >= 0 {
		return fmt.Sprintf("contains invalid character: '%c'", []rune(n[i:])[0])
	}
	return ""
}

func alnum(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// lock takes a machine's vm.lock without waiting; the boot process and the
// guest keep it open as long as they live.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "vm.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
