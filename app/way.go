package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"bottlebar.app/control"
	"bottlebar.app/credential"
	"bottlebar.app/egress"
	"bottlebar.app/internal/fault"
	"bottlebar.app/internal/network"
	"bottlebar.app/snapshot"
)

const (
	// noProxy in the settings goes straight out, whatever the Mac says.
	noProxy = "none"
	// maxRoots bounds the file of further roots; all of it is one control line.
	maxRoots = 512 << 10
	// ownKeep is how long what the system said is taken for true: asking it
	// costs a launch more than anything else here.
	ownKeep = time.Minute
)

// found is the way out of the bottles, and where it comes from.
type found struct {
	egress.Way
	from    string // "settings", "the Mac's own settings", or "" for straight out
	roots   int    // certificates that the Mac adds
	trouble string // why the Mac's proxy is not used
	cure    string
}

// own is what this computer says about its network, asked for now and then.
type own struct {
	mu    sync.Mutex
	at    time.Time
	proxy network.Settings
	pem   string
	n     int
	err   error
}

func (o *own) read(ctx context.Context, fresh bool) (network.Settings, string, int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if fresh || time.Since(o.at) > ownKeep || o.err != nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var perr, rerr error
		o.proxy, perr = network.Read(ctx)
		o.pem, o.n, rerr = network.Added(ctx)
		o.at, o.err = time.Now(), errors.Join(perr, rerr)
	}
	return o.proxy, o.pem, o.n, o.err
}

// findWay is the way out as settings and system name it now. What the settings
// say and cannot be had is an error: no bottle goes another way instead.
func (a *App) findWay(ctx context.Context, fresh bool) (found, error) {
	s, err := a.settings()
	if err != nil {
		return found{}, err
	}
	f := found{Way: egress.Way{Proxy: s.UpstreamProxy, Direct: s.NoUpstreamProxy}, from: "settings"}
	if s.UpstreamProxy == noProxy || s.UpstreamProxy == "" {
		f.Proxy, f.from = "", ""
	}
	sys, pem, n, err := a.own.read(ctx, fresh)
	if err != nil {
		a.log.Warn("reading the system's network settings", "error", err)
	}
	f.Roots, f.roots = pem, n
	if s.UpstreamProxy == "" {
		f.takeSystem(sys, s.NoUpstreamProxy)
	}
	more, err := readRoots(s.ExtraRoots)
	if err != nil {
		return found{}, err
	}
	if f.Roots += more; len(f.Roots) > maxRoots {
		return found{}, fault.New("reading the extra root certificates", "they are too many", "keep the company's own in the file")
	}
	return f, f.Check()
}

// takeSystem uses the Mac's own proxy where a sidecar can.
func (f *found) takeSystem(sys network.Settings, direct []string) {
	const cure = `name the proxy in the settings (upstream_proxy), or set it to "none"`
	switch {
	case sys.Proxy == "" && sys.Script:
		f.trouble, f.cure = "the Mac finds its proxy by a script, which bottles do not run", cure
	case sys.Proxy == "":
	default:
		w := egress.Way{Proxy: sys.Proxy}
		if err := w.Check(); err != nil {
			f.trouble, f.cure = "the Mac's proxy "+sys.Proxy+" cannot be used: "+fault.Of(err).Why, cure
			return
		}
		f.Proxy, f.from = sys.Proxy, "the Mac's own settings"
		f.Direct = append([]string(nil), direct...)
		for _, d := range sys.Direct {
			if (egress.Way{Proxy: sys.Proxy, Direct: []string{d}}).Check() == nil { // others' entries mean nothing here
				f.Direct = append(f.Direct, d)
			}
		}
	}
}

// readRoots reads the file of further roots; a path of "" has none.
func readRoots(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	const what = "reading the extra root certificates"
	const cure = "name a file with certificates as PEM in the settings (extra_roots)"
	file, err := os.Open(path)
	if err != nil {
		return "", fault.Wrap(err, what, cure)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxRoots+1))
	if err != nil {
		return "", fault.Wrap(err, what, cure)
	}
	if err := (egress.Way{Roots: string(b)}).Check(); err != nil || len(b) > maxRoots {
		return "", fault.New(what, path+" holds none that can be used", cure)
	}
	return string(b) + "\n", nil
}

