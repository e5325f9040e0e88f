package bottle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"bottlebar.app/hop"
	"bottlebar.app/hop/transfer"
	"bottlebar.app/internal/fault"
	"bottlebar.app/internal/frame"
	"bottlebar.app/snapshot"
)

// CopyOptions say what to copy. Sources and targets on this computer are
// absolute; paths in the bottle may be relative to the session's folder.
type CopyOptions struct {
	In         bool
	Host       []string
	Guest      string
	Unique     bool // in: a taken name becomes "name-2" instead of being replaced
	IntoFolder bool // the target is meant as a folder
	Progress   func(snapshot.Transfer)
}

// Copied says what arrived where.
type Copied struct {
	Paths   []string
	Skipped []snapshot.Problem
	Bytes   int64
	Files   int64
}

// Copy copies files and folders into or out of the bottle as one stream.
func (b *Bottle) Copy(ctx context.Context, o CopyOptions) (Copied, error) {
	l, err := b.running()
	if err != nil {
		return Copied{}, err
	}
	s, err := l.session(ctx)
	if err != nil {
		return Copied{}, err
	}
	if o.In {
		return b.copyIn(ctx, s, o)
	}
	return b.copyOut(ctx, s, o)
}

func (b *Bottle) copyIn(ctx context.Context, s *hop.Session, o CopyOptions) (Copied, error) {
	sources := make([]transfer.Source, 0, len(o.Host))
	var total int64
	for _, p := range o.Host {
		fi, err := os.Lstat(p)
		if err != nil {
			return Copied{}, fault.New("copying "+p, reason(err), "look whether it is still there")
		}
		if !fi.IsDir() && !fi.Mode().IsRegular() && fi.Mode()&os.ModeSymlink == 0 {
			return Copied{}, fault.New("copying "+p, "it is neither a file nor a folder", "choose a file or a folder")
		}
		total += weigh(p, fi)
		sources = append(sources, transfer.Source{Path: p})
	}
	b.mu.Lock()
	sess := b.entry.Session
	b.mu.Unlock()
	dest, place := b.guestPath(o.Guest), hop.PlaceAuto
	if o.IntoFolder || o.Guest == "" {
		place = hop.PlaceInto
	}
	exists := transfer.ExistsReplace
	if o.Unique {
		exists = transfer.ExistsUnique
	}
	label := count(len(sources)) + " into " + dest
	defer b.set(func() { b.transfer = nil })
	copied, err := b.send(ctx, s, sendOptions{sources: sources, dest: dest, place: place, user: sess.User, exists: exists}, func(done int64) {
		t := snapshot.Transfer{Label: label, Done: done, Total: total}
		b.set(func() { b.transfer = &t })
		if o.Progress != nil {
			o.Progress(t)
		}
	})
	if err != nil && ctx.Err() == nil {
		err = fault.Wrap(err, "copying "+label, b.lookThere(err))
	}
	return copied, err
}

type sendOptions struct {
	sources []transfer.Source
	dest    string
	place   hop.Place
	user    string
	exists  transfer.Exists
}

// send packs sources on this side while the guest unpacks on the other.
func (b *Bottle) send(ctx context.Context, s *hop.Session, o sendOptions, progress func(done int64)) (Copied, error) {
	r, w := io.Pipe()
	type packed struct {
		report transfer.Report
		err    error
	}
	done := make(chan packed, 1)
	go func() {
		report, err := transfer.Pack(ctx, w, o.sources, func(p transfer.Progress) {
			if progress != nil {
				progress(p.Bytes)
			}
		})
		_ = w.CloseWithError(err)
		done <- packed{report, err}
	}()
	reply, err := s.Send(ctx, hop.SendRequest{Dest: o.dest, Place: o.place, User: o.user, Exists: o.exists}, r)
	_ = r.CloseWithError(io.ErrClosedPipe)
	pack := <-done
	if pack.err != nil && !errors.Is(pack.err, io.ErrClosedPipe) {
		err = pack.err
	}
	out := Copied{Paths: reply.Paths, Bytes: reply.Bytes, Files: reply.Files}
	for _, sk := range pack.report.Skipped {
		out.Skipped = append(out.Skipped, snapshot.Problem{What: "left out " + hop.Clean(sk.Path, 255), Why: sk.Reason})
	}
	return out, err
}

