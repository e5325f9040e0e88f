package bottle

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/hop"
	"bottlebar.app/hop/transfer"
	"bottlebar.app/internal/fault"
	"bottlebar.app/internal/frame"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

const (
	// mainSession is the terminal that a launch opens.
	mainSession = "main"
	// defaultUser is the first ordinary user of nearly every image.
	defaultUser = 1000
	// defaultFolder is where a session starts when nobody says otherwise.
	defaultFolder = "~/work"
)

// defaultCommand is what a session runs when nobody says otherwise.
var defaultCommand = []string{"claude"}

// enter proves the machine's isolation, and only then lets it out and starts
// the session in it.
func (b *Bottle) enter(ctx context.Context, folder string) error {
	l, in, err := b.whatRuns(ctx)
	if err != nil {
		return err
	}
	err = b.step(ctx, stepProof, func(ctx context.Context) error {
		b.set(func() { b.state = snapshot.Proving })
		return b.checkProof(ctx, l, in, whyLaunch)
	})
	if err != nil {
		return err
	}
	err = b.step(ctx, stepSession, func(ctx context.Context) error {
		if err := b.letOut(ctx, l); err != nil {
			return err
		}
		return b.startSession(ctx, l, folder)
	})
	if err != nil {
		return err
	}
	now := b.rack.cfg.Now().UTC()
	if err := b.save(func(e *entry) { e.Phase, e.Started = running, &now }); err != nil {
		return err
	}
	b.set(func() { b.state = snapshot.Ready })
	return nil
}

