package smolvm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Pack makes an artifact of a registry image, in a VM of its own, or of an
// archive, by way of a machine. It calls
// progress for each line that smolvm prints, one at a time; progress may be
// nil. After an error nothing is left at the output.
func (c *Client) Pack(ctx context.Context, o PackOptions, progress func(line string)) (err error) {
	if o.Archive == "" && !plainReference(o.Image) {
		return fmt.Errorf("packing: %q is not an image reference", clip(clean(o.Image), 80))
	}
	if o.base() == "" {
		return errors.New("packing: no name for the artifact")
	}
	if o.Output, err = filepath.Abs(o.Output); err != nil {
		return err
	}
	files := []string{o.base(), o.Artifact()}
	for _, f := range files {
		if _, err := os.Lstat(f); err == nil {
			return &fs.PathError{Op: "pack", Path: f, Err: fs.ErrExist}
		}
	}
	if err := c.packHome(); err != nil {
		return fmt.Errorf("home of the packing machine: %w", err)
	}
	defer func() {
		if err != nil {
			for _, f := range files {
				_ = os.Remove(f)
			}
		}
	}()
	if progress == nil {
		progress = func(string) {}
	}
	if o.Archive != "" {
		if err := c.layArchive(ctx, o, progress); err != nil {
			return err
		}
	}
	if err := c.pack(ctx, o, progress); err != nil {
		return err
	}
	if !o.KeepStub {
		_ = os.Remove(o.base())
	}
	return nil
}

func (c *Client) packHome() error {
	if err := os.MkdirAll(c.home.Dir, 0o700); err != nil {
		return err
	}
	return c.home.linkTemplate(c.in.StorageTemplate)
}

// packMachine is the machine that an archive is packed from. It lives in the
// home of this pack alone.
const packMachine = "pack"

// layArchive makes a machine of an archive, without a network, and starts it
// once: that is when its image is unpacked.
func (c *Client) layArchive(ctx context.Context, o PackOptions, progress func(line string)) error {
	progress("Making a machine of the image's archive")
	if err := c.Create(ctx, CreateOptions{Name: packMachine, Archive: o.Archive, CPUs: o.CPUs, MemMiB: o.MemMiB}); err != nil {
		return err
	}
	progress("Starting it, so that the image is unpacked")
	err := c.Start(ctx, packMachine, StartOptions{Fresh: true, Timeout: -1})
	// Also after a failure: what half started must not outlive this.
	return errors.Join(err, c.Stop(context.WithoutCancel(ctx), packMachine))
}

func (c *Client) pack(ctx context.Context, o PackOptions, progress func(line string)) error {
	var env []string
	if o.ConfigFile != "" {
		env = append(env, "SMOLVM_CONFIG="+o.ConfigFile)
	}
	var mu sync.Mutex
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		progress(line)
	}
	job := c.job(packArgs(c.in.Version, o), env)
	out, errs := &lines{say: say}, &lines{say: say}
	job.Stdout, job.Stderr = out, errs
	res, err := c.call(ctx, job)
	out.flush()
	errs.flush()
	if err != nil {
		return err
	}
	info, err := os.Lstat(o.Artifact())
	if err != nil || !info.Mode().IsRegular() {
		return c.failure(job.Args, res, errors.New("smolvm reported success and made no artifact"))
	}
	return nil
}

// lines calls say for each line of what is written to it; a line that is
// drawn over with a carriage return counts as one.
type lines struct {
	say func(string)

	mu   sync.Mutex // a stream that a left-over process holds may still be written
	part []byte
	last string
}

// longestLine bounds what is kept of a line that does not end.
const longestLine = 4 << 10

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			l.keep(p)
			break
		}
		l.keep(p[:i])
		l.emit()
		p = p[i+1:]
	}
	return n, nil
}

func (l *lines) keep(p []byte) {
	l.part = append(l.part, p[:min(len(p), longestLine-len(l.part))]...)
}

func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emit()
}

func (l *lines) emit() {
	line := strings.TrimLeftFunc(clean(string(l.part)), func(r rune) bool {
		return r >= '\u2800' && r <= '\u28ff' // the frames of a turning sign
	})
	line = clip(strings.TrimSpace(line), 200)
	l.part = l.part[:0]
	if line != "" && line != l.last {
		l.last = line
		l.say(line)
	}
}
