package guest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"bottlebar.app/hop"
)

// Deadlines and bounds of one round of the escape test.
const (
	tryTimeout   = 1500 * time.Millisecond
	probeTotal   = 5 * time.Second
	maxTargets   = 64
	maxParallel  = 64
	maxProbeEcho = 16 << 20
	maxProbeBody = 512
)

// prober is one round.
type prober struct {
	proxy string
	mu    sync.Mutex
	out   []hop.Attempt
	wg    sync.WaitGroup
}

// probe tries everything at once and says what happened. It judges nothing:
// that is the app's.
func (h *helper) probe(ctx context.Context, r hop.ProbeRequest) hop.ProbeReply {
	ctx, cancel := context.WithTimeout(ctx, probeTotal)
	defer cancel()
	p := &prober{proxy: h.cfg.Proxy}
	if r.Health != "" {
		p.try(ctx, probeTotal, hop.Attempt{Name: "health", Kind: "health", Target: r.Health}, p.get)
		for i := range min(r.Parallel, maxParallel) {
			p.try(ctx, probeTotal, hop.Attempt{Name: "parallel " + strconv.Itoa(i+1), Kind: "parallel", Target: r.Health}, p.get)
		}
	}
	if r.Echo != "" {
		up, down := min(max(r.Up, 0), maxProbeEcho), min(max(r.Down, 0), maxProbeEcho)
		p.try(ctx, probeTotal, hop.Attempt{Name: "echo", Kind: "echo", Target: r.Echo},
			func(ctx context.Context, a *hop.Attempt) error { return p.echo(ctx, a, up, down) })
	}
	for _, t := range r.Targets[:min(len(r.Targets), maxTargets)] {
		p.try(ctx, tryTimeout, hop.Attempt{Name: t.Name, Kind: "target", Target: t.Addr},
			func(ctx context.Context, _ *hop.Attempt) error { return reach(ctx, t.Network, t.Addr) })
	}
	for _, name := range r.Lookups[:min(len(r.Lookups), maxTargets)] {
		p.try(ctx, tryTimeout, hop.Attempt{Name: "lookup", Kind: "lookup", Target: name}, resolve)
	}
	for _, addr := range r.Connects[:min(len(r.Connects), maxTargets)] {
		p.try(ctx, probeTotal, hop.Attempt{Name: "connect", Kind: "connect", Target: addr}, p.connect)
	}
	for _, port := range r.Vsock[:min(len(r.Vsock), maxTargets)] {
		p.try(ctx, tryTimeout, hop.Attempt{Name: "vsock", Kind: "vsock", Target: strconv.FormatUint(uint64(port), 10)},
			func(context.Context, *hop.Attempt) error { return vsockDial(port, int(tryTimeout/time.Millisecond)) })
	}
	p.wg.Wait()
	return hop.ProbeReply{Attempts: p.out, Interfaces: interfaces()}
}

// try runs one attempt and notes its outcome.
func (p *prober) try(ctx context.Context, d time.Duration, a hop.Attempt, do func(context.Context, *hop.Attempt) error) {
	p.wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		begun := time.Now()
		err := do(ctx, &a)
		a.Took = time.Since(begun)
		if a.Outcome == "" {
			a.Outcome, a.Detail = outcome(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.out = append(p.out, a)
	})
}

// outcome sorts an error into the words that the app knows.
func outcome(err error) (word, detail string) {
	if err == nil {
		return hop.OutcomeConnected, ""
	}
	detail = hop.Clean(err.Error(), 200)
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		if dns.IsTimeout {
			return hop.OutcomeTimeout, detail
		}
		return hop.OutcomeNoName, detail
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return hop.OutcomeRefused, detail
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EAFNOSUPPORT),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.EPROTONOSUPPORT):
		return hop.OutcomeUnreachable, detail
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT),
		errors.As(err, &timeout) && timeout.Timeout():
		return hop.OutcomeTimeout, detail
	}
	return hop.OutcomeError, detail
}

// reach connects to a target. UDP only counts if something comes back.
func reach(ctx context.Context, network, addr string) error {
	if network != "tcp" && network != "udp" {
		return fmt.Errorf("unknown network %q", network)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if network == "tcp" {
		return nil
	}
	at, _ := ctx.Deadline()
	_ = conn.SetDeadline(at)
	// A question for the root's name servers, which any resolver answers and
	// any other canary may echo.
	query := []byte("\x42\x42\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01")
	if _, err := conn.Write(query); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 512))
	return err
}

