package transfer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// wholeSize is up to where a file is read before its header is written, so
// that it cannot change in between.
const wholeSize = 256 << 10

// progressStep is how many bytes of one file pass between two reports.
const progressStep = 256 << 10

// Pack writes sources as one tar stream to w, in the order given and sorted
// within folders. progress may be nil.
//
// Regular files, folders and links that stay inside their source go in;
// everything else is left out and reported, also what vanishes or cannot be
// read below a source. A source that is itself missing, unreadable or of
// another kind is an error, and so is a file that becomes shorter while it
// is read: what was written until then must be thrown away. A file that
// grows is cut at the length it had.
func Pack(ctx context.Context, w io.Writer, sources []Source, progress func(Progress)) (Report, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	p := &packer{ctx: ctx, tw: tar.NewWriter(w), progress: progress, buf: make([]byte, 2*wholeSize)}
	taken := map[string]bool{}
	for _, s := range sources {
		path, err := filepath.Abs(s.Path)
		if err != nil {
			return p.report, err
		}
		name := s.Name
		if name == "" {
			name = filepath.Base(path)
		}
		if err := checkName(name); err != nil {
			return p.report, &FileError{Path: s.Path, Err: err}
		}
		name = unique(name, func(n string) bool { return taken[n] })
		taken[name] = true
		p.report.Top = append(p.report.Top, name)
		if err := p.source(path, name); err != nil {
			return p.report, err
		}
	}
	return p.report, p.tw.Close()
}

// FileError is a failure of one file.
type FileError struct {
	Path string // as the caller named it, or the name in the stream
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%q: %s", e.Path, reason(e.Err)) }
func (e *FileError) Unwrap() error { return e.Err }

// reason is the part of an error that a person reads beside the name.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it is not there any more"
	case errors.Is(err, fs.ErrPermission):
		return "it cannot be read with your rights"
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

type packer struct {
	ctx      context.Context
	tw       *tar.Writer
	progress func(Progress)
	report   Report
	buf      []byte
}

// errKind is why something is not a file to copy.
type errKind struct{ text string }

func (e errKind) Error() string { return e.text }

func kind(m fs.FileMode) errKind {
	switch {
	case m&fs.ModeSocket != 0:
		return errKind{"it is a socket"}
	case m&fs.ModeNamedPipe != 0:
		return errKind{"it is a named pipe"}
	case m&fs.ModeDevice != 0:
		return errKind{"it is a device"}
	case m&fs.ModeSymlink != 0:
		return errKind{"it is a link"}
	}
	return errKind{"it is not a regular file"}
}

// source packs one source. A link given as a source is what it leads to:
// whoever drops a link means the thing.
func (p *packer) source(path, name string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return &FileError{Path: path, Err: err}
	}
	if !fi.IsDir() {
		f, err := openRegular(path)
		if err != nil {
			return &FileError{Path: path, Err: err}
		}
		defer func() { _ = f.Close() }()
		return p.file(f, name)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return &FileError{Path: path, Err: err}
	}
	defer func() { _ = root.Close() }()
	t := tree{packer: p, root: root, top: name}
	return t.folder(root, name, "", fi, 1)
}

// openRegular opens a regular file and nothing else. Opening does not wait,
// so a named pipe that took the file's place blocks nobody.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, notFile(err, func() (fs.FileInfo, error) { return os.Stat(path) })
	}
	return f, regular(f)
}

// notFile replaces the error of opening a socket or the like by its kind.
func notFile(err error, stat func() (fs.FileInfo, error)) error {
	if fi, serr := stat(); serr == nil && !fi.Mode().IsRegular() {
		return kind(fi.Mode())
	}
	return err
}

func regular(f *os.File) error {
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = kind(fi.Mode())
	}
	if err != nil {
		_ = f.Close()
	}
	return err
}

// tree is one folder that is being packed.
type tree struct {
	*packer
	root *os.Root // the source itself: links are followed no further than it
	top  string
}

// folder packs dir, which is called name in the stream and rel below the
// source. Each level holds its own folder open, so renaming a parent
// meanwhile leads nowhere else.
func (t *tree) folder(dir *os.Root, name, rel string, fi fs.FileInfo, depth int) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	h := header(name+"/", fi)
	h.Typeflag = tar.TypeDir
	if err := t.tw.WriteHeader(h); err != nil {
		return err
	}
	t.report.Folders++
	entries, err := readDir(dir)
	if err != nil {
		if rel == "" {
			return &FileError{Path: name, Err: err}
		}
		t.skip(name, err)
	}
	for _, e := range entries {
		if err := t.entry(dir, e, name+"/"+e.Name(), join(rel, e.Name()), depth); err != nil {
			return err
		}
	}
	return nil
}

func join(rel, name string) string {
	if rel == "" {
		return name
	}
	return rel + "/" + name
}

func readDir(dir *os.Root) ([]fs.DirEntry, error) {
	d, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	entries, err := d.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return bytes.Compare([]byte(a.Name()), []byte(b.Name())) })
	return entries, err
}