func (b *Bottle) whatRuns(ctx context.Context) (*live, *smolvm.Install, error) {
	in, err := b.rack.cfg.Install(ctx)
	if err != nil {
		return nil, nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live == nil {
		return nil, nil, errors.New("the bottle does not run")
	}
	return b.live, in, nil
}

// checkProof runs the proof and keeps its report; one that does not hold is an
// error.
func (b *Bottle) checkProof(ctx context.Context, l *live, in *smolvm.Install, why string) error {
	// The policy of the proof allows nothing and names what it will ask for, so
	// that the refusals are told whatever else is going on.
	car := l.sidecar()
	if car == nil {
		return sidecar.ErrGone
	}
	b.tell.Lock() // a change of the policy that is on its way comes before it, or not at all
	err := car.Configure(ctx, egress.Policy{Revision: 1}, nil)
	b.tell.Unlock()
	if err != nil {
		return err
	}
	p := b.prove(ctx, l, in, why)
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.keepProof(p, in)
}

// keepProof keeps a report. One that could not be made whole says nothing new
// about the bottle, but that it is not proved.
func (b *Bottle) keepProof(p *proof, in *smolvm.Install) error {
	report, outcome := p.report, p.outcome()
	if errors.Is(outcome, errUntried) {
		b.demote()
		b.set(func() { b.proof = &report })
		return outcome
	}
	err := b.save(func(e *entry) {
		e.Proved, e.ProvedAt = report.Holds, &report.Time
		if report.Holds {
			e.ProvedWith, e.Evidence = commandID(in), ""
		}
	})
	b.set(func() {
		b.proof = &report
		b.isolation = snapshot.ProofFailed
		if report.Holds {
			b.isolation = snapshot.Proved
		}
	})
	if outcome != nil {
		return outcome
	}
	b.dropEvidence()
	return err
}

// startSession looks at the guest, prepares the user's home and starts the
// session's command. A command that is not there leaves the bottle usable:
// the problem is shown and a shell can be opened.
func (b *Bottle) startSession(ctx context.Context, l *live, folder string) error {
	s, err := l.session(ctx)
	if err != nil {
		return err
	}
	about, err := s.About(ctx)
	if err != nil {
		return err
	}
	sess, err := b.decide(ctx, about)
	if err != nil {
		return err
	}
	id := b.rack.cfg.Identity
	seed := hop.SeedRequest{User: sess.User, Folder: sess.Folder, GitName: id.GitName, GitEmail: id.GitEmail}
	if sess.Planted != nil {
		seed.Plant = sess.Planted.files()
	}
	reply, err := s.Seed(ctx, seed)
	if err != nil {
		return fault.Wrap(err, "preparing the home of "+sess.User+" in the VM", "")
	}
	sess.Folder = reply.Folder
	if folder != "" {
		into, err := b.sendFolder(ctx, s, sess, folder)
		if err != nil {
			return err
		}
		seed.Folder, sess.Folder = into, into
		if _, err := s.Seed(ctx, seed); err != nil {
			return err
		}
	}
	if err := b.save(func(e *entry) { e.Session = sess }); err != nil {
		return err
	}
	// Before it starts: its end may be told before openMain is back.
	b.set(func() { b.activity, b.lineSays = snapshot.Idle, lineSays{} })
	if err := b.openMain(ctx, s, false); err != nil {
		var f *frame.Failure
		if !errors.As(err, &f) {
			return err
		}
		b.set(func() {
			b.activity = snapshot.Ended
			b.problem = &snapshot.Problem{
				What: "starting " + sess.Command[0] + " in the VM", Why: f.Message,
				Cure: "set the artifact's command, or open a shell with bottlebar exec -t " + b.name + " -- sh",
			}
		})
	}
	return nil
}

// sendFolder copies a folder of this computer below the session's folder.
func (b *Bottle) sendFolder(ctx context.Context, s *hop.Session, sess session, folder string) (string, error) {
	paths, err := b.send(ctx, s, sendOptions{
		sources: []transfer.Source{{Path: folder}}, dest: sess.Folder, user: sess.User, exists: transfer.ExistsUnique, place: hop.PlaceInto,
	}, nil)
	if err != nil {
		return "", fault.Wrap(err, "copying "+folder+" into the VM", "")
	}
	if len(paths.Paths) != 1 {
		return "", fault.New("copying "+folder+" into the VM", "nothing arrived", "look at what the folder holds")
	}
	return paths.Paths[0], nil
}

// decide chooses user, folder, command and environment of the session: the
// library's record first, then what the artifact has.
func (b *Bottle) decide(ctx context.Context, about hop.Info) (session, error) {
	b.mu.Lock()
	e := *b.entry
	b.mu.Unlock()
	s := e.Session
	user, err := chooseUser(e.Settings.User, about.Users)
	if err != nil {
		return s, err
	}
	s.User, s.UID = user.Name, int(user.UID)
	switch {
	case e.Settings.Folder != "":
		s.Folder = e.Settings.Folder
	case e.Workdir != "" && e.Workdir != "/":
		s.Folder = e.Workdir
	default:
		s.Folder = defaultFolder
	}
	if s.Mode == "" {
		s.Mode = e.Settings.Permission
	}
	if s.Mode == "" {
		s.Mode = b.rack.cfg.Permission()
	}
	if len(s.Command) == 0 {
		s.Command = e.Settings.Command
	}
	if len(s.Command) == 0 {
		s.Command = defaultCommand
	}
	s.Command = withMode(s.Command, s.Mode)
	kind := egress.APIKey
	if cred, err := b.rack.cfg.Credential(ctx); err == nil && cred != nil {
		kind = cred.Kind
	}
	s.Env = b.environment(user, kind)
	return s, nil
}

// chooseUser takes the wanted user by name or number; without one the first
// ordinary user, else root.
func chooseUser(want string, users []hop.User) (hop.User, error) {
	find := func(ok func(hop.User) bool) (hop.User, bool) {
		if i := slices.IndexFunc(users, ok); i >= 0 {
			return users[i], true
		}
		return hop.User{}, false
	}
	if want != "" {
		if u, ok := find(func(u hop.User) bool { return u.Name == want || number(u.UID) == want }); ok {
			return u, nil
		}
		return hop.User{}, fault.New("starting the session", "the artifact has no user "+want, "set another user for it in the library")
	}
	if u, ok := find(func(u hop.User) bool { return u.UID == defaultUser }); ok {
		return u, nil
	}
	if u, ok := find(func(u hop.User) bool { return u.UID == 0 }); ok {
		return u, nil
	}
	return hop.User{Name: "root", Home: "/root"}, nil
}

// withMode adds the permission mode to Claude's own command, unless it names
// one. Other programs do not know the flag.
func withMode(command []string, mode string) []string {
	if mode == "" || path.Base(command[0]) != "claude" {
		return command
	}
	for _, a := range command {
		if a == "--permission-mode" || strings.HasPrefix(a, "--permission-mode=") || a == "--dangerously-skip-permissions" {
			return command
		}
	}
	return append(slices.Clone(command), "--permission-mode", mode)
}

// environment is what every command of the session gets. The real credential
// is never in it: the sidecar puts it in the place of the placeholder.
func (b *Bottle) environment(user hop.User, kind egress.CredentialKind) []string {
	proxy := "http://" + hop.DefaultProxy
	env := []string{
		"LANG=C.UTF-8", "TERM=xterm-256color", "COLORTERM=truecolor",
		"HTTPS_PROXY=" + proxy, "HTTP_PROXY=" + proxy, "https_proxy=" + proxy, "http_proxy=" + proxy,
		// The API's base URL must not be asked for through the proxy.
		"NO_PROXY=localhost,127.0.0.1", "no_proxy=localhost,127.0.0.1",
		"ANTHROPIC_BASE_URL=" + proxy, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
	}
	if tz := b.rack.cfg.Identity.TimeZone; tz != "" {
		env = append(env, "TZ="+tz)
	}
	if user.UID == 0 {
		env = append(env, "IS_SANDBOX=1") // Claude refuses some modes as root without it
	}
	b.mu.Lock()
	canary := b.entry.Session.Canary
	if p := b.entry.Session.Planted; p != nil {
		env = append(env, decoyVariable+"="+p.Token)
	}
	b.mu.Unlock()
	// With a subscription's token the client says so in its requests, and the
	// sidecar needs it to: the two kinds of placeholder are told apart there.
	if kind == egress.Token {
		return append(env, "CLAUDE_CODE_OAUTH_TOKEN="+canary)
	}
	return append(env, "ANTHROPIC_AUTH_TOKEN="+canary)
}

// openMain starts the session's command under the keeper and leaves it running
// without a viewer.
func (b *Bottle) openMain(ctx context.Context, s *hop.Session, again bool) error {
	b.mu.Lock()
	sess := b.entry.Session
	b.mu.Unlock()
	t, err := s.Attach(ctx, hop.AttachRequest{
		Name: mainSession, Argv: withHooks(sess.Command), Env: sess.Env, Workdir: sess.Folder, MakeDir: true,
		User: sess.User, Size: frame.Size{Cols: 100, Rows: 30}, Again: again,
	})
	if err != nil {
		return err
	}
	return t.Close()
}

// look asks the keeper how the session's command does; it is called by the one
// shared timer, and when a viewer saw it end.
func (b *Bottle) look(ctx context.Context, l *live) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s, err := l.listener.Session(ctx)
	if err != nil {
		return
	}
	terms, err := s.Terminals(ctx)
	if err != nil {
		return
	}
	for _, t := range terms {
		if t.Name != mainSession {
			continue
		}
		b.ended(t.Ended)
		b.saw(t)
	}
}

// ended records how the main session's command ended; nil: it runs.
func (b *Bottle) ended(st *frame.Status) {
	b.mu.Lock()
	same := (st == nil) == (b.exit == nil)
	b.mu.Unlock()
	if same {
		return
	}
	b.set(func() {
		if st == nil {
			b.exit, b.activity, b.lineSays = nil, snapshot.Idle, lineSays{} // started again
			return
		}
		code := st.Code
		b.exit, b.activity = &code, snapshot.Done
		if code != 0 {
			b.activity = snapshot.Ended
		}
	})
}

// guestPath makes a path of the person's absolute: relative ones lie in the
// session's folder.
func (b *Bottle) guestPath(p string) string {
	if path.IsAbs(p) || strings.HasPrefix(p, "~") {
		return p
	}
	b.mu.Lock()
	folder := b.entry.Session.Folder
	b.mu.Unlock()
	joined := path.Join(folder, p)
	if strings.HasSuffix(p, "/") || p == "" {
		joined += "/"
	}
	return filepath.ToSlash(joined)
}
