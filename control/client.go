package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// ErrNobody says that no process owns the bottles.
var ErrNobody = errors.New("no Bottlebar is running")

// Client talks to the owner of the bottles. The zero value with a Socket is
// ready to use.
type Client struct {
	Socket string
}

// Identity asks who owns the bottles; ErrNobody when nobody does.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	return get[Identity](ctx, c, "/v1/identity")
}

// Snapshot returns everything that is shown.
func (c *Client) Snapshot(ctx context.Context) (snapshot.Snapshot, error) {
	return get[snapshot.Snapshot](ctx, c, "/v1/snapshot")
}

// Watch calls each for a snapshot now and after each change, until ctx ends or
// the owner does.
func (c *Client) Watch(ctx context.Context, each func(snapshot.Snapshot)) error {
	resp, err := c.do(ctx, http.MethodGet, "/v1/watch", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readEvents(resp.Body, func(event string, data []byte) (bool, error) {
		if event != "snapshot" {
			return event == "end", nil
		}
		var s snapshot.Snapshot
		if err := json.Unmarshal(data, &s); err != nil {
			return true, err
		}
		each(s)
		return false, nil
	})
}

// Launch launches a bottle; ending ctx cancels and undoes it.
func (c *Client) Launch(ctx context.Context, req LaunchRequest, tell func(snapshot.Bottle)) (snapshot.Bottle, error) {
	return long[snapshot.Bottle](ctx, c, "/v1/launch", req, bottles(tell))
}

// Resume starts a stopped bottle.
func (c *Client) Resume(ctx context.Context, name string, tell func(snapshot.Bottle)) (snapshot.Bottle, error) {
	return long[snapshot.Bottle](ctx, c, bottlePath(name, "resume"), struct{}{}, bottles(tell))
}

func bottles(tell func(snapshot.Bottle)) func(progress) {
	return func(p progress) {
		if tell != nil && p.Bottle != nil {
			tell(*p.Bottle)
		}
	}
}

// Copy copies files and folders into or out of a bottle.
func (c *Client) Copy(ctx context.Context, name string, req CopyRequest, tell func(snapshot.Transfer)) (CopyReply, error) {
	return long[CopyReply](ctx, c, bottlePath(name, "copy"), req, func(p progress) {
		if tell != nil && p.Transfer != nil {
			tell(*p.Transfer)
		}
	})
}

// Stop ends a bottle and removes all of it.
func (c *Client) Stop(ctx context.Context, name string) error {
	_, err := post[struct{}](ctx, c, bottlePath(name, "stop"), nil)
	return err
}

// Prove runs the escape test.
func (c *Client) Prove(ctx context.Context, name string) (snapshot.Proof, error) {
	return post[snapshot.Proof](ctx, c, bottlePath(name, "prove"), nil)
}

// Environment lists the variables that let smolvm itself look at a bottle.
func (c *Client) Environment(ctx context.Context, name string) ([]string, error) {
	return get[[]string](ctx, c, bottlePath(name, "environment"))
}

// Policy is the effective policy of a bottle, or the default.
func (c *Client) Policy(ctx context.Context, name string) (PolicyView, error) {
	return get[PolicyView](ctx, c, "/v1/policy?bottle="+url.QueryEscape(name))
}

// Logs copies one of a bottle's logs to w.
func (c *Client) Logs(ctx context.Context, name, which string, w io.Writer) error {
	resp, err := c.do(ctx, http.MethodGet, bottlePath(name, "logs")+"?which="+url.QueryEscape(which), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}

// Exec runs a command in a bottle; the connection carries frames.
func (c *Client) Exec(ctx context.Context, name string, req ExecRequest) (io.ReadWriteCloser, error) {
	return c.frames(ctx, bottlePath(name, "exec"), req)
}

// Attach connects to a session of a bottle; the connection carries frames.
func (c *Client) Attach(ctx context.Context, name string, req AttachRequest) (io.ReadWriteCloser, error) {
	return c.frames(ctx, bottlePath(name, "attach"), req)
}

// AddArtifact adds a file to the library.
func (c *Client) AddArtifact(ctx context.Context, req AddRequest, tell func(Progress)) (snapshot.Artifact, error) {
	return long[snapshot.Artifact](ctx, c, "/v1/library/add", req, lines(tell))
}

// PackArtifact packs an image and adds it.
func (c *Client) PackArtifact(ctx context.Context, req PackRequest, tell func(Progress)) (snapshot.Artifact, error) {
	return long[snapshot.Artifact](ctx, c, "/v1/library/pack", req, lines(tell))
}

// VerifyArtifact reads an artifact's bytes again.
func (c *Client) VerifyArtifact(ctx context.Context, name string, tell func(Progress)) (snapshot.Artifact, error) {
	return long[snapshot.Artifact](ctx, c, artifactPath(name)+"/verify", struct{}{}, lines(tell))
}

func lines(tell func(Progress)) func(progress) {
	return func(p progress) {
		if tell != nil && p.Progress != nil {
			tell(*p.Progress)
		}
	}
}

// RemoveArtifact takes an artifact out of the library.
func (c *Client) RemoveArtifact(ctx context.Context, name string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, artifactPath(name), nil)
	return err
}

// RenameArtifact gives an artifact another name.
func (c *Client) RenameArtifact(ctx context.Context, name, to string) (snapshot.Artifact, error) {
	return post[snapshot.Artifact](ctx, c, artifactPath(name)+"/rename", renameRequest{to})
}

// SetArtifact replaces an artifact's settings.
func (c *Client) SetArtifact(ctx context.Context, name string, s snapshot.ArtifactSettings) (snapshot.Artifact, error) {
	return post[snapshot.Artifact](ctx, c, artifactPath(name)+"/settings", settingsRequest{s})
}

// PinArtifact keeps an artifact from pruning, or no longer.
func (c *Client) PinArtifact(ctx context.Context, name string, pinned bool) (snapshot.Artifact, error) {
	return post[snapshot.Artifact](ctx, c, artifactPath(name)+"/pin", pinRequest{pinned})
}

// Prune removes what no launch would use.
func (c *Client) Prune(ctx context.Context, req PruneRequest) (PruneReply, error) {
	return post[PruneReply](ctx, c, "/v1/library/prune", req)
}

// Forward connects to a port of a bottle; the connection carries its bytes.
func (c *Client) Forward(ctx context.Context, name string, req ForwardRequest) (io.ReadWriteCloser, error) {
	return c.frames(ctx, bottlePath(name, "forward"), req)
}

// CredentialStatus says what may be shown of the credential.
func (c *Client) CredentialStatus(ctx context.Context) (CredentialStatus, error) {
	return get[CredentialStatus](ctx, c, "/v1/credential")
}

// SetCredential stores the credential.
func (c *Client) SetCredential(ctx context.Context, kind, secret string) (CredentialStatus, error) {
	return post[CredentialStatus](ctx, c, "/v1/credential", credentialRequest{kind, secret})
}

// ClearCredential removes it.
func (c *Client) ClearCredential(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/v1/credential", nil)
	return err
}

// Doctor runs each check of Setup.
func (c *Client) Doctor(ctx context.Context) ([]snapshot.Check, error) {
	return post[[]snapshot.Check](ctx, c, "/v1/doctor", nil)
}

// HandOver asks the owner to let go of the bottles.
func (c *Client) HandOver(ctx context.Context) error {
	_, err := post[struct{}](ctx, c, "/v1/handover", nil)
	return err
}

// Show asks the owner to come to the front.
func (c *Client) Show(ctx context.Context) error {
	_, err := post[struct{}](ctx, c, "/v1/show", nil)
	return err
}

func bottlePath(name, what string) string {
	return "/v1/bottles/" + url.PathEscape(name) + "/" + what
}

func artifactPath(name string) string { return "/v1/library/" + url.PathEscape(name) }

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return call[T](ctx, c, http.MethodGet, path, nil)
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	return call[T](ctx, c, http.MethodPost, path, body)
}

