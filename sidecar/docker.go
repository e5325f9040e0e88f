package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"bottlebar.app/sidecar/control"
)

// The labels of Docker objects. They cannot change later.
const (
	LabelSidecar = "bottlebar.sidecar" // the sidecar's own id
	LabelRole    = "bottlebar.role"    // RoleWarm on one that was made to wait
	LabelApp     = "bottlebar.app"     // which state folder owns it
	LabelSchema  = "bottlebar.schema"  // Schema

	RoleWarm = "warm"
	Schema   = "1"
)

// DockerOptions are what the Docker driver needs.
type DockerOptions struct {
	// App is the value of LabelApp. It names the state folder that owns these
	// sidecars, so that two of them on one engine leave each other alone.
	App string
	// Binaries holds sidecar-<arch>.gz for the engine's architecture.
	Binaries fs.FS
	// Subnet is the pool of the sidecars' networks; empty means DefaultSubnet.
	Subnet string
	Log    *slog.Logger // nil: none
}

// docker makes sidecars that are containers.
type docker struct {
	engine *Engine
	cli    *client.Client
	opt    DockerOptions
	pool   netip.Prefix
	log    *slog.Logger
	ctx    context.Context
	stop   context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	image    *archive
	units    map[string]*dockerUnit // running, by container
	watching bool
}

