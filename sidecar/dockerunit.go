package sidecar

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"

	"bottlebar.app/sidecar/control"
)

// dockerUnit is one container with its network.
type dockerUnit struct {
	driver   *docker
	h        Handle
	image    string // ID
	identity *control.Identity

	mu       sync.Mutex
	attached *types.HijackedResponse
	output   *demux
	tls      *tls.Config
	port     string
	onEnd    func(error)
	dead     error // the engine said so
}

func (u *dockerUnit) handle() Handle { return u.h }

func (u *dockerUnit) name() string { return "bb-" + u.h.ID }

// create makes the container by the image's ID. An engine without the bounded
// log driver gets its own default.
func (u *dockerUnit) create(ctx context.Context, labels map[string]string) error {
	cfg, host := hardened(u.image, u.name(), labels)
	resp, err := u.driver.cli.ContainerCreate(ctx, cfg, host, nil, nil, u.name())
	if err != nil && errdefs.IsInvalidArgument(err) {
		host.LogConfig = container.LogConfig{}
		resp, err = u.driver.cli.ContainerCreate(ctx, cfg, host, nil, nil, u.name())
	}
	if err != nil {
		return err
	}
	u.h.Container = resp.ID
	return nil
}

// attach connects to the container's standard streams. Before the start, no
// line can be missed; later, earlier lines are not repeated.
func (u *dockerUnit) attach(ctx context.Context) error {
	a, err := u.driver.cli.ContainerAttach(ctx, u.h.Container, container.AttachOptions{
		Stream: true, Stdin: true, Stdout: true, Stderr: true,
	})
	if err != nil {
		return err
	}
	u.attached, u.output = &a, &demux{r: a.Reader}
	return nil
}

// release ends the attachment: the container's input stays open for the next.
func (u *dockerUnit) release() { u.attached.Close() }

func (u *dockerUnit) control() (io.Writer, io.Reader) { return u.attached.Conn, u.output }

func (u *dockerUnit) ready(ctx context.Context, e control.Event) error {
	got, err := u.driver.cli.ContainerInspect(ctx, u.h.Container)
	if err != nil {
		return err
	}
	port, err := publishedPort(got)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.port, u.tls = port, u.identity.Client(e.Cert)
	return u.dead
}

// dial connects to the published port. Whoever holds it must prove to be the
// sidecar before a byte of a stream is sent.
func (u *dockerUnit) dial(ctx context.Context) (net.Conn, error) {
	u.mu.Lock()
	port, config, dead := u.port, u.tls, u.dead
	u.mu.Unlock()
	if dead != nil {
		return nil, dead
	}
	// Keepalives would wake this computer for nothing: nobody stands between.
	d := net.Dialer{KeepAlive: -1}
	raw, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, fmt.Errorf("connecting to the sidecar: %w", err)
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("connecting to the sidecar: %w", err)
	}
	return conn, nil
}

// floor keeps bottles away from services that this computer offers on its own
// addresses.
func (u *dockerUnit) floor() []string {
	var out []string
	for _, p := range ownPrefixes() {
		out = append(out, fmt.Sprintf("%s/%d", p.Addr().WithZone(""), p.Addr().BitLen()))
	}
	return out
}

func (u *dockerUnit) inspect(ctx context.Context, report control.Report) (Facts, error) {
	got, err := u.driver.cli.ContainerInspect(ctx, u.h.Container)
	if err != nil {
		return Facts{}, engineError(u.driver.engine, err)
	}
	f := Facts{Driver: KindDocker, ID: u.h.ID, Holds: true}
	f.Lines = facts(got, u.image, u.name(), report)
	if img, err := u.driver.archive(); err == nil {
		line := Fact{Name: "image-content", Want: "ours", Got: "ours", Holds: true}
		if id, err := img.ensure(ctx, u.driver.cli); err != nil || id != u.image {
			line.Got, line.Holds = "another", false
		}
		f.Lines = append(f.Lines, line)
	}
	for _, l := range f.Lines {
		f.Holds = f.Holds && l.Holds
	}
	if got.NetworkSettings != nil {
		if n := got.NetworkSettings.Networks[u.name()]; n != nil {
			f.Address, f.Gateway = n.IPAddress, n.Gateway
		}
	}
	return f, nil
}

