package smolvm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// copyLimit is the largest file that smolvm copies, either way.
	copyLimit = 4 << 30
	// copyStall is how long a copy may say nothing: a FIFO in the guest blocks
	// for ever, and progress comes at least every 16 MiB.
	copyStall = 60 * time.Second
)

// Copy copies one regular file into or out of a machine; one side is
// NAME:/path. A host path whose part before the first colon could be a name
// must be written with a slash before it, "./a:b". An empty side means that
// there is nothing to copy.
func (c *Client) Copy(ctx context.Context, src, dst string) error {
	if src == "" || dst == "" {
		return nil
	}
	if name, guest, ok := remote(src); ok {
		if _, _, both := remote(dst); both {
			return errors.New("copying from machine to machine is not possible: copy to the host first")
		}
		return c.CopyOut(ctx, name, guest, dst)
	}
	if name, guest, ok := remote(dst); ok {
		return c.CopyIn(ctx, name, src, guest, CopyOptions{})
	}
	return errors.New("copying: one side must be NAME:/path")
}

// remote splits NAME:/path.
func remote(s string) (name, path string, ok bool) {
	name, path, ok = strings.Cut(s, ":")
	if !ok || CheckName(name) != nil {
		return "", "", false
	}
	return name, path, true
}

// CopyIn copies the regular file host to the path guest in a machine, making
// the folders above it. Links on the host are followed.
func (c *Client) CopyIn(ctx context.Context, name, host, guest string, o CopyOptions) error {
	if host == "" || guest == "" {
		return nil
	}
	if err := checkCopy(name, guest); err != nil {
		return err
	}
	host, err := filepath.Abs(host)
	if err != nil {
		return err
	}
	info, err := os.Stat(host)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		// A FIFO would block, a device never end.
		return &os.PathError{Op: "copy", Path: host, Err: errors.New("not a regular file")}
	case info.Size() > copyLimit:
		return &os.PathError{Op: "copy", Path: host, Err: errors.New("larger than the 4 GiB that smolvm copies")}
	}
	if strings.ContainsRune(host, ':') {
		// smolvm would take what is before the colon for a machine.
		dir, err := scratch("")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		link := filepath.Join(dir, "file")
		if err := os.Symlink(host, link); err != nil {
			return err
		}
		host = link
	}
	return c.transfer(ctx, name, copyInArgs(c.in.Version, name, host, absolute(guest), o))
}

// CopyOut copies the regular file guest of a machine to host, whose folder
// must exist. An older file there is replaced when all has arrived.
func (c *Client) CopyOut(ctx context.Context, name, guest, host string) error {
	if host == "" || guest == "" {
		return nil
	}
	if err := checkCopy(name, guest); err != nil {
		return err
	}
	if strings.HasSuffix(host, "/") {
		return &os.PathError{Op: "copy", Path: host, Err: errors.New("is a folder, a file name is needed")}
	}
	host, err := filepath.Abs(host)
	if err != nil {
		return err
	}
	if info, err := os.Stat(host); err == nil && info.IsDir() {
		return &os.PathError{Op: "copy", Path: host, Err: errors.New("is a folder, a file name is needed")}
	}
	// A failed download removes its target, so it never gets the real one.
	dir, err := scratch(filepath.Dir(host))
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tmp := filepath.Join(dir, "file")
	if err := c.transfer(ctx, name, copyOutArgs(name, absolute(guest), tmp)); err != nil {
		return err
	}
	return move(host, tmp)
}

func (c *Client) transfer(ctx context.Context, name string, args []string) error {
	release, err := c.connect(ctx, name, args)
	if err != nil {
		return err
	}
	defer release()
	job := c.job(args, nil)
	job.Stall = c.stall
	_, err = c.call(ctx, job)
	var e *CommandError
	if errors.As(err, &e) && errors.Is(e.Cause, ErrNotRunning) {
		if up, aerr := c.Alive(context.WithoutCancel(ctx), name); aerr == nil && up {
			e.Cause = ErrBusy
		}
	}
	return err
}

func checkCopy(name, guest string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if strings.ContainsRune(guest, 0) {
		return fmt.Errorf("copying: path in %s holds a NUL byte", name)
	}
	return nil
}

// absolute is how smolvm reads a path in a machine.
func absolute(guest string) string {
	if strings.HasPrefix(guest, "/") {
		return guest
	}
	return "/" + guest
}

// scratch makes a private folder whose path has no colon, beside the target
// where that is possible.
func scratch(beside string) (string, error) {
	if beside != "" {
		if _, err := os.Stat(beside); err != nil {
			return "", err
		}
	}
	if strings.ContainsRune(beside, ':') {
		beside = ""
	}
	dir, err := os.MkdirTemp(beside, ".bottlebar-")
	if err == nil && strings.ContainsRune(dir, ':') {
		_ = os.RemoveAll(dir)
		dir, err = os.MkdirTemp("/tmp", ".bottlebar-")
	}
	return dir, err
}
