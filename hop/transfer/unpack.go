package transfer

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// Options say how Unpack treats a stream. The zero value is right in a
// bottle; [HostOptions] are for a person's own disk.
type Options struct {
	Limits Limits
	Exists Exists
	// Rename gives the one top-level name of the stream another one.
	Rename string
	// Omit names what is left out, element by element of each entry, with the
	// reason; an empty reason takes it. Below such a name nothing is made, and
	// a stream whose top-level name it is is refused. It may be nil.
	Omit func(element string) (reason string)
	// Fold maps a path to what it is equal to on a file system that ignores
	// case or Unicode form; two that fold alike are refused. It may be nil.
	Fold func(path string) string
	// Stamp is called with the folder that holds everything, before any of
	// it is moved to its place. It may be nil.
	Stamp    func(dir string) error
	Progress func(Progress)
}

// Unpack takes a stream from r and puts what it holds into dir, which must
// exist. Everything is first made in a fresh folder in dir (mode 0700), so a
// stream that breaks off or breaks a rule leaves nothing behind. It holds
// regular files, folders, and links that stay inside; a hard link becomes a
// copy. Rights are masked with 0777.
func Unpack(ctx context.Context, r io.Reader, dir string, o Options) (Report, error) {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	o.Limits.fill()
	dest, err := os.OpenRoot(dir)
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = dest.Close() }()
	stage, err := newStage(dest)
	if err != nil {
		return Report{}, err
	}
	defer stage.clear()
	u := &unpacker{ctx: ctx, o: o, root: stage.root, seen: newNames(), dir: stage.root, buf: make([]byte, progressStep)}
	if err := u.all(r); err != nil {
		return Report{}, err
	}
	if o.Stamp != nil {
		if err := o.Stamp(path.Join(dir, stage.name)); err != nil {
			return Report{}, err
		}
	}
	return u.place(dest, stage)
}

// stage is the fresh folder.
type stage struct {
	dest *os.Root
	root *os.Root
	name string
}

// stagePrefix begins the name of every staging folder.
const stagePrefix = ".bottlebar-incoming-"

func newStage(dest *os.Root) (*stage, error) {
	var b [8]byte
	_, _ = rand.Read(b[:])
	s := &stage{dest: dest, name: stagePrefix + hex.EncodeToString(b[:])}
	if err := dest.Mkdir(s.name, 0o700); err != nil {
		return nil, err
	}
	var err error
	s.root, err = dest.OpenRoot(s.name)
	return s, err
}

func (s *stage) clear() {
	_ = s.root.Close()
	_ = s.dest.RemoveAll(s.name)
}

type link struct{ name, target string }

// dated is a folder whose rights and time are set at the end: what is put
// into it changes its time and needs its rights.
type dated struct {
	name string
	mode fs.FileMode
	at   time.Time
}

type unpacker struct {
	ctx     context.Context
	o       Options
	root    *os.Root
	seen    names
	held    int64 // bytes of names that are kept until the end
	entries int64
	report  Report
	tops    map[string]bool
	left    map[string]bool // names that were left out
	links   []link
	folders []dated

	buf   []byte
	sized int64 // what Bytes is once the current file is whole

	dirName string // of the folder below, "" for the root
	dir     *os.Root
}

func (u *unpacker) all(r io.Reader) error {
	u.tops, u.left = map[string]bool{}, map[string]bool{}
	defer func() { _ = u.enter("") }()
	tail := &tail{r: r}
	tr := tar.NewReader(tail)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		if err := u.ctx.Err(); err != nil {
			return err
		}
		if err := u.entry(h, tr); err != nil {
			return err
		}
	}
	if tail.n%blockSize != 0 || tail.zeros < 2*blockSize {
		return errors.New("reading the stream: it ends before its archive does")
	}
	// The stream's own end says whether it is whole: an archive ends before.
	n, err := io.Copy(io.Discard, io.LimitReader(r, maxTrailer+1))
	if err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	if n > maxTrailer {
		return errors.New("reading the stream: something follows its end")
	}
	return u.finish()
}

// entry makes one thing.
func (u *unpacker) entry(h *tar.Header, r io.Reader) error {
	name := strings.TrimSuffix(h.Name, "/")
	wrong := func(err error) error { return &FileError{Path: name, Err: err} }
	if err := u.count(); err != nil {
		return wrong(err)
	}
	if err := checkName(name); err != nil {
		return wrong(err)
	}
	if left, reason := u.omit(name); left != "" {
		if !strings.Contains(left, "/") {
			return &FileError{Path: left, Err: errors.New(reason)}
		}
		u.leave(left, reason)
		return nil
	}
	if err := u.shadowed(name); err != nil {
		return wrong(err)
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse") {
			return wrong(errors.New("it is a file with holes"))
		}
	}
	top, _, _ := strings.Cut(name, "/")
	if !u.tops[top] {
		u.tops[top] = true
		u.report.Top = append(u.report.Top, top)
	}
	if u.o.Rename != "" && len(u.report.Top) > 1 {
		return wrong(errors.New("the stream holds more than one file or folder"))
	}
	if err := u.lay(name, h, r); err != nil {
		return wrong(err)
	}
	return nil
}

