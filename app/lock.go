package app

import (
	"context"
	"errors"
	"time"

	"github.com/gofrs/flock"
)

// ErrOwned says that another process owns the bottles.
var ErrOwned = errors.New("another Bottlebar owns the bottles")

// lock is held by the process that owns the bottles. The kernel frees it when
// that process ends, however it ends.
type lock struct{ f *flock.Flock }

func takeLock(path string) (*lock, error) {
	// A command that an owner was about to start when it was killed holds the
	// lock for another moment.
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	f := flock.New(path)
	ok, err := f.TryLockContext(ctx, 20*time.Millisecond)
	if !ok && (err == nil || errors.Is(err, context.DeadlineExceeded)) {
		return nil, ErrOwned
	}
	if err != nil {
		return nil, err
	}
	return &lock{f}, nil
}

func (l *lock) release() { _ = l.f.Unlock() }
