package screen

import (
	"context"
	"errors"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
	"bottlebar.app/window"
)

// backend answers the windows.
func (s *screen) backend() window.Backend {
	return window.Backend{Library: library{s}, Bottles: bottles{s}, Copier: copier{s}, Setup: setup{s}, Activity: activity{s}, Sessions: opener{s}}
}

type library struct{ *screen }

func (l library) Add(ctx context.Context, path string, progress func(done, total int64)) (snapshot.Artifact, error) {
	return l.app.AddArtifact(ctx, control.AddRequest{Path: path}, func(p control.Progress) {
		if progress != nil {
			progress(p.Done, p.Total)
		}
	})
}

func (l library) Rename(ctx context.Context, artifact, name string) error {
	_, err := l.app.RenameArtifact(ctx, artifact, name)
	return err
}

func (l library) Remove(ctx context.Context, artifact string) error {
	return l.app.RemoveArtifact(ctx, artifact)
}

func (l library) Pack(ctx context.Context, image string, engine bool, name string, progress func(line string)) (snapshot.Artifact, error) {
	return l.app.PackArtifact(ctx, control.PackRequest{Image: image, Engine: engine, Name: name}, byLine(progress))
}

func (l library) Make(ctx context.Context, recipe, base, name string, progress func(line string)) (snapshot.Artifact, error) {
	return l.app.MakeArtifact(ctx, control.MakeRequest{Recipe: recipe, Base: base, Name: name}, byLine(progress))
}

func (l library) Images(ctx context.Context) ([]snapshot.Image, error) { return l.app.Images(ctx) }

func (l library) Recipes(ctx context.Context) ([]snapshot.Recipe, error) { return l.app.Recipes(ctx) }

func byLine(progress func(line string)) func(control.Progress) {
	return func(p control.Progress) {
		if progress != nil && p.Line != "" {
			progress(p.Line)
		}
	}
}

type bottles struct{ *screen }

// Launch goes on after it has returned: what becomes of it is in the snapshots,
// its failure too. Stopping the bottle cancels it.
func (b bottles) Launch(ctx context.Context, artifact, folder string) (string, error) {
	began := make(chan string, 1)
	failed := make(chan error, 1)
	b.work.Go(func() {
		_, err := b.app.Begin(b.ctx, control.LaunchRequest{Artifact: artifact, Folder: folder}, func(id string) { began <- id })
		if err != nil && !errors.Is(err, context.Canceled) {
			b.log.Info("launch", "error", err)
		}
		failed <- err
	})
	select {
	case id := <-began:
		return id, nil
	case err := <-failed:
		return "", err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (b bottles) Stop(ctx context.Context, bottle string) error {
	return b.app.Stop(context.WithoutCancel(ctx), bottle)
}

func (b bottles) Resume(ctx context.Context, bottle string) error {
	_, err := b.app.Resume(ctx, bottle, nil)
	return err
}

func (b bottles) Prove(ctx context.Context, bottle string) (snapshot.Proof, error) {
	return b.app.Prove(ctx, bottle)
}

type copier struct{ *screen }

func (c copier) CopyIn(ctx context.Context, bottle string, paths []string, progress func(done, total int64)) ([]string, error) {
	var in []string
	var errs []error
	// One that vanished or cannot be read does not keep the others: each is a
	// stream of its own only if all together fail.
	reply, err := c.copy(ctx, bottle, control.CopyRequest{In: true, Host: paths, Unique: true, IntoFolder: true}, progress)
	if err == nil {
		return reply.Paths, skipped(reply)
	}
	if len(paths) == 1 || ctx.Err() != nil {
		return nil, err
	}
	for _, p := range paths {
		reply, err := c.copy(ctx, bottle, control.CopyRequest{In: true, Host: []string{p}, Unique: true, IntoFolder: true}, progress)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		in = append(in, reply.Paths...)
		errs = append(errs, skipped(reply))
	}
	return in, errors.Join(errs...)
}

func (c copier) CopyOut(ctx context.Context, bottle string, paths []string, folder string, progress func(done, total int64)) ([]string, error) {
	var out []string
	var errs []error
	for _, p := range paths {
		reply, err := c.copy(ctx, bottle, control.CopyRequest{Host: []string{folder}, Guest: p, IntoFolder: true}, progress)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, reply.Paths...)
		errs = append(errs, skipped(reply))
	}
	return out, errors.Join(errs...)
}

func (c copier) copy(ctx context.Context, bottle string, req control.CopyRequest, progress func(done, total int64)) (control.CopyReply, error) {
	return c.app.Copy(ctx, bottle, req, func(t snapshot.Transfer) {
		if progress != nil {
			progress(t.Done, t.Total)
		}
	})
}

// skipped is an error for what a copy left out, or nil.
func skipped(r control.CopyReply) error {
	var errs []error
	for _, p := range r.Skipped {
		errs = append(errs, fault.New(p.What, p.Why, p.Cure))
	}
	return errors.Join(errs...)
}

type setup struct{ *screen }

func (c setup) Recheck(ctx context.Context) error {
	_, err := c.app.Doctor(ctx)
	return err
}

func (c setup) SetCredential(ctx context.Context, kind, secret string) error {
	_, err := c.app.SetCredential(ctx, kind, secret)
	return err
}

func (c setup) ClearCredential(ctx context.Context) error { return c.app.ClearCredential(ctx) }

func (c setup) TestCredential(ctx context.Context) error {
	_, err := c.app.TestCredential(ctx)
	return err
}

type activity struct{ *screen }

func (a activity) Decisions(ctx context.Context, bottle string) ([]snapshot.Decision, error) {
	if bottle != "" {
		return a.app.Activity(ctx, bottle)
	}
	return a.app.AllActivity(ctx)
}

func (a activity) Answer(ctx context.Context, bottle, id, hash, answer string) error {
	return a.app.AnswerAsk(ctx, bottle, control.AskAnswer{ID: id, Hash: hash, Answer: answer})
}

func (a activity) Policy(ctx context.Context, bottle string) ([]snapshot.PolicyRule, error) {
	p, err := a.app.Policy(ctx, bottle)
	out := make([]snapshot.PolicyRule, 0, len(p.Rules))
	for _, r := range p.Rules {
		out = append(out, snapshot.PolicyRule{
			Action: r.Action, Host: r.Host, Port: r.Port, Origin: r.Origin, Preset: r.Preset, Expires: r.Expires, Overruled: r.Overruled, Hits: r.Hits,
		})
	}
	return out, err
}

type opener struct{ *screen }

// Open implements window.Sessions. The window comes at once, with the steps of
// the launch: one that came seconds later would take the keyboard from
// whatever the person does by then.
func (o opener) Open(bottle string) { o.sessions.Open(bottle) }
