package app

import (
	"errors"

	"github.com/gofrs/flock"
)

// ErrOwned says that another process owns the bottles.
var ErrOwned = errors.New("another Bottlebar owns the bottles")

// lock is held by the process that owns the bottles. The kernel frees it when
// that process ends, however it ends.
type lock struct{ f *flock.Flock }

func takeLock(path string) (*lock, error) {
	f := flock.New(path)
	ok, err := f.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrOwned
	}
	return &lock{f}, nil
}

func (l *lock) release() { _ = l.f.Unlock() }