// way is findWay with the login, as a sidecar is given it.
func (a *App) way(ctx context.Context) (egress.Way, *egress.Login, error) {
	f, err := a.findWay(ctx, false)
	if err != nil {
		return egress.Way{}, nil, err
	}
	return f.Way, a.login(ctx, f), nil
}

// login is what the proxy is told, if there is one. Without a keychain there is
// none; the proxy's refusal then says so.
func (a *App) login(ctx context.Context, f found) *egress.Login {
	if f.Proxy == "" {
		return nil
	}
	l, err := a.logins.Get(ctx)
	if err != nil {
		if !errors.Is(err, credential.ErrNotSet) {
			a.log.Warn("reading the proxy's login", "error", err)
		}
		return nil
	}
	return &egress.Login{User: l.User, Password: l.Password.Reveal()}
}

// checkWay says which way out is used, and tries a proxy.
func (a *App) checkWay(ctx context.Context) snapshot.Check {
	c := snapshot.Check{ID: "way", Title: "Way out", State: snapshot.CheckOK}
	f, err := a.findWay(ctx, true)
	if err != nil {
		return failed(c, err)
	}
	roots := ""
	if f.roots > 0 {
		roots = fmt.Sprintf(", with %d root certificates of this Mac's administrator", f.roots)
	}
	if f.Proxy == "" {
		c.Finding = "straight out" + roots
		if f.trouble != "" {
			c.State, c.Finding, c.Cure = snapshot.CheckWarn, c.Finding+": "+f.trouble, f.cure
		}
		return c
	}
	login := a.login(ctx, f)
	as := ""
	if login != nil {
		as = " as " + login.User
	}
	c.Finding = "through " + f.Proxy + as + " (" + f.from + ")" + roots
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if why, cure := a.tryWay(ctx, f, login); why != "" {
		c.State, c.Finding, c.Cure = snapshot.CheckFailed, c.Finding+": "+why, cure
	}
	return c
}

// tryWay asks the proxy for the API and says what is wrong, or "".
func (a *App) tryWay(ctx context.Context, f found, l *egress.Login) (why, cure string) {
	host := egress.DefaultUpstream
	if u := a.upstream; u != nil {
		host = u.URL
	}
	if u, err := url.Parse(host); err == nil {
		host = u.Host
	}
	err := egress.TryWay(ctx, f.Way, l, host, net.DefaultResolver)
	switch egress.WayReason(err) {
	case egress.ProxyAuth:
		if l != nil {
			return "it does not take this name and password", "run bottlebar proxy login NAME"
		}
		return "it asks for a name and a password", "run bottlebar proxy login NAME"
	case egress.ProxyRefused:
		return "it does not let the API through", "ask whoever runs it to allow api.anthropic.com"
	case "":
		return "", ""
	}
	return "it does not answer", "look whether this computer is on the company's network, or correct upstream_proxy in the settings"
}

// ProxyStatus implements control.Core.
func (a *App) ProxyStatus(ctx context.Context) (control.ProxyStatus, error) {
	f, err := a.findWay(ctx, true)
	if err != nil {
		return control.ProxyStatus{}, err
	}
	st := control.ProxyStatus{Proxy: f.Proxy, Direct: f.Direct, Origin: f.from}
	if l, err := a.logins.Get(ctx); err == nil {
		st.User, st.Where = l.User, a.logins.Where()
	}
	return st, nil
}

// SetProxyLogin implements control.Core.
func (a *App) SetProxyLogin(ctx context.Context, login string) error {
	l, err := credential.ParseLogin(login)
	if err != nil {
		return fault.New("storing the proxy's login", "that is not a name and a password", "give them as name:password, on one line")
	}
	if err := a.logins.Set(ctx, l); err != nil {
		return err
	}
	return a.wayChanged(ctx)
}

// ClearProxyLogin implements control.Core.
func (a *App) ClearProxyLogin(ctx context.Context) error {
	if err := a.logins.Clear(ctx); err != nil {
		return err
	}
	return a.wayChanged(ctx)
}

func (a *App) wayChanged(ctx context.Context) error {
	a.rack.Reconfigure(ctx)
	_, err := a.Doctor(ctx)
	return err
}
