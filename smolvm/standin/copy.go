//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bottlebar.app/internal/frame"
)

const uploadChunk = 1 << 20

// copy is "machine cp".
func (a *app) copy(p *args) error {
	src, dst := p.named["SRC"], p.named["DST"]
	if name, path, ok := strings.Cut(src, ":"); ok {
		return a.download(name, path, dst)
	}
	name, path, ok := strings.Cut(dst, ":")
	if !ok {
		return failf("config operation failed: cp: one of SRC or DST must use machine:path syntax (e.g., myvm:/workspace/file)")
	}
	return a.upload(p, src, name, path)
}

func (a *app) upload(p *args, src, name, path string) error {
	conn, _, err := a.connect(name, true)
	if err != nil {
		return err
	}
	defer conn.Close()
	f, err := os.Open(src)
	if err != nil {
		return failf("agent operation failed: read local file: %s: %s", src, osText(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ioFailure(err)
	}
	if info.IsDir() {
		return failf("agent operation failed: read source file: Is a directory (os error 21)")
	}
	req := request{Op: "put", Path: path, Perm: 0o644, UID: -1, GID: -1}
	if p.has("mode") {
		n, err := strconv.ParseUint(p.get("mode"), 8, 12)
		if err != nil {
			return failf("config operation failed: cp: invalid mode '%s'", p.get("mode"))
		}
		req.Perm = uint32(n)
	}
	if p.has("uid") {
		req.UID = number(p.get("uid"))
	}
	if p.has("gid") {
		req.GID = number(p.get("gid"))
	}
	if err := writeRequest(conn, req); err != nil {
		return ioFailure(err)
	}
	meter := a.newMeter(fmt.Sprintf("Uploading %s -> %s: ", src, path), info.Size())
	// What fits into one piece is told once it is there: by 0.8.0 twice.
	meter.quiet = info.Size() <= uploadChunk
	if err := send(conn, f, meter); err != nil {
		return err
	}
	if _, err := receive(conn, io.Discard, io.Discard); err != nil {
		return err
	}
	if meter.quiet && a.rel == r080 {
		meter.print()
	}
	meter.end()
	return nil
}

// send transfers a file in pieces. An agent that refuses it stops reading; its
// answer says why.
func send(conn *net.UnixConn, f io.Reader, meter *meter) error {
	w := frame.NewWriter(conn)
	buf := make([]byte, uploadChunk)
	for {
		n, err := io.ReadFull(f, buf)
		if n > 0 {
			if w.Write(frame.Stdin, buf[:n]) != nil {
				return nil
			}
			meter.add(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			_ = w.Write(frame.CloseStdin, nil)
			return nil
		}
		if err != nil {
			return ioFailure(err)
		}
	}
}

func (a *app) download(name, path, dst string) error {
	conn, _, err := a.connect(name, true)
	if err != nil {
		return err
	}
	defer conn.Close()
	// The host's file is truncated first and removed when the guest's cannot
	// be read.
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		if strings.HasSuffix(dst, "/") {
			err = unix.EISDIR
		}
		return failf("agent operation failed: write local file: %s: %s", dst, osText(err))
	}
	defer out.Close()
	if err := writeRequest(conn, request{Op: "get", Path: path}); err != nil {
		return ioFailure(err)
	}
	meter := a.newMeter(fmt.Sprintf("Downloading %s -> %s: ", path, dst), -1)
	if _, err := receive(conn, &metered{out, meter}, io.Discard); err != nil {
		os.Remove(dst)
		return err
	}
	meter.end()
	return nil
}

type metered struct {
	w     io.Writer
	meter *meter
}

func (m *metered) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.meter.add(n)
	return n, err
}

// meter prints progress on stderr, a line that rewrites itself.
type meter struct {
	w       io.Writer
	label   string
	total   int64 // -1 when not known
	quiet   bool
	done    int64
	began   time.Time
	last    time.Time
	printed bool
}

func (a *app) newMeter(label string, total int64) *meter {
	return &meter{w: a.stderr, label: label, total: total, began: time.Now()}
}

func (m *meter) add(n int) {
	m.done += int64(n)
	if m.quiet || time.Since(m.last) < 250*time.Millisecond {
		return
	}
	m.last = time.Now()
	m.print()
}

func (m *meter) print() {
	m.printed = true
	fmt.Fprint(m.w, "\r"+m.line())
}

func (m *meter) end() {
	if m.printed {
		fmt.Fprint(m.w, "\r")
	}
	fmt.Fprintln(m.w, m.line())
}

func (m *meter) line() string {
	rate := human(int64(float64(m.done)/max(time.Since(m.began).Seconds(), 1e-6))) + "/s"
	if m.total < 0 {
		return fmt.Sprintf("%s%s (%s)", m.label, human(m.done), rate)
	}
	percent := 100.0
	if m.total > 0 {
		percent = 100 * float64(m.done) / float64(m.total)
	}
	return fmt.Sprintf("%s%s / %s (%.1f%%, %s)", m.label, human(m.done), human(m.total), percent, rate)
}

func human(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GB"}, {1 << 20, "MB"}, {1 << 10, "KB"}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// The guest's side.

// bare says that a path is looked up in the bare root, out of the
// container's sight where something is mounted over it: before 1.7.3 always,
// later until the machine's first exec. Such a path may not leave the root.
func (g *agent) bare() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.c.Release < r177 || !g.execed
}

// place returns the folder that guest paths are looked up from, and the path
// relative to it.
func (g *agent) place(path string) (dir *os.File, rel string, err error) {
	rel = strings.TrimLeft(path, "/")
	if g.bare() {
		if slices.Contains(strings.Split(path, "/"), "..") {
			return nil, "", fmt.Errorf("invalid guest path %s: parent traversal is not allowed", path)
		}
		dir, err = os.Open(fmt.Sprintf("/proc/self/fd/%d", g.outside.Fd()))
	} else {
		dir, err = os.Open("/")
	}
	return dir, rel, err
}

// put receives a file: into a temporary one beside it, then renamed.
func (g *agent) put(conn *net.UnixConn, w *frame.Writer, req request) {
	abs := "/" + strings.TrimLeft(req.Path, "/")
	say := func(step string, err error) {
		text := fmt.Sprintf("write file: failed to %s: %s", step, osText(err))
		if g.c.Release >= r177 {
			text = fmt.Sprintf("write file: failed to write %s in the workload container: %s: %s", abs, step, osText(err))
		}
		refuse(w, text)
	}
	rename := "rename onto " + abs
	if g.c.Release >= r177 {
		rename = "rename into " + abs
	}
	dir, rel, err := g.place(abs)
	if err != nil {
		refuse(w, "write file: "+err.Error())
		return
	}
	defer dir.Close()
	tmp := filepath.Join(filepath.Dir(filepath.Clean(rel)), fmt.Sprintf(".smolvm-%d", time.Now().UnixNano()))
	f, err := createAt(dir, tmp, os.FileMode(req.Perm))
	if err != nil {
		say("create staging", err)
		return
	}
	defer func() { _ = unix.Unlinkat(int(dir.Fd()), tmp, 0) }() // gone after a rename
	defer f.Close()
	if err := takeFile(conn, f); err != nil {
		say("write staging", err)
		return
	}
	if err := f.Chown(req.UID, req.GID); err != nil {
		say("chown staging", err)
		return
	}
	if err := unix.Renameat(int(dir.Fd()), tmp, int(dir.Fd()), rel); err != nil {
		say(rename, err)
		return
	}
	end(w, frame.Status{})
}

func createAt(dir *os.File, name string, perm os.FileMode) (*os.File, error) {
	under := fmt.Sprintf("/proc/self/fd/%d", dir.Fd())
	if err := os.MkdirAll(filepath.Join(under, filepath.Dir(name)), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(under, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return nil, err
	}
	return f, f.Chmod(perm) // whatever the umask
}

func takeFile(conn io.Reader, f *os.File) error {
	r := frame.NewReader(conn)
	for {
		kind, p, err := r.Next()
		if err != nil {
			return err
		}
		switch kind {
		case frame.CloseStdin:
			return nil
		case frame.Stdin:
			if _, err := f.Write(p); err != nil {
				return err
			}
		}
	}
}

// get sends a file. Opening a FIFO waits for a writer, for ever if none
// comes, and keeps its slot.
func (g *agent) get(w *frame.Writer, req request) {
	abs := "/" + strings.TrimLeft(req.Path, "/")
	f, text := g.openForGet(abs)
	if text != "" {
		refuse(w, "read file: "+text)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		refuse(w, "read file: "+osText(err))
		return
	}
	if !info.Mode().IsRegular() {
		switch {
		case g.c.Release >= r177:
			text = fmt.Sprintf("failed to read %s in the workload container: not a regular file: %s", abs, abs)
		case g.c.Release == r080:
			text = "failed to read file: Is a directory (os error 21)"
		default:
			text = "not a regular file: " + abs
		}
		refuse(w, "read file: "+text)
		return
	}
	// A file is read as long as it says it is: 0 bytes for those of /proc.
	if _, err := io.CopyBuffer(w.Stream(frame.Stdout), io.LimitReader(f, info.Size()), make([]byte, frame.MaxPayload)); err != nil {
		refuse(w, "read file: "+osText(err))
		return
	}
	end(w, frame.Status{})
}

func (g *agent) openForGet(abs string) (*os.File, string) {
	if g.c.Release >= r177 && !g.bare() {
		f, err := os.Open(abs)
		if err != nil {
			return nil, fmt.Sprintf("failed to read %s in the workload container: open %s: %s", abs, abs, osText(err))
		}
		return f, ""
	}
	dir, rel, err := g.place(abs)
	if err != nil {
		return nil, err.Error()
	}
	defer dir.Close()
	root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
	if err != nil {
		return nil, osText(err)
	}
	defer root.Close()
	f, err := root.Open(filepath.Clean(rel))
	var errno unix.Errno
	switch {
	case errors.As(err, &errno):
		return nil, fmt.Sprintf("failed to canonicalize target %s: %s", abs, osText(err))
	case err != nil:
		return nil, fmt.Sprintf("invalid guest path %s: resolved path escapes allowed root", abs)
	}
	return f, ""
}
