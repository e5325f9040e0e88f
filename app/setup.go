package app

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"syscall"

	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/snapshot"
)

// Doctor implements control.Core: it runs each check of Setup anew, side by
// side, and shows what it found.
func (a *App) Doctor(ctx context.Context) ([]snapshot.Check, error) {
	checks := []func(context.Context) snapshot.Check{a.checkSmolvm, a.checkEngine, a.checkWay, a.checkCredential, a.checkDisk, a.checkLibrary, a.checkPolicy}
	out := make([]snapshot.Check, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { out[i] = check(ctx) })
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.state.checks = out
	a.mu.Unlock()
	a.bus.changed()
	return out, nil
}

func failed(c snapshot.Check, err error) snapshot.Check {
	f := fault.Of(err)
	c.State, c.Finding, c.Cure, c.Action = snapshot.CheckFailed, f.Why, f.Cure, "retry"
	return c
}

func (a *App) checkSmolvm(ctx context.Context) snapshot.Check {
	c := snapshot.Check{ID: "smolvm", Title: "smolvm"}
	in, err := a.install(ctx)
	if err != nil {
		return failed(c, err)
	}
	a.mu.Lock()
	a.state.simulated = in.Simulated
	a.mu.Unlock()
	c.State, c.Finding = snapshot.CheckOK, "smolvm "+in.Version.String()+" at "+in.Path
	if in.Simulated {
		c.State, c.Finding = snapshot.CheckWarn, "simulated: no VM (the stand-in for smolvm "+in.Version.String()+")"
		c.Cure = "install smolvm for real isolation"
	}
	for _, n := range in.Notices {
		c.State, c.Finding, c.Cure = snapshot.CheckWarn, c.Finding+". "+n.Text, n.Cure
		if _, refused := in.Refused(); refused {
			c.State = snapshot.CheckFailed
		}
	}
	return c
}

func (a *App) checkEngine(ctx context.Context) snapshot.Check {
	c := snapshot.Check{ID: "engine", Title: "Docker engine"}
	choice, err := a.choose(ctx)
	if err != nil {
		return failed(c, err)
	}
	c.State, c.Finding = snapshot.CheckOK, choice.Reason
	set, err := a.settings()
	switch {
	case err != nil || choice.Kind != sidecar.KindProcess:
	case set.Driver == sidecar.KindProcess: // what the person chose is no finding
		c.Finding = "not used: the settings choose child processes as sidecars"
	default:
		c.State = snapshot.CheckWarn
		c.Cure = "with a Docker engine the sidecar is kept apart better; install one, or leave it so"
	}
	return c
}

func (a *App) checkCredential(ctx context.Context) snapshot.Check {
	c := snapshot.Check{ID: "credential", Title: "Credential", Action: "credential", Command: "bottlebar credential set"}
	st, err := a.creds.Status(ctx)
	switch {
	case err != nil:
		f := fault.Of(err)
		c.State, c.Finding, c.Cure = snapshot.CheckWarn, f.Why, f.Cure
	case !st.Set:
		c.State, c.Finding, c.Cure = snapshot.CheckWarn, "none is set: Claude in a bottle cannot reach the API", "set an API key, or a token from claude setup-token"
	default:
		c = a.shownCredential(c, st)
	}
	return c
}

func (a *App) checkDisk(context.Context) snapshot.Check {
	c := snapshot.Check{ID: "disk", Title: "Disk"}
	var st syscall.Statfs_t
	if err := syscall.Statfs(a.paths.Homes, &st); err != nil {
		return failed(c, err)
	}
	free := float64(st.Bavail) * float64(st.Bsize)
	c.State, c.Finding = snapshot.CheckOK, fmt.Sprintf("%.1f GB free", free/1e9)
	if free < 5<<30 {
		c.State, c.Cure = snapshot.CheckFailed, "free at least 5 GB; no bottle starts below that"
	}
	return c
}

// libraryCheck is the ID of the library's line.
const libraryCheck = "library"

func (a *App) checkLibrary(context.Context) snapshot.Check {
	list, err := a.library.List()
	return checkLibrary(len(list), err)
}

// checkLibrary is the library's line for a number of artifacts.
func checkLibrary(n int, err error) snapshot.Check {
	c := snapshot.Check{ID: libraryCheck, Title: "Library"}
	if err != nil {
		return failed(c, err)
	}
	switch n {
	case 0:
		c.State, c.Finding, c.Action = snapshot.CheckWarn, "no artifact yet", "library"
		c.Cure = "make one with Claude Code in it, add a .smolmachine file for " + runtime.GOARCH + ", or pack an image"
		c.Command = "bottlebar library make"
	case 1:
		c.State, c.Finding = snapshot.CheckOK, "1 artifact"
	default:
		c.State, c.Finding = snapshot.CheckOK, fmt.Sprintf("%d artifacts", n)
	}
	return c
}