func resolve(ctx context.Context, a *hop.Attempt) error {
	addrs, err := net.DefaultResolver.LookupHost(ctx, a.Target)
	if err == nil {
		a.Detail = hop.Clean(fmt.Sprint(addrs), 200)
	}
	return err
}

// request sends one request to the proxy on a connection of its own and reads
// the answer's head. It is written by hand: the library's client would
// double the size of the helper.
func (p *prober) request(ctx context.Context, a *hop.Attempt, head string, body io.Reader, read func(map[string]string, io.Reader) error) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", p.proxy)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	at, _ := ctx.Deadline()
	_ = conn.SetDeadline(at)
	if _, err := io.WriteString(conn, head); err != nil {
		return err
	}
	if body != nil {
		if _, err := io.Copy(conn, body); err != nil {
			return err
		}
	}
	r := bufio.NewReaderSize(conn, 32<<10)
	status, header, err := readHead(r)
	if err != nil {
		return err
	}
	if err := read(header, r); err != nil {
		return err
	}
	a.Outcome, a.Status = hop.OutcomeStatus, status
	return nil
}

// readHead reads the head of an HTTP answer: its status and its fields by
// lower-case name.
func readHead(r *bufio.Reader) (int, map[string]string, error) {
	status, header := 0, map[string]string{}
	for n := 0; n < 100; n++ {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, nil, fmt.Errorf("the proxy's answer broke off: %w", err)
		}
		text := strings.TrimRight(string(line), "\r\n")
		if n == 0 {
			f := strings.Fields(text)
			if len(f) < 2 || !strings.HasPrefix(f[0], "HTTP/1.") {
				return 0, nil, errors.New("the proxy's answer is not HTTP")
			}
			if status, err = strconv.Atoi(f[1]); err != nil {
				return 0, nil, errors.New("the proxy's answer has no status")
			}
			continue
		}
		if text == "" {
			return status, header, nil
		}
		name, v, _ := strings.Cut(text, ":")
		header[strings.ToLower(name)] = strings.TrimSpace(v)
	}
	return 0, nil, errors.New("the proxy's answer has too many header fields")
}

// body reads the start of an answer's body.
func body(a *hop.Attempt, header map[string]string, r io.Reader) error {
	n := int64(maxProbeBody)
	if length, err := strconv.ParseInt(header["content-length"], 10, 64); err == nil {
		n = min(n, max(length, 0))
	}
	b, err := io.ReadAll(io.LimitReader(r, n))
	a.Body = string(bytes.ToValidUTF8(b, []byte("?")))
	return err
}

func (p *prober) get(ctx context.Context, a *hop.Attempt) error {
	head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", a.Target, p.proxy)
	return p.request(ctx, a, head, nil, func(h map[string]string, r io.Reader) error { return body(a, h, r) })
}

// connect asks the proxy for a tunnel and notes its answer.
func (p *prober) connect(ctx context.Context, a *hop.Attempt) error {
	head := fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", a.Target, a.Target)
	return p.request(ctx, a, head, nil, func(h map[string]string, r io.Reader) error {
		if h["content-length"] == "" {
			return nil // a tunnel, or nothing to read
		}
		return body(a, h, r)
	})
}

// echo sends and receives bulk through the tunnel and checks each byte that
// comes back.
func (p *prober) echo(ctx context.Context, a *hop.Attempt, up, down int64) error {
	head := fmt.Sprintf("POST %s?down=%d HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		a.Target, down, p.proxy, up)
	return p.request(ctx, a, head, io.LimitReader(&pattern{}, up), func(h map[string]string, r io.Reader) error {
		a.Sent, _ = strconv.ParseInt(h["x-bottle-received"], 10, 64)
		want, got, buf := &pattern{}, make([]byte, 32<<10), make([]byte, 32<<10)
		for a.Bytes < down {
			n, err := r.Read(got)
			_, _ = want.Read(buf[:n])
			if !bytes.Equal(got[:n], buf[:n]) {
				return fmt.Errorf("the bytes that came back differ after %d", a.Bytes)
			}
			a.Bytes += int64(n)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// pattern is an endless reader of 0, 1, … 250, 0, …
type pattern struct{ at int }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(p.at)
		if p.at++; p.at == 251 {
			p.at = 0
		}
	}
	return len(b), nil
}
