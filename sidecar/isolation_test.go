package sidecar

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"

	"bottlebar.app/egress"
	"bottlebar.app/sidecar/control"
)

func unitOf(s *Sidecar) *dockerUnit { return s.unit.(*dockerUnit) }

func TestSelftestInsideTheContainerFindsNoRights(t *testing.T) {
	d := dockerDriver(t)
	s := start(t, d)
	r, err := s.Selftest(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Trim(r.CapEff, "0") != "" || strings.Trim(r.CapBnd, "0") != "" || !r.NoNewPrivs || r.Seccomp != 2 || !r.RootReadOnly || r.UID != 65534 {
		t.Errorf("report = %+v", r)
	}
	for _, what := range []string{"write /", "raw socket", "mount"} {
		if !slices.Contains(r.Refused, what) {
			t.Errorf("%s works", what)
		}
	}
	// The same by a process of its own, as `docker exec` starts one.
	out, err := exec.Command("docker", "exec", unitOf(s).name(), "/sidecar", "selftest").Output()
	if err != nil || !bytes.Contains(out, []byte(`"seccomp":2`)) || !bytes.Contains(out, []byte("tcp 0.0.0.0:3128")) {
		t.Errorf("docker exec: %s, %v", out, err)
	}
}

func TestSidecarsReachNeitherEachOtherNorTheirHost(t *testing.T) {
	d := dockerDriver(t)
	ctx := testContext(t)
	a, b := start(t, d), start(t, d)
	fa, err := a.Inspect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	fb, err := b.Inspect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	gateway, hits := canary(t, fa.Gateway)
	host, port, _ := net.SplitHostPort(gateway)
	if c, err := net.Dial("tcp", gateway); err != nil {
		t.Fatalf("the canary does not answer from here: %v", err)
	} else {
		c.Close()
		<-hits
	}
	// The most that a policy can say.
	p := egress.Policy{Revision: 1, Hosts: []egress.Rule{
		{Host: host, Port: portOf(t, port), Private: true}, {Host: fb.Address, Port: 3128, Private: true},
	}}
	if err := a.Configure(ctx, p, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Open(ctx); err != nil {
		t.Fatal(err)
	}
	if status, why := connect(t, a, gateway); status != 403 || why != string(egress.BelowFloor) {
		t.Errorf("the gateway, allowed on purpose: %d %s", status, why)
	}
	if status, _ := connect(t, a, "evil.example:443"); status != 403 {
		t.Errorf("a name outside the policy: %d", status)
	}
	if d := next(t, a, "evil.example"); d.Kind != egress.Denied || d.Reason != egress.NotAllowed {
		t.Errorf("line = %+v", d)
	}
	if status, why := connect(t, a, net.JoinHostPort(fb.Address, "3128")); status == 200 {
		t.Errorf("another sidecar, allowed on purpose: %d %s", status, why)
	}
	select {
	case from := <-hits:
		t.Errorf("the canary saw %s", from)
	default:
	}
}

func TestOnlyTheHolderOfOurKeyGetsAnAnswer(t *testing.T) {
	s := start(t, dockerDriver(t))
	u := unitOf(s)
	addr := "127.0.0.1:" + u.port
	stranger, err := control.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, dial := range map[string]func() (net.Conn, error){
		"plain": func() (net.Conn, error) { return net.Dial("tcp", addr) },
		"no certificate": func() (net.Conn, error) {
			return tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		},
		"another certificate": func() (net.Conn, error) {
			c := stranger.Client(nil)
			c.VerifyConnection = nil
			return tls.Dial("tcp", addr, c)
		},
		"our certificate without its key": func() (net.Conn, error) {
			return tls.Dial("tcp", addr, &tls.Config{
				InsecureSkipVerify: true,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					c, _ := stranger.Client(nil).GetClientCertificate(nil)
					return &tls.Certificate{Certificate: [][]byte{u.identity.DER}, PrivateKey: c.PrivateKey}, nil
				},
			})
		},
		"TLS 1.2": func() (net.Conn, error) {
			return tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
		},
	} {
		c, err := dial()
		if err != nil {
			continue
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		got, _ := io.ReadAll(c)
		c.Close()
		if bytes.Contains(got, []byte("HTTP")) || bytes.Contains(got, []byte(s.Nonce())) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestDeadSidecarEndsItsStreamsAndItsPortGetsNothing(t *testing.T) {
	d := dockerDriver(t)
	s := start(t, d)
	u := unitOf(s)
	conn, err := s.Dial(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cli.ContainerKill(t.Context(), u.h.Container, "KILL"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-testContext(t).Done():
		t.Fatal("nobody noticed")
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an open connection: %v", err)
	}
	if _, err := s.Dial(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("a new one: %v", err)
	}
	if err := s.Configure(t.Context(), egress.Policy{}, &egress.Credential{Secret: "x"}); !errors.Is(err, ErrGone) {
		t.Errorf("Configure: %v", err)
	}
	// Another user's process takes the port. Even a dial that came before the
	// news sends it nothing but the start of a handshake.
	heard := impostor(t, u.port)
	u.mu.Lock()
	u.dead = nil
	u.mu.Unlock()
	if c, err := u.dial(testContext(t)); err == nil {
		c.Close()
		t.Error("the dial took somebody else for the sidecar")
	}
	if got := heard(); bytes.Contains(got, []byte("HTTP")) || bytes.Contains(got, []byte("GET")) {
		t.Errorf("it heard %q", got)
	}
}

// impostor listens on a port as another user, with a certificate of its own,
// and returns what it was told in the clear.
func impostor(t *testing.T, port string) func() []byte {
	t.Helper()
	id, err := control.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	var ln net.Listener
	for deadline := time.Now().Add(10 * time.Second); ; {
		// The thread that binds is another user's; it ends with the goroutine.
		errs := make(chan error)
		go func() {
			lockOther()
			var err error
			ln, err = net.Listen("tcp", "127.0.0.1:"+port)
			errs <- err
		}()
		if err := <-errs; err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("taking the port over: %v", err)
		}
	}
	done := make(chan []byte, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			done <- nil
			return
		}
		defer c.Close()
		server := id.Server([]byte("x"))
		server.VerifyConnection = nil
		tc := tls.Server(c, server)
		tc.SetDeadline(time.Now().Add(10 * time.Second))
		got, _ := io.ReadAll(tc)
		done <- got
	}()
	t.Cleanup(func() { ln.Close() })
	return func() []byte { return <-done }
}

func TestForeignImageUnderOurTagIsRefused(t *testing.T) {
	d := dockerDriver(t)
	ctx := testContext(t)
	// A binary of its own, so that no other test's image is touched.
	img, err := newArchive(append([]byte("not a program "), randomHex(16)...), d.engine.Arch)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := newArchive([]byte("a stranger's"), d.engine.Arch)
	if err != nil {
		t.Fatal(err)
	}
	if err := foreign.load(ctx, d.cli); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.cli.ImageRemove(context.Background(), img.tag, image.RemoveOptions{Force: true})
		d.cli.ImageRemove(context.Background(), foreign.tag, image.RemoveOptions{Force: true})
	})
	if err := d.cli.ImageTag(ctx, foreign.tag, img.tag); err != nil {
		t.Fatal(err)
	}
	_, err = img.ensure(ctx, d.cli)
	var f *ForeignImageError
	if !errors.As(err, &f) || !strings.Contains(f.Cure(), "docker image rm "+img.tag) {
		t.Fatalf("err = %v", err)
	}
	if _, err := d.cli.ImageRemove(ctx, img.tag, image.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	first, err := img.ensure(ctx, d.cli)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := img.ensure(ctx, d.cli); err != nil || second != first {
		t.Errorf("again: %s, %v; want %s", second, err, first)
	}
	same, _ := newArchive([]byte("x"), "amd64")
	twice, _ := newArchive([]byte("x"), "amd64")
	if !bytes.Equal(same.bytes, twice.bytes) || same.tag != twice.tag {
		t.Error("the same binary gives two images")
	}
}

// left counts the Docker objects of an app.
func left(t *testing.T, d *docker) int {
	t.Helper()
	mine := filters.NewArgs(filters.Arg("label", LabelApp+"="+d.opt.App))
	boxes, err := d.cli.ContainerList(t.Context(), container.ListOptions{All: true, Filters: mine})
	if err != nil {
		t.Fatal(err)
	}
	nets, err := d.cli.NetworkList(t.Context(), network.ListOptions{Filters: mine})
	if err != nil {
		t.Fatal(err)
	}
	return len(boxes) + len(nets)
}

func TestSweepRemovesOwnLeftoversAndNobodyElses(t *testing.T) {
	ctx := testContext(t)
	ours, theirs := dockerDriver(t), dockerDriver(t)
	kept, lost, other := start(t, ours), start(t, ours), start(t, theirs)
	gone, err := ours.Sweep(ctx, []string{kept.ID()})
	if err != nil || !slices.Equal(gone, []string{lost.ID()}) {
		t.Errorf("swept %v, %v; want %s", gone, err, lost.ID())
	}
	select {
	case <-lost.Done():
	case <-ctx.Done():
		t.Error("the swept one does not know")
	}
	for _, s := range []*Sidecar{kept, other} {
		if _, err := s.Stats(ctx); err != nil {
			t.Errorf("%s: %v", s.ID(), err)
		}
	}
	if err := kept.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := kept.Close(ctx); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if n := left(t, ours); n != 0 {
		t.Errorf("%d objects are left", n)
	}
	if n := left(t, theirs); n != 2 {
		t.Errorf("the other app has %d objects, want 2", n)
	}
}

func TestCancelledOrFailedStartLeavesNothing(t *testing.T) {
	d := dockerDriver(t)
	// Cancelled after a network, after a container, in the middle of the start.
	for _, wait := range []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		s, err := d.Start(ctx, true)
		cancel()
		if err == nil {
			s.Close(t.Context())
		}
		if n := left(t, d); n != 0 {
			t.Errorf("cancelled after %v: %d objects are left", wait, n)
		}
	}
	// A container that cannot start: its program is none.
	img, err := newArchive([]byte("not a program"), d.engine.Arch)
	if err != nil {
		t.Fatal(err)
	}
	d.image = img
	defer d.cli.ImageRemove(context.Background(), img.tag, image.RemoveOptions{Force: true})
	if s, err := d.Start(testContext(t), false); err == nil {
		s.Close(t.Context())
		t.Error("a container without a program started")
	}
	if n := left(t, d); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

func TestAdoptedSidecarIsClosedAndForgetful(t *testing.T) {
	d := dockerDriver(t)
	ctx := testContext(t)
	first, err := d.Start(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	cred := &egress.Credential{Kind: egress.APIKey, Secret: "sk-ant-api03-canary-secret", Placeholder: "p"}
	if err := first.Configure(ctx, egress.Policy{Revision: 5, API: &egress.API{}}, cred); err != nil {
		t.Fatal(err)
	}
	if err := first.Open(ctx); err != nil {
		t.Fatal(err)
	}
	// The app dies: its end of the streams goes, the container stays.
	unitOf(first).attached.Close()
	<-first.Done()
	second, err := d.Adopt(ctx, first.Handle())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close(ctx)
	st, err := second.Stats(ctx)
	if err != nil || st.Open || st.Revision != 0 {
		t.Errorf("stats = %+v, %v", st, err)
	}
	if second.Nonce() == first.Nonce() || second.ID() != first.ID() {
		t.Error("the adopted one is not itself, with a new nonce")
	}
	if status, why := connect(t, second, "evil.example:443"); status != 403 || why != string(egress.NotOpen) {
		t.Errorf("%d %s", status, why)
	}
	// The old app's key opens nothing any more.
	if c, err := unitOf(first).dial(ctx); err == nil {
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if got, _ := io.ReadAll(c); len(got) != 0 {
			t.Errorf("the old key got %q", got)
		}
		c.Close()
	}
	// The secret is in neither what inspect shows nor the log.
	raw, _ := exec.Command("docker", "inspect", unitOf(second).name()).Output()
	logs, _ := exec.Command("docker", "logs", unitOf(second).name()).CombinedOutput()
	if bytes.Contains(raw, []byte(cred.Secret)) || bytes.Contains(logs, []byte(cred.Secret)) || len(raw) == 0 || len(logs) == 0 {
		t.Error("the secret is where others can read it, or nothing was read")
	}
	if _, err := d.Adopt(ctx, Handle{ID: "zzzzzzzz", Driver: KindDocker, Container: strings.Repeat("0", 64)}); !errors.Is(err, ErrNotAdoptable) {
		t.Errorf("one that is gone: %v", err)
	}
	stranger := dockerDriver(t)
	if _, err := stranger.Adopt(ctx, second.Handle()); !errors.Is(err, ErrNotAdoptable) {
		t.Errorf("another app's: %v", err)
	}
	if _, err := d.Adopt(ctx, Handle{Driver: KindProcess}); !errors.Is(err, ErrNotAdoptable) {
		t.Errorf("a process: %v", err)
	}
}

func TestChildProcessIsConfinedAndDiesWithoutItsInput(t *testing.T) {
	p := drivers(t)[KindProcess]
	s := start(t, p)
	u := s.unit.(*processUnit)
	f, err := s.Inspect(testContext(t))
	if err != nil || !f.Holds {
		t.Errorf("facts = %+v, %v", f, err)
	}
	// What it dials stands on this host: its own networks are below the floor.
	addr, hits := canary(t, hostAddress(t))
	host, port, _ := net.SplitHostPort(addr)
	r := []egress.Rule{{Host: "127.0.0.1.nip.example"}, {Host: "allowed.example"}}
	if err := s.Configure(testContext(t), egress.Policy{Hosts: r}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Open(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if status, why := connect(t, s, addr); status != 403 || why != string(egress.NotAllowed) {
		t.Errorf("%s: %d %s", addr, status, why)
	}
	if !slices.ContainsFunc(u.floor(), func(f string) bool { return strings.HasPrefix(f, host[:strings.LastIndex(host, ".")]) }) {
		t.Errorf("the floor %v does not hold %s:%s", u.floor(), host, port)
	}
	if len(hits) != 0 {
		t.Error("the canary saw a connection")
	}
	if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", u.cmd.Process.Pid)); err != nil && os.Getuid() != 0 {
		t.Log("its environment cannot even be read")
	}
	u.in.Close()
	select {
	case <-s.Done():
	case <-testContext(t).Done():
		t.Error("it lives on without its input")
	}
	<-u.dead
	if err := syscall.Kill(u.cmd.Process.Pid, 0); err == nil {
		t.Error("its process is still there")
	}
}
