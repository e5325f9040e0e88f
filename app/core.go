package app

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"time"

	"bottlebar.app/bottle"
	"bottlebar.app/control"
	"bottlebar.app/credential"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

var _ control.Core = (*App)(nil)

// Watch implements control.Core.
func (a *App) Watch(ctx context.Context) <-chan snapshot.Snapshot { return a.bus.watch(ctx) }

// Launch implements control.Core.
func (a *App) Launch(ctx context.Context, req control.LaunchRequest, progress func(snapshot.Bottle)) (snapshot.Bottle, error) {
	ctx, done := a.during(ctx)
	defer done()
	b, err := a.Begin(ctx, req, func(id string) {
		if progress != nil {
			a.follow(ctx, id, progress)
		}
	})
	if err == nil && progress != nil {
		progress(b) // the last step, too: what follows a snapshot may come late
	}
	return b, err
}

// Begin is Launch that tells the bottle's ID as soon as it has one.
func (a *App) Begin(ctx context.Context, req control.LaunchRequest, began func(id string)) (snapshot.Bottle, error) {
	ctx, done := a.during(ctx)
	defer done()
	own, err := ownPolicy(req)
	if err != nil {
		return snapshot.Bottle{}, err
	}
	b, err := a.rack.Launch(ctx, bottle.Options{
		Artifact: req.Artifact, Name: req.Name, Folder: req.Folder, Command: req.Command, Mode: req.Mode, Hold: a.holds(req), Policy: own,
		Cap: req.CapTokens, Web: req.Web, Began: began,
	})
	if err != nil {
		return snapshot.Bottle{}, err
	}
	return b.View(), nil
}

// during ends ctx with the app, and with the caller's own.
func (a *App) during(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// follow tells progress about one bottle until ctx ends.
func (a *App) follow(ctx context.Context, id string, progress func(snapshot.Bottle)) {
	updates := a.bus.watch(ctx)
	a.work.Go(func() {
		for s := range updates {
			for _, b := range s.Bottles {
				if b.ID == id {
					progress(b)
				}
			}
		}
	})
}

// Stop implements control.Core.
func (a *App) Stop(ctx context.Context, name string) error {
	b, err := a.rack.Get(name)
	if err != nil {
		return err
	}
	return b.Stop(ctx)
}

// Resume implements control.Core.
func (a *App) Resume(ctx context.Context, name string, progress func(snapshot.Bottle)) (snapshot.Bottle, error) {
	b, err := a.rack.Get(name)
	if err != nil {
		return snapshot.Bottle{}, err
	}
	ctx, done := a.during(ctx)
	defer done()
	if progress != nil {
		a.follow(ctx, b.ID(), progress)
	}
	if err := b.Resume(ctx); err != nil {
		return snapshot.Bottle{}, err
	}
	return b.View(), nil
}

// Prove implements control.Core.
func (a *App) Prove(ctx context.Context, name string) (snapshot.Proof, error) {
	b, err := a.rack.Get(name)
	if err != nil {
		return snapshot.Proof{}, err
	}
	return b.Prove(ctx)
}

// Exec implements control.Core.
func (a *App) Exec(ctx context.Context, name string, req control.ExecRequest, conn io.ReadWriter) error {
	b, err := a.rack.Get(name)
	if err != nil {
		return err
	}
	return b.Exec(ctx, bottle.ExecOptions{
		Argv: req.Argv, Workdir: req.Workdir, Env: req.Env, Root: req.Root, Terminal: req.Terminal, Size: req.Size,
		Timeout: time.Duration(req.TimeoutMS) * time.Millisecond, ViaSmolvm: req.ViaSmolvm,
	}, conn)
}

// Attach implements control.Core.
func (a *App) Attach(ctx context.Context, name string, req control.AttachRequest, conn io.ReadWriter) error {
	b, err := a.rack.Get(name)
	if err != nil {
		return err
	}
	return b.Attach(ctx, req.Session, req.Size, req.Again, conn)
}

// Copy implements control.Core.
func (a *App) Copy(ctx context.Context, name string, req control.CopyRequest, progress func(snapshot.Transfer)) (control.CopyReply, error) {
	b, err := a.rack.Get(name)
	if err != nil {
		return control.CopyReply{}, err
	}
	for _, p := range req.Host {
		if !filepath.IsAbs(p) {
			return control.CopyReply{}, fault.New("copying "+p, "the path is not absolute", "give the whole path")
		}
	}
	done, err := b.Copy(ctx, bottle.CopyOptions{
		In: req.In, Host: req.Host, Guest: req.Guest, Unique: req.Unique, IntoFolder: req.IntoFolder, Progress: progress,
	})
	return control.CopyReply{Paths: done.Paths, Skipped: done.Skipped, Bytes: done.Bytes, Files: int(done.Files)}, err
}

// Forward implements control.Core.
func (a *App) Forward(ctx context.Context, name string, req control.ForwardRequest, conn io.ReadWriter) error {
	b, err := a.rack.Get(name)
	if err != nil {
		return err
	}
	return b.Forward(ctx, req.Port, conn)
}

// Logs implements control.Core.
func (a *App) Logs(ctx context.Context, name, which string) (io.ReadCloser, error) {
	b, err := a.rack.Get(name)
	if err != nil {
		return nil, err
	}
	return b.Log(ctx, which)
}

// Environment implements control.Core.
func (a *App) Environment(ctx context.Context, name string) ([]string, error) {
	b, err := a.rack.Get(name)
	if err != nil {
		return nil, err
	}
	return b.Environment(ctx)
}

// SetCredential implements control.Core.
func (a *App) SetCredential(ctx context.Context, kind, secret string) (control.CredentialStatus, error) {
	const what = "storing the credential"
	secret = strings.TrimSpace(secret)
	if secret == "" || strings.ContainsAny(secret, " \t\r\n") {
		return control.CredentialStatus{}, fault.New(what, "that is not a key or a token", "copy it whole, on one line")
	}
	k, ok := credential.KindOf(secret)
	switch kind {
	case "":
	case string(credential.APIKey), "key":
		k, ok = credential.APIKey, true
	case string(credential.Token):
		k, ok = credential.Token, true
	default:
		return control.CredentialStatus{}, fault.New(what, "there is no kind "+kind, "use api-key or token")
	}
	if !ok {
		return control.CredentialStatus{}, fault.New(what, "its kind cannot be told from its beginning", "say --kind api-key or --kind token")
	}
	if err := a.creds.Set(ctx, credential.Credential{Kind: k, Secret: credential.NewSecret(secret)}); err != nil {
		return control.CredentialStatus{}, err
	}
	a.forgetTrial()
	a.rack.Reconfigure(ctx)
	_, _ = a.Doctor(ctx)
	return a.CredentialStatus(ctx)
}

// ClearCredential implements control.Core.
func (a *App) ClearCredential(ctx context.Context) error {
	if err := a.creds.Clear(ctx); err != nil {
		return err
	}
	a.forgetTrial()
	a.rack.Reconfigure(ctx)
	_, _ = a.Doctor(ctx)
	return nil
}

// CredentialStatus implements control.Core.
func (a *App) CredentialStatus(ctx context.Context) (control.CredentialStatus, error) {
	st, err := a.creds.Status(ctx)
	if err != nil {
		return control.CredentialStatus{}, err
	}
	return control.CredentialStatus{Set: st.Set, Kind: string(st.Kind), LastFour: st.Last4, Origin: st.Where, Warning: billed(st)}, nil
}
