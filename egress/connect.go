package egress

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// serveConnect opens a tunnel for "CONNECT host:port".
func (p *Proxy) serveConnect(w http.ResponseWriter, r *http.Request) {
	d := Decision{Via: "connect", Method: http.MethodConnect}
	if p.sees(w, d, r.RequestURI, r) {
		return
	}
	t, err := ParseTarget(r.RequestURI, 0)
	if err != nil {
		d.Reason, d.Host = BadName, shownPlace(r.RequestURI)
		p.deny(w, d)
		return
	}
	d.Host, d.Port = t.Host, t.Port
	f, why := p.admitHeld(r.Context(), t, d)
	if why != "" {
		d.Reason = why
		p.deny(w, d)
		return
	}
	defer p.release(f)
	up, addr, err := p.dialer.dial(f.ctx, t, f.verdict.Private, &f.rules.floor)
	if err != nil {
		d.Reason = dialReason(f, err)
		p.deny(w, d)
		return
	}
	defer up.Close()
	if !f.goesBy(up) {
		d.Reason = f.why()
		p.deny(w, d)
		return
	}
	d.IP, d.Rule = addressText(addr), f.verdict.Rule
	whole, buffered, err := hijack(w)
	if err != nil {
		return
	}
	defer whole.Close()
	conn := whole
	if k, ok := whole.(*knocked); ok {
		conn = k.Conn // its first byte has gone to the reader: nothing else is in the way of a splice
	}
	p.tunnel(f, d, conn, buffered, up)
}

// tunnel answers 200, looks at the hello on port 443, and copies both ways.
func (p *Proxy) tunnel(f *flow, d Decision, conn net.Conn, buffered *bufio.Reader, up net.Conn) {
	stop := context.AfterFunc(f.ctx, func() { conn.Close(); up.Close() })
	defer stop()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var first []byte
	if f.target.Port == 443 {
		_ = conn.SetReadDeadline(time.Now().Add(p.limits.Hello))
		raw, sni, err := readHello(buffered)
		_ = conn.SetReadDeadline(time.Time{})
		first, d.SNI = raw, shown(sni)
		if err != nil && len(raw) == 0 {
			return // hung up before saying anything: nothing was tried
		}
		if p.seesName(d, sni) {
			return
		}
		if err != nil || !f.names(sni) {
			p.refuseHello(conn, d, err)
			return
		}
	}
	if n := buffered.Buffered(); n > 0 {
		rest, _ := buffered.Peek(n)
		first = append(first, rest...)
	}
	start := time.Now()
	d.Kind, d.Status = Allowed, http.StatusOK
	p.allowed.Add(1)
	p.journal.tell(d)
	var sent int
	var err error
	if len(first) > 0 {
		sent, err = up.Write(first)
	}
	var more, down int64
	var why Reason
	if err == nil {
		more, down, why = bothWays(f.ctx, conn, up, p.limits.Idle)
	}
	d.Kind, d.Up, d.Down, d.Reason = Closed, int64(sent)+more, down, why
	if cut := f.why(); cut != "" {
		d.Reason = cut
	}
	d.Time, d.Millis = time.Time{}, time.Since(start).Milliseconds()
	p.up.Add(d.Up)
	p.down.Add(d.Down)
	p.journal.tell(d)
}

// names reports whether sni is the name that the tunnel was asked for. Clients
// send none for an address.
func (f *flow) names(sni string) bool {
	if f.target.Addr.IsValid() && sni == "" {
		return true
	}
	name, _, err := normalise(sni)
	return err == nil && name == f.target.Host
}

// refuseHello ends a tunnel before a byte went upstream. TLS clients get the
// alert "unrecognized name", so that they can say more than "closed".
func (p *Proxy) refuseHello(conn net.Conn, d Decision, err error) {
	p.denied.Add(1)
	d.Kind, d.Reason, d.Rule = Denied, WrongSNI, ""
	p.mu.Lock()
	d.Canary = p.rules.canaries[d.Host]
	p.mu.Unlock()
	p.journal.tell(d)
	if err == nil || errors.Is(err, errBadHello) {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write([]byte{21, 3, 1, 0, 2, 2, 112})
	}
}

// dialReason says in the journal's words why a dial failed.
func dialReason(f *flow, err error) Reason {
	switch {
	case f.why() != "":
		return f.why()
	case f.ctx.Err() != nil:
		return HungUp
	case WayReason(err) != "":
		return WayReason(err)
	case errors.Is(err, errFloor):
		return BelowFloor
	case errors.Is(err, errNoAddress):
		return NotResolved
	}
	return NotReached
}

// addressText is a as a line holds it; behind a proxy it may not be known.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// hijack takes the connection over. What was already read from it is in the
// reader.
func hijack(w http.ResponseWriter) (net.Conn, *bufio.Reader, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return conn, rw.Reader, nil
}

// shownPlace is shown of what a tunnel was asked for and is no place. A user, a
// path and a query are no part of a line.
func shownPlace(s string) string {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	return shown(s[strings.LastIndexByte(s, '@')+1:])
}

// shown cuts a guest's words to what a line may hold.
func shown(s string) string {
	const limit = 255
	if len(s) > limit {
		s = s[:limit]
	}
	b := []byte(s)
	for i, c := range b {
		if c < 0x21 || c > 0x7e {
			b[i] = '?'
		}
	}
	return string(b)
}