// entry packs one thing in a folder. Only errors that end the stream return.
func (t *tree) entry(dir *os.Root, e fs.DirEntry, name, rel string, depth int) error {
	if err := checkName(name); err != nil {
		t.skip(name, err)
		return nil
	}
	if depth >= maxDepth {
		t.skip(name, fmt.Errorf("it is more than %d folders deep", maxDepth))
		return nil
	}
	fi, err := dir.Lstat(e.Name())
	switch {
	case err != nil:
		t.skip(name, err)
	case fi.IsDir():
		return t.sub(dir, e.Name(), name, rel, fi, depth)
	case fi.Mode().IsRegular():
		return t.open(dir, e.Name(), name, fi)
	case fi.Mode()&fs.ModeSymlink != 0:
		return t.link(dir, e.Name(), name, rel, fi)
	default:
		t.skip(name, kind(fi.Mode()))
	}
	return nil
}

func (t *tree) sub(dir *os.Root, base, name, rel string, fi fs.FileInfo, depth int) error {
	sub, err := dir.OpenRoot(base)
	if err != nil {
		t.skip(name, err)
		return nil
	}
	defer func() { _ = sub.Close() }()
	now, err := sub.Stat(".")
	if err != nil || !os.SameFile(fi, now) {
		t.skip(name, errors.New("it changed while it was read"))
		return nil
	}
	return t.folder(sub, name, rel, fi, depth+1)
}

func (t *tree) open(dir *os.Root, base, name string, fi fs.FileInfo) error {
	f, err := dir.OpenFile(base, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		err = regular(f)
	}
	if err != nil {
		t.skip(name, err)
		return nil
	}
	defer func() { _ = f.Close() }()
	if now, err := f.Stat(); err != nil || !os.SameFile(fi, now) {
		t.skip(name, errors.New("it changed while it was read"))
		return nil
	}
	return t.file(f, name)
}

// link packs a link as a link, if it leads somewhere inside the source.
func (t *tree) link(dir *os.Root, base, name, rel string, fi fs.FileInfo) error {
	target, err := dir.Readlink(base)
	if err == nil {
		err = checkLink(name, filepath.ToSlash(target))
	}
	if err == nil {
		if _, serr := t.root.Stat(rel); serr != nil {
			err = errors.New("it is a link that leads nowhere inside the folder")
		}
	}
	if err != nil {
		t.skip(name, err)
		return nil
	}
	h := header(name, fi)
	h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, filepath.ToSlash(target), 0
	if err := t.tw.WriteHeader(h); err != nil {
		return err
	}
	t.report.Links++
	return nil
}

// file packs an open regular file.
func (p *packer) file(f *os.File, name string) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		return &FileError{Path: name, Err: err}
	}
	h := header(name, fi)
	h.Typeflag = tar.TypeReg
	if h.Size > wholeSize {
		return p.large(f, h)
	}
	n, err := io.ReadFull(f, p.buf) // to its end now, unless it has doubled since
	whole := p.buf[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		p.skip(name, err)
		return nil
	}
	h.Size = int64(len(whole))
	if err := p.tw.WriteHeader(h); err != nil {
		return err
	}
	if _, err := p.tw.Write(whole); err != nil {
		return err
	}
	p.done(name, h.Size)
	return nil
}

func (p *packer) large(f *os.File, h *tar.Header) error {
	if err := p.tw.WriteHeader(h); err != nil {
		return err
	}
	for left, step := h.Size, int64(0); left > 0; {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		n, err := f.Read(p.buf[:min(int64(len(p.buf)), left)])
		if n > 0 {
			if _, werr := p.tw.Write(p.buf[:n]); werr != nil {
				return werr
			}
			left -= int64(n)
			p.report.Bytes += int64(n)
			if step += int64(n); step >= progressStep {
				step = 0
				p.tell(h.Name)
			}
		}
		if errors.Is(err, io.EOF) && left > 0 {
			return &FileError{Path: h.Name, Err: errors.New("it became shorter while it was read")}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return &FileError{Path: h.Name, Err: err}
		}
	}
	p.done(h.Name, 0)
	return nil
}

func (p *packer) done(name string, n int64) {
	p.report.Files++
	p.report.Bytes += n
	p.tell(name)
}

func (p *packer) tell(name string) {
	p.progress(Progress{Path: name, Files: p.report.Files, Bytes: p.report.Bytes})
}

func (p *packer) skip(name string, err error) { p.report.skip(name, reason(err)) }

func (r *Report) skip(path, why string) {
	if len(r.Skipped) >= MaxSkipped {
		r.More++
		return
	}
	r.Skipped = append(r.Skipped, Skipped{Path: path, Reason: why})
}

// header has what crosses: name, rights, time, size. Owners do not.
func header(name string, fi fs.FileInfo) *tar.Header {
	h := &tar.Header{Name: name, Mode: int64(fi.Mode().Perm()), ModTime: fi.ModTime().Round(time.Microsecond), Format: tar.FormatPAX}
	if fi.Mode().IsRegular() {
		h.Size = fi.Size()
	}
	return h
}