// lay makes what an entry is, under a name that was checked.
func (u *unpacker) lay(name string, h *tar.Header, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return u.folder(name, h)
	case tar.TypeReg:
		return u.file(name, h, r)
	case tar.TypeSymlink:
		if err := checkLink(name, h.Linkname); err != nil {
			return err
		}
		if err := u.hold(name, h.Linkname); err != nil {
			return err
		}
		u.links = append(u.links, link{name, h.Linkname})
		u.report.Links++
		return nil
	case tar.TypeLink:
		return u.copyOf(name, h)
	}
	return fmt.Errorf("it is of a kind that is not copied (%q)", h.Typeflag)
}

// enter makes name the current folder, making what is missing of it.
func (u *unpacker) enter(name string) error {
	if name == u.dirName {
		return nil
	}
	if u.dirName != "" {
		_ = u.dir.Close()
	}
	u.dirName, u.dir = "", u.root
	if name == "" {
		return nil
	}
	if err := u.root.MkdirAll(name, 0o700); err != nil {
		return err
	}
	dir, err := u.root.OpenRoot(name)
	if err != nil {
		return err
	}
	u.dirName, u.dir = name, dir
	return nil
}

func (u *unpacker) folder(name string, h *tar.Header) error {
	if err := u.enter(name); err != nil {
		return err
	}
	if err := u.hold(name); err != nil {
		return err
	}
	u.folders = append(u.folders, dated{name, fs.FileMode(h.Mode).Perm(), h.ModTime})
	u.report.Folders++
	return nil
}

func (u *unpacker) file(name string, h *tar.Header, r io.Reader) error {
	if h.Size > u.o.Limits.Bytes-u.report.Bytes {
		return fmt.Errorf("%w: more than %d bytes", ErrLimit, u.o.Limits.Bytes)
	}
	f, err := u.create(name, h)
	if err != nil {
		return err
	}
	u.sized = u.report.Bytes + h.Size
	err = u.fill(f, name, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	_ = u.dir.Chtimes(path.Base(name), time.Time{}, h.ModTime)
	u.report.Files++
	u.o.Progress(Progress{Path: name, Files: u.report.Files, Bytes: u.report.Bytes})
	return nil
}

func (u *unpacker) create(name string, h *tar.Header) (*os.File, error) {
	folder := path.Dir(name)
	if folder == "." {
		folder = ""
	}
	if err := u.enter(folder); err != nil {
		return nil, err
	}
	mode := fs.FileMode(h.Mode).Perm()
	f, err := u.dir.OpenFile(path.Base(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if errors.Is(err, fs.ErrExist) {
		return nil, errors.New("its name comes twice")
	}
	if err == nil && mode&0o200 == 0 {
		err = f.Chmod(mode)
	}
	return f, err
}

// fill copies content, reporting and stopping on the way.
func (u *unpacker) fill(w io.Writer, name string, r io.Reader) error {
	for {
		n, err := io.ReadFull(r, u.buf)
		if _, werr := w.Write(u.buf[:n]); werr != nil {
			return werr
		}
		u.report.Bytes += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && u.sized == u.report.Bytes {
			return nil
		}
		if err != nil {
			return err
		}
		if err := u.ctx.Err(); err != nil {
			return err
		}
		u.o.Progress(Progress{Path: name, Files: u.report.Files, Bytes: u.report.Bytes})
	}
}

// copyOf makes a hard link a file of its own: two names for one file would
// let a later writer of one change the other.
func (u *unpacker) copyOf(name string, h *tar.Header) error {
	// Links are made last, so what is there now is a file of this stream.
	fi, err := u.root.Lstat(h.Linkname)
	if err != nil || !fi.Mode().IsRegular() {
		return errors.New("it is a hard link to something that the stream does not hold")
	}
	src, err := u.root.Open(h.Linkname)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	copied := *h
	copied.Size, copied.Mode = fi.Size(), int64(fi.Mode().Perm())
	return u.file(name, &copied, src)
}

// finish makes the links, then gives the folders their rights and times,
// innermost first.
func (u *unpacker) finish() error {
	if err := u.enter(""); err != nil {
		return err
	}
	for _, l := range u.links {
		err := u.root.MkdirAll(path.Dir(l.name), 0o700)
		if err == nil {
			err = u.root.Symlink(l.target, l.name)
		}
		if err != nil {
			return &FileError{Path: l.name, Err: errors.New("it is a link in the place of something else")}
		}
	}
	for i := len(u.folders) - 1; i >= 0; i-- {
		d := u.folders[i]
		if err := u.root.Chmod(d.name, d.mode|0o700); err != nil {
			return &FileError{Path: d.name, Err: err}
		}
		_ = u.root.Chtimes(d.name, time.Time{}, d.at)
	}
	return nil
}
