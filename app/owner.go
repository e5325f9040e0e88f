package app

import (
	"context"
	"errors"
	"os"

	"bottlebar.app/internal/fault"
)

// Owner is the process that owns the bottles, seen from the command line: where
// it listens, how to be it, and how to start it.
type Owner struct {
	options Options
	paths   Paths
}

// FindOwner places an Owner by the environment in o. o's Screen is not used:
// what the command line starts has none.
func FindOwner(o Options) (*Owner, error) {
	paths, err := FindPaths(o.Getenv("BOTTLEBAR_HOME"))
	if err != nil {
		return nil, err
	}
	o.Screen = false
	return &Owner{options: o, paths: paths}, nil
}

// Socket is where the owner listens.
func (o *Owner) Socket() string { return o.paths.Socket }

// Serve owns the bottles in this process until ctx ends or another takes them.
// With untilIdle it also ends when nothing has run for a while.
func (o *Owner) Serve(ctx context.Context, untilIdle bool) error {
	a, err := Open(ctx, o.options)
	if errors.Is(err, ErrOwned) && untilIdle {
		return nil // started for a command line, which finds the other
	}
	if errors.Is(err, ErrOwned) {
		return fault.New("serving the bottles", "another Bottlebar owns them", "use it, or end it first")
	}
	if err != nil {
		return err
	}
	defer a.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if untilIdle {
		a.work.Go(func() {
			a.waitIdle(ctx)
			cancel()
		})
	}
	return a.Serve(ctx)
}

// Start starts another process that serves until idle.
func (o *Owner) Start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return startServe(ctx, o.paths, self)
}
