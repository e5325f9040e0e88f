package control

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"bottlebar.app/internal/fault"
)

// maxEvent bounds one line of an event stream; a snapshot of many bottles is
// the longest.
const maxEvent = 16 << 20

func readEvents(r io.Reader, each func(event string, data []byte) (stop bool, err error)) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxEvent)
	event := ""
	for s.Scan() {
		line := s.Text()
		if e, ok := strings.CutPrefix(line, "event: "); ok {
			event = e
		}
		if d, ok := strings.CutPrefix(line, "data: "); ok {
			if stop, err := each(event, []byte(d)); stop || err != nil {
				return err
			}
		}
	}
	return s.Err()
}

func (c *Client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	req, err := request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	return roundTrip(req, func(ctx context.Context) (net.Conn, error) { return c.dial(ctx) })
}

// over posts on a connection that is there.
func over(ctx context.Context, conn net.Conn, path string, body any) (*http.Response, error) {
	req, err := request(ctx, http.MethodPost, path, body)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return roundTrip(req, func(context.Context) (net.Conn, error) { return conn, nil })
}

func roundTrip(req *http.Request, dial func(ctx context.Context) (net.Conn, error)) (*http.Response, error) {
	t := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}
	resp, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return nil, unwrapURL(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnprocessableEntity {
		return nil, fromWire(b)
	}
	return nil, fault.New("talking to Bottlebar", strings.TrimSpace(resp.Status+" "+string(b)), "the program and the running Bottlebar may be of different versions: quit it and try again")
}

func request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(b)
	}
	return http.NewRequestWithContext(ctx, method, "http://bottlebar"+path, r)
}

func (c *Client) dial(ctx context.Context) (*net.UnixConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Socket)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("%w (%w)", ErrNobody, err)
	}
	if err != nil {
		return nil, ctx.Err()
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("%w (not a Unix socket)", ErrNobody)
	}
	// What is asked may hold the credential. A folder that is open to others is a
	// place where they can wait for it.
	if uid, err := peer(unix); err != nil || !ours(uid) {
		_ = unix.Close()
		return nil, fault.New("talking to Bottlebar", "another user answers on "+c.Socket, "set BOTTLEBAR_HOME to a folder of your own")
	}
	return unix, nil
}

// unwrapURL drops the made-up address that net/http puts around an error.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (c *Client) frames(ctx context.Context, path string, body any) (io.ReadWriteCloser, error) {
	req, err := request(ctx, http.MethodPost, path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", upgrade)
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	fail := func(err error) (io.ReadWriteCloser, error) {
		stop()
		_ = conn.Close()
		return nil, cmp.Or(ctx.Err(), err)
	}
	if err := req.Write(conn); err != nil {
		return fail(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, req) //nolint:bodyclose // a 101 has none, and closing would close the connection
	if err != nil {
		return fail(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
		return fail(fromWire(b))
	}
	return &framed{buffered{conn, r}, stop}, nil
}

type framed struct {
	buffered
	stop func() bool
}

// CloseWrite ends our direction; the other goes on.
func (f *framed) CloseWrite() error {
	if u, ok := f.Conn.(*net.UnixConn); ok {
		return u.CloseWrite()
	}
	return nil
}

func (f *framed) Close() error {
	f.stop()
	return f.buffered.Close()
}