func (b *Bottle) copyOut(ctx context.Context, s *hop.Session, o CopyOptions) (Copied, error) {
	if len(o.Host) != 1 {
		return Copied{}, fault.New("copying out of "+b.name, "it needs one target", "name one folder or file")
	}
	b.mu.Lock()
	user := b.entry.Session.User
	b.mu.Unlock()
	source := strings.TrimSuffix(b.guestPath(o.Guest), "/")
	if source == "" {
		return Copied{}, fault.New("copying / out of "+b.name, "it is the whole machine", "name a folder in it")
	}
	dir, name, err := target(o.Host[0], path.Base(source), o.IntoFolder)
	if err != nil {
		return Copied{}, err
	}
	failed := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var said *frame.Failure
		if errors.As(err, &said) {
			err = said // without what surrounds it in the stream
		}
		return fault.Wrap(err, "copying "+hop.Clean(source, 255)+" out of "+b.name, b.lookThere(err))
	}
	down, err := s.Receive(ctx, hop.ReceiveRequest{Paths: []string{source}, User: user})
	if err != nil {
		return Copied{}, failed(err)
	}
	defer down.Close()
	label := hop.Clean(path.Base(source), 100) + " out to " + dir
	defer b.set(func() { b.transfer = nil })
	options := transfer.HostOptions(true)
	options.Exists, options.Rename = transfer.ExistsReplace, name
	options.Progress = func(p transfer.Progress) {
		t := snapshot.Transfer{Label: label, Done: p.Bytes}
		b.set(func() { b.transfer = &t })
		if o.Progress != nil {
			o.Progress(t)
		}
	}
	report, err := transfer.Unpack(ctx, down, dir, options)
	var denied *os.PathError
	if errors.As(err, &denied) {
		return Copied{}, fault.New("copying to "+filepath.Join(dir, name), reason(err), "look whether the folder can be written, and whether the disk is full")
	}
	if err != nil {
		return Copied{}, failed(err)
	}
	out := Copied{Bytes: report.Bytes, Files: report.Files}
	for _, top := range report.Top {
		out.Paths = append(out.Paths, filepath.Join(dir, top))
	}
	for _, sk := range append(report.Skipped, down.Report().Skipped...) {
		out.Skipped = append(out.Skipped, snapshot.Problem{What: "left out " + hop.Clean(sk.Path, 255), Why: hop.Clean(sk.Reason, 200)})
	}
	return out, nil
}

// lookThere is the cure of what the guest said about its files.
func (b *Bottle) lookThere(err error) string {
	var there *hop.RemoteError
	var said *frame.Failure
	if !errors.As(err, &there) && !errors.As(err, &said) {
		return ""
	}
	return "look what is there with bottlebar exec " + b.name + " -- ls -la"
}

// target splits what the person wrote, as cp reads it: into a folder that is
// there, else under the name given.
func target(host, base string, folder bool) (dir, name string, err error) {
	if fi, err := os.Stat(host); err == nil && fi.IsDir() {
		return host, base, nil
	}
	if folder {
		return "", "", fault.New("copying to "+host, "there is no such folder", "make the folder first")
	}
	dir = filepath.Dir(host)
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return "", "", fault.New("copying to "+host, "there is no folder "+dir, "make the folder first")
	}
	return dir, filepath.Base(host), nil
}

// weigh is the size of a file or of all files in a folder, for the progress.
func weigh(p string, fi os.FileInfo) int64 {
	if fi.IsDir() {
		return size(p)
	}
	return fi.Size()
}

func count(n int) string {
	if n == 1 {
		return "1 item"
	}
	return fmt.Sprintf("%d items", n)
}

// reason is an error of the file system in few words, without its path.
func reason(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// size sums the bytes that a folder's files take.
func size(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // what cannot be read is not counted
		}
		if fi, err := d.Info(); err == nil {
			sum += fi.Size()
		}
		return nil
	})
	return sum
}
