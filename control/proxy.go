package control

import (
	"context"
	"net/http"
)

// ProxyCore is the part of Core about the way out through a company's proxy.
type ProxyCore interface {
	// ProxyStatus says which way out bottles take.
	ProxyStatus(ctx context.Context) (ProxyStatus, error)
	// SetProxyLogin stores "name:password" for the proxy; running bottles use it at once.
	SetProxyLogin(ctx context.Context, login string) error
	// ClearProxyLogin forgets it.
	ClearProxyLogin(ctx context.Context) error
}

// ProxyStatus is the way out of bottles, without what is secret of it.
type ProxyStatus struct {
	Proxy  string   `json:"proxy"` // "http://host:port"; empty: straight out
	Direct []string `json:"direct,omitempty"`
	Origin string   `json:"origin,omitempty"` // "settings", "the Mac's own settings"
	User   string   `json:"user,omitempty"`   // the login's name, where one is stored
	Where  string   `json:"where,omitempty"`  // where it is stored
}

type proxyLogin struct {
	Login string `json:"login"`
}

func proxyRoutes(c ProxyCore, answer func(string, func(*http.Request) (any, error))) {
	answer("GET /v1/proxy", func(r *http.Request) (any, error) { return c.ProxyStatus(r.Context()) })
	answer("POST /v1/proxy", func(r *http.Request) (any, error) {
		var req proxyLogin
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return struct{}{}, c.SetProxyLogin(r.Context(), req.Login)
	})
	answer("DELETE /v1/proxy", func(r *http.Request) (any, error) { return struct{}{}, c.ClearProxyLogin(r.Context()) })
}

// ProxyStatus says which way out bottles take.
func (c *Client) ProxyStatus(ctx context.Context) (ProxyStatus, error) {
	return get[ProxyStatus](ctx, c, "/v1/proxy")
}

// SetProxyLogin stores "name:password" for the company's proxy.
func (c *Client) SetProxyLogin(ctx context.Context, login string) error {
	_, err := post[struct{}](ctx, c, "/v1/proxy", proxyLogin{login})
	return err
}

// ClearProxyLogin forgets it.
func (c *Client) ClearProxyLogin(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/v1/proxy", nil)
	return err
}
