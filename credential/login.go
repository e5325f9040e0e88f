package credential

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
)

// loginAccount is the account of the proxy's login in a keychain.
const loginAccount = "upstream-proxy"

// EnvLogin may hold the login as "name:password", for a server without a keychain.
const EnvLogin = "BOTTLEBAR_PROXY_LOGIN"

// Login is the name and the password that a company's proxy asks for.
type Login struct {
	User     string
	Password Secret
}

// ErrLogin means that what was given cannot be a login (RFC 7617: a name has
// no colon, and neither part control characters).
var ErrLogin = errors.New("this is not a name and a password: give them as name:password, on one line")

// ParseLogin reads "name:password".
func ParseLogin(text string) (Login, error) {
	user, password, ok := strings.Cut(text, ":")
	if !ok || user == "" || len(text) > maxSecret || strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return Login{}, ErrLogin
	}
	return Login{User: user, Password: NewSecret(password)}, nil
}

// Logins keeps one Login.
type Logins struct {
	where string
	chain *keychain // nil: in memory

	mu   sync.Mutex
	held *Login
}

// SystemLogins keeps it in the system's keychain, beside the credential.
func SystemLogins() *Logins {
	k := systemItem(loginAccount)
	return &Logins{where: k.where, chain: k}
}

// LoginFromEnv takes the login out of the environment, and the variable away.
// ok is false when it is not set.
func LoginFromEnv(getenv func(string) string, unsetenv func(string) error) (l *Logins, ok bool, err error) {
	raw := getenv(EnvLogin)
	if raw == "" {
		return nil, false, nil
	}
	err = unsetenv(EnvLogin)
	scrub(EnvLogin)
	if err != nil {
		return nil, false, err
	}
	login, err := ParseLogin(raw)
	if err != nil {
		return nil, false, errors.New(EnvLogin + ": " + err.Error())
	}
	return &Logins{where: "this process's environment", held: &login}, true, nil
}

// Where says where it is kept.
func (l *Logins) Where() string { return l.where }

type storedLogin struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// Get returns it, or ErrNotSet.
func (l *Logins) Get(ctx context.Context) (Login, error) {
	if l.chain == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.held == nil {
			return Login{}, ErrNotSet
		}
		return *l.held, nil
	}
	text, err := wait(ctx, l.chain.get)
	if err != nil {
		return Login{}, err
	}
	var s storedLogin
	if json.Unmarshal([]byte(text), &s) != nil || s.User == "" {
		return Login{}, errForeign
	}
	return Login{User: s.User, Password: NewSecret(s.Password)}, nil
}

// Set replaces it.
func (l *Logins) Set(ctx context.Context, login Login) error {
	if l.chain == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = &login
		return nil
	}
	b, err := json.Marshal(storedLogin{login.User, login.Password.s})
	if err != nil {
		return err
	}
	_, err = wait(ctx, func() (struct{}, error) { return struct{}{}, l.chain.set(string(b)) })
	return err
}

// Clear removes it; clearing an empty store is no error.
func (l *Logins) Clear(ctx context.Context) error {
	if l.chain == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = nil
		return nil
	}
	return l.chain.Clear(ctx)
}