// ends sets what is called once the container has died, at once if it has.
func (u *dockerUnit) ends(fn func(error)) {
	u.mu.Lock()
	u.onEnd = fn
	dead := u.dead
	u.mu.Unlock()
	if dead != nil {
		fn(dead)
	}
}

func (u *dockerUnit) died(m events.Message) {
	why := fmt.Errorf("the sidecar's container has ended (exit code %s)", clean(m.Actor.Attributes["exitCode"]))
	if m.Action == events.ActionPause {
		why = errors.New("the sidecar's container was paused")
	}
	u.mu.Lock()
	if u.dead == nil {
		u.dead = why
	}
	fn := u.onEnd
	u.mu.Unlock()
	if fn != nil {
		fn(why)
	}
}

func (u *dockerUnit) exit() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.dead != nil {
		return u.dead
	}
	if text := u.output.lastWords(); text != "" {
		return fmt.Errorf("the sidecar has ended: %s", text)
	}
	return errors.New("the connection to the sidecar's container has ended")
}

func (u *dockerUnit) detach() {
	u.driver.forget(u)
	if u.attached != nil {
		u.attached.Close()
	}
}

// remove takes container and network away. What is gone already is no error.
// An object whose making was not answered is removed by its name.
func (u *dockerUnit) remove(ctx context.Context) error {
	var errs []error
	c, cancel := context.WithTimeout(ctx, stepTimeout)
	box := cmp.Or(u.h.Container, u.name())
	err := u.driver.cli.ContainerRemove(c, box, container.RemoveOptions{Force: true, RemoveVolumes: true})
	cancel()
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
		errs = append(errs, fmt.Errorf("removing the container %s: %w", u.name(), err))
	}
	u.detach()
	if err := u.removeNetwork(ctx, cmp.Or(u.h.Network, u.name())); err != nil {
		errs = append(errs, fmt.Errorf("removing the network %s: %w", u.name(), err))
	}
	return errors.Join(errs...)
}

// removeNetwork waits for a container that is still on its way out.
func (u *dockerUnit) removeNetwork(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	for {
		err := u.driver.cli.NetworkRemove(ctx, id)
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if !errdefs.IsPermissionDenied(err) && !errdefs.IsConflict(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// demux reads the standard output out of an attached stream, whose pieces
// have a header of eight bytes: the stream's number, three zeros, the length.
// The end of the standard error is kept.
type demux struct {
	r    *bufio.Reader
	left int

	mu   sync.Mutex
	tail []byte
}

// maxTail is how much of the standard error is kept.
const maxTail = 2 << 10

func (d *demux) Read(b []byte) (int, error) {
	for d.left == 0 {
		var h [8]byte
		if _, err := io.ReadFull(d.r, h[:]); err != nil {
			return 0, io.EOF
		}
		n := int(binary.BigEndian.Uint32(h[4:]))
		switch h[0] {
		case 1:
			d.left = n
		case 2:
			if err := d.keep(n); err != nil {
				return 0, io.EOF
			}
		default:
			return 0, errors.New("the engine's stream makes no sense")
		}
	}
	n, err := d.r.Read(b[:min(len(b), d.left)])
	d.left -= n
	if err != nil {
		return n, io.EOF
	}
	return n, nil
}

func (d *demux) keep(n int) error {
	for n > 0 {
		var buf [512]byte
		m, err := d.r.Read(buf[:min(n, len(buf))])
		n -= m
		d.mu.Lock()
		d.tail = append(d.tail, buf[:m]...)
		d.tail = d.tail[max(0, len(d.tail)-maxTail):]
		d.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *demux) lastWords() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return clean(string(d.tail))
}