// NewDocker returns the driver for an engine that FindEngine found.
func NewDocker(e *Engine, o DockerOptions) (Driver, error) {
	if o.App == "" || o.Binaries == nil {
		return nil, errors.New("the Docker driver needs the name of its state folder and the sidecar's binaries")
	}
	pool, err := parsePool(o.Subnet)
	if err != nil {
		return nil, err
	}
	cli, err := client.NewClientWithOpts(client.WithHost(e.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	d := &docker{engine: e, cli: cli, opt: o, pool: pool, log: o.Log, units: map[string]*dockerUnit{}}
	if d.log == nil {
		d.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d, nil
}

func (d *docker) Kind() string { return KindDocker }

// Close ends the subscription to the engine's events. Attached sidecars go on.
func (d *docker) Close() error {
	d.stop()
	d.wg.Wait()
	return nil // the client stays: sidecars that were handed out still use it
}

// archive returns the image for the engine's architecture.
func (d *docker) archive() (*archive, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.image == nil {
		bin, err := readBinary(d.opt.Binaries, d.engine.Arch)
		if err != nil {
			return nil, err
		}
		if d.image, err = newArchive(bin, d.engine.Arch); err != nil {
			return nil, err
		}
	}
	return d.image, nil
}

// Start makes network and container, attaches, starts, and waits for ready.
// Whatever fails, what was made before is removed again.
func (d *docker) Start(ctx context.Context, warm bool) (s *Sidecar, err error) {
	u := &dockerUnit{driver: d, h: Handle{ID: newID(), Driver: KindDocker, Created: time.Now().UTC()}}
	defer func() {
		if err != nil {
			err = engineError(d.engine, err)
			if undo := u.remove(context.WithoutCancel(ctx)); undo != nil {
				err = errors.Join(err, undo)
			}
		}
	}()
	img, err := d.archive()
	if err != nil {
		return nil, err
	}
	if err := d.make(ctx, u, img, d.labels(u.h.ID, warm)); err != nil {
		return nil, err
	}
	d.watch(u)
	if err := u.attach(ctx); err != nil {
		return nil, fmt.Errorf("attaching to the sidecar: %w", err)
	}
	if err := d.cli.ContainerStart(ctx, u.h.Container, container.StartOptions{}); err != nil {
		return nil, fmt.Errorf("starting the sidecar: %w", err)
	}
	return d.launch(ctx, u)
}

// make makes network and container. An engine goes on with a request whose
// caller has gone, so these two are not cancelled in the middle: what they made
// could not be named to remove it.
func (d *docker) make(ctx context.Context, u *dockerUnit, img *archive, labels map[string]string) (err error) {
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTimeout)
	defer cancel()
	for try := 0; ; try++ {
		if u.image, err = img.ensure(ctx, d.cli); err != nil {
			return err
		}
		if u.h.Network == "" {
			if u.h.Network, err = createNetwork(whole, d.cli, u.name(), u.h.ID, d.pool, labels); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err = u.create(whole, labels)
		if err == nil {
			return ctx.Err()
		}
		if !errdefs.IsNotFound(err) || try > 0 {
			return fmt.Errorf("making the sidecar's container: %w", err)
		}
		// Somebody pruned the image between the two calls.
	}
}

// makeTimeout is for an engine that starts many containers at once.
const makeTimeout = 60 * time.Second

func (d *docker) launch(ctx context.Context, u *dockerUnit) (*Sidecar, error) {
	id, err := control.NewIdentity()
	if err != nil {
		return nil, err
	}
	u.identity = id
	s, err := launch(ctx, u, id, d.log)
	if err != nil {
		return nil, err
	}
	u.ends(s.end)
	return s, nil
}

func (d *docker) labels(id string, warm bool) map[string]string {
	l := map[string]string{LabelSidecar: id, LabelApp: d.opt.App, LabelSchema: Schema}
	if warm {
		l[LabelRole] = RoleWarm
	}
	return l
}

// Adopt attaches to a container that runs, if it is this app's.
func (d *docker) Adopt(ctx context.Context, h Handle) (*Sidecar, error) {
	if h.Driver != KindDocker || h.Container == "" {
		return nil, ErrNotAdoptable
	}
	got, err := d.cli.ContainerInspect(ctx, h.Container)
	gone := errdefs.IsNotFound(err)
	if err != nil && !gone {
		return nil, engineError(d.engine, err)
	}
	if !gone && (got.Config == nil || got.Config.Labels[LabelApp] != d.opt.App || got.Config.Labels[LabelSidecar] != h.ID) {
		return nil, ErrNotAdoptable
	}
	u := &dockerUnit{driver: d, h: h}
	if gone || got.State == nil || !got.State.Running {
		// An engine that was restarted has it still, ended, and its network.
		if err := u.remove(ctx); err != nil {
			return nil, engineError(d.engine, err)
		}
		return nil, ErrNotAdoptable
	}
	u.image = got.Image
	d.watch(u)
	if err := u.attach(ctx); err != nil {
		d.forget(u)
		return nil, engineError(d.engine, fmt.Errorf("attaching to the sidecar: %w", err))
	}
	s, err := d.launch(ctx, u)
	if err != nil {
		u.detach()
		return nil, engineError(d.engine, err)
	}
	return s, nil
}

// Sweep removes containers and networks that carry this app's label.
func (d *docker) Sweep(ctx context.Context, keep []string) ([]string, error) {
	mine := filters.NewArgs(filters.Arg("label", LabelApp+"="+d.opt.App))
	found := map[string]*dockerUnit{}
	get := func(id string) *dockerUnit {
		if found[id] == nil {
			found[id] = &dockerUnit{driver: d, h: Handle{ID: id, Driver: KindDocker}}
		}
		return found[id]
	}
	boxes, err := d.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
	if err != nil {
		return nil, engineError(d.engine, err)
	}
	for _, c := range boxes {
		if id := c.Labels[LabelSidecar]; id != "" { // else a build's, see package images
			get(id).h.Container = c.ID
		}
	}
	nets, err := d.cli.NetworkList(ctx, network.ListOptions{Filters: mine})
	if err != nil {
		return nil, engineError(d.engine, err)
	}
	for _, n := range nets {
		get(n.Labels[LabelSidecar]).h.Network = n.ID
	}
	var gone []string
	var errs []error
	for id, u := range found {
		if slices.Contains(keep, id) {
			continue
		}
		if err := u.remove(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		gone = append(gone, id)
	}
	if img, err := d.archive(); err == nil {
		img.prune(ctx, d.cli)
	}
	slices.Sort(gone)
	return gone, errors.Join(errs...)
}

// watch has u told when the engine says that its container died.
func (d *docker) watch(u *dockerUnit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.units[u.h.Container] = u
	if d.watching || d.ctx.Err() != nil {
		return
	}
	d.watching = true
	msgs, errs := d.cli.Events(d.ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", string(events.ContainerEventType)), filters.Arg("label", LabelApp+"="+d.opt.App),
		filters.Arg("event", "die"), filters.Arg("event", "destroy"), filters.Arg("event", "pause"),
	)})
	d.wg.Go(func() { d.listen(msgs, errs) })
}

// listen ends with the engine's stream; the next sidecar begins a new one.
// Until then, and beside it, the end of a sidecar's output tells the same.
func (d *docker) listen(msgs <-chan events.Message, errs <-chan error) {
	for {
		select {
		case m := <-msgs:
			d.mu.Lock()
			u := d.units[m.Actor.ID]
			d.mu.Unlock()
			if u != nil {
				u.died(m)
			}
		case <-errs:
			d.mu.Lock()
			d.watching = false
			d.mu.Unlock()
			return
		}
	}
}

func (d *docker) forget(u *dockerUnit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.units, u.h.Container)
}