func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var v T
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	return v, json.NewDecoder(resp.Body).Decode(&v)
}

// long runs an operation that tells progress. Ending ctx cancels it; its answer
// is waited for all the same, since it comes when everything is undone.
func long[T any](ctx context.Context, c *Client, path string, body any, tell func(progress)) (T, error) {
	var v T
	conn, err := c.dial(ctx)
	if err != nil {
		return v, err
	}
	// The owner takes the end of our half of the connection for the wish to end.
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseWrite() })
	defer stop()
	resp, err := over(context.WithoutCancel(ctx), conn, path, body)
	if err != nil {
		return v, cmp.Or(ctx.Err(), err)
	}
	defer resp.Body.Close()
	finished := false
	err = readEvents(resp.Body, func(event string, data []byte) (bool, error) {
		switch event {
		case "progress":
			var p progress
			if json.Unmarshal(data, &p) == nil {
				tell(p)
			}
		case "result":
			finished = true
			return true, json.Unmarshal(data, &v)
		case "error":
			finished = true
			return true, fromWire(data)
		}
		return false, nil
	})
	if finished {
		return v, err
	}
	if ctx.Err() != nil {
		return v, ctx.Err()
	}
	if err == nil {
		err = fault.New("talking to Bottlebar", "it ended before it had answered", "try again")
	}
	return v, err
}

func fromWire(data []byte) error {
	var e wireError
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("talking to Bottlebar: %w", err)
	}
	f := &fault.Error{What: e.What, Why: e.Why, Cure: e.Cure, Detail: e.Detail}
	if e.Cancelled {
		f.Err = context.Canceled
	}
	return f
}
