package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm/artifact"
)

// Ready returns an artifact that may be unpacked now: its file is unchanged,
// by size and time, since it was verified under the present rules; else it is
// verified first.
func (l *Library) Ready(ctx context.Context, ref string, progress func(Progress)) (Artifact, error) {
	a, err := l.Get(ref)
	if err != nil {
		return Artifact{}, err
	}
	info, err := os.Lstat(l.file(a.ID))
	if err == nil && a.trusted() && info.Mode().IsRegular() && info.Size() == a.Size && info.ModTime().Equal(a.ModTime) {
		return a, nil
	}
	return l.Verify(ctx, a.ID, progress)
}

// Verify reads an artifact's file again. Damage is recorded in the artifact's
// Problem and is a [*DamagedError]. When the ID still holds, the contents are
// what was vetted, so they are only looked into again when the rules became
// stricter since or the record was lost.
func (l *Library) Verify(ctx context.Context, ref string, progress func(Progress)) (Artifact, error) {
	a, err := l.Get(ref)
	if err != nil {
		return Artifact{}, err
	}
	verified, err := l.verify(ctx, a, progress)
	if err != nil {
		var damaged *DamagedError
		if !errors.As(err, &damaged) {
			return a, failed("verifying "+quote(a.Name), err)
		}
		verified = a
		verified.Problem = damaged.Why
	}
	out, editErr := l.edit(a.ID, func(b *Artifact, _ []Artifact) error {
		// Name, settings and such may have changed meanwhile.
		verified.Name, verified.LastUsed, verified.Pinned, verified.Settings = b.Name, b.LastUsed, b.Pinned, b.Settings
		*b = verified
		return nil
	})
	if editErr != nil {
		return a, errors.Join(err, failed("recording what was found", editErr))
	}
	return out, err
}

// verify returns a as it is found to be.
func (l *Library) verify(ctx context.Context, a Artifact, progress func(Progress)) (Artifact, error) {
	f, size, err := artifact.OpenFile(l.file(a.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return a, &DamagedError{a.Name, "its file is gone"}
	}
	if err != nil {
		return a, damage(a.Name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return a, err
	}
	tell := func(done, total int64) {
		if progress != nil {
			progress(Progress{Phase: Verifying, Done: done, Total: total})
		}
	}
	if a.Rules < artifact.Rules || a.Verified.IsZero() {
		sum, err := artifact.Verify(ctx, f, size, tell)
		if err != nil {
			return a, damage(a.Name, err)
		}
		if sum.SHA256 != a.ID {
			return a, &DamagedError{a.Name, "its contents changed since it was added"}
		}
		a.passed(sum, info.ModTime(), l.now())
		return a, nil
	}
	id, err := hashFile(ctx, f, size, tell)
	if err != nil {
		return a, err
	}
	if id != a.ID {
		return a, &DamagedError{a.Name, "its contents changed since it was added"}
	}
	a.Size, a.ModTime, a.Verified, a.Problem = size, info.ModTime().UTC(), l.now(), ""
	return a, nil
}

// damage makes what is wrong with a file a DamagedError; a failure to read it
// is none.
func damage(name string, err error) error {
	var fe *artifact.FormatError
	if errors.As(err, &fe) {
		return &DamagedError{name, fe.Why}
	}
	return err
}

const tellEvery = 100 * time.Millisecond

func hashFile(ctx context.Context, f *os.File, size int64, tell func(done, total int64)) (string, error) {
	h := sha256.New()
	var done int64
	var told time.Time
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		done += int64(n)
		if now := time.Now(); now.Sub(told) > tellEvery {
			told = now
			tell(done, size)
		}
		if errors.Is(err, io.EOF) {
			tell(done, done)
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// Rebuild makes the index again from the records, and records that are missing
// from the files, which are then verified. Those that fail stay, with their
// Problem told.
func (l *Library) Rebuild(ctx context.Context, progress func(Progress)) error {
	if err := l.locked(ctx, l.repair); err != nil {
		return failed("rebuilding the index", err)
	}
	list, err := l.List()
	if err != nil {
		return err
	}
	for _, a := range list {
		if !a.Verified.IsZero() {
			continue
		}
		var damaged *DamagedError
		if _, err := l.Verify(ctx, a.ID, progress); err != nil && !errors.As(err, &damaged) {
			return fault.Wrap(err, "rebuilding the index", "")
		}
	}
	return nil
}
