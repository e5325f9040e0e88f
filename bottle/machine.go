package bottle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"bottlebar.app/cache"
	"bottlebar.app/hop"
	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/internal/clone"
	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm"
)

// idle is what a machine runs instead of the artifact's own command, where
// smolvm takes one: nothing of the artifact's starts before the proof holds.
var idle = []string{"sleep", "2147483647"}

// reserve is what must stay free on the disk for a launch.
const reserve = 5 << 30

// plan is how a bottle's machine is made.
type plan struct {
	install  *smolvm.Install
	artifact cache.Artifact
	options  smolvm.CreateOptions
	argv     []string
	pipe     hop.Pipe
}

// plan decides how the machine is made, and refuses what cannot be isolated.
func (r *Rack) plan(in *smolvm.Install, a cache.Artifact, socket string) (*plan, error) {
	pipe := r.cfg.Pipe()
	wire := pipe.Wire(socket)
	o := smolvm.CreateOptions{
		Name: machineName, From: r.cfg.Library.Path(a), Isolated: true, Hop: smolvm.HopAgent,
		CPUs: a.Settings.CPUs, MemMiB: a.Settings.MemMiB, StorageGiB: a.Settings.StorageGiB, OverlayGiB: a.Settings.OverlayGiB,
	}
	if !wire.Agent {
		o.Hop, o.SocketHost, o.SocketGuest = smolvm.HopSocket, wire.MountHost, wire.MountGuest
	}
	if in.Version.TakesCommand(true) {
		o.Command = idle
	}
	argv, err := smolvm.IsolationArgs(in.Version, o)
	if err != nil {
		return nil, err
	}
	return &plan{install: in, artifact: a, options: o, argv: argv, pipe: pipe}, nil
}

// checkInstall refuses releases that must not be used.
func checkInstall(in *smolvm.Install) error {
	for _, n := range in.Notices {
		if n.Severity == smolvm.Refuse {
			return fault.New("using smolvm "+in.Version.String(), n.Text, n.Cure)
		}
	}
	return nil
}

// checkDisk refuses a launch that would fill the disk.
func checkDisk(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return nil //nolint:nilerr // a file system that does not tell is not a full one
	}
	if free := int64(st.Bavail) * int64(st.Bsize); free < reserve {
		return fault.New("launching a bottle", fmt.Sprintf("only %.1f GB are free on the disk", float64(free)/1e9), "free at least 5 GB")
	}
	return nil
}

// prepared says what lies in a prepared home.
type prepared struct {
	Artifact string        `json:"artifact"` // ID
	Release  string        `json:"release"`
	Argv     []string      `json:"argv"` // of create, without the program
	Hash     string        `json:"hash"` // of its contents; empty while they are still being read
	Listing  clone.Listing `json:"listing"`
	Made     time.Time     `json:"made"`
}

const preparedRecord = "prepared.json"

// key names the prepared home of a plan: the same artifact, command and
// arguments give the same machine.
func (p *plan) key() string {
	b, _ := json.Marshal([]any{p.artifact.ID, p.install.Path, p.install.Version.String(), p.argv[1:]})
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:10])
}

// makeHome gives the bottle its home with a machine in it: a clone of the
// prepared home where the file system can, else made anew.
func (r *Rack) makeHome(ctx context.Context, p *plan, id string) error {
	reach, err := r.cfg.Paths.reach(id)
	if err != nil {
		return err
	}
	home := filepath.Join(reach, homeName)
	can, err := clone.Supported(r.cfg.Paths.Prepared)
	if err != nil || !can || p.pipe.KeepsHostPath() {
		return r.create(ctx, p, home)
	}
	from, err := r.prepare(ctx, p)
	if err != nil {
		return err
	}
	_, err = clone.Tree(ctx, home, filepath.Join(from, homeName))
	return err
}

func (r *Rack) create(ctx context.Context, p *plan, home string) error {
	client := p.install.Client(smolvm.Home{Dir: home, Env: r.cfg.Env})
	return client.Create(ctx, p.options)
}

// Prepare makes the prepared home of an artifact, so that its next launch is a
// clone. Where the file system cannot clone it does nothing.
func (r *Rack) Prepare(ctx context.Context, artifact string) error {
	can, err := clone.Supported(r.cfg.Paths.Prepared)
	if err != nil || !can || r.cfg.Pipe().KeepsHostPath() {
		return err
	}
	in, err := r.cfg.Install(ctx)
	if err != nil {
		return err
	}
	a, err := r.artifact(ctx, artifact)
	if err != nil {
		return err
	}
	p, err := r.plan(in, a, "")
	if err != nil {
		return err
	}
	_, err = r.prepare(ctx, p)
	return err
}

// prepare returns the folder of the plan's prepared home, and makes it if there
// is none or if it is no longer as it was made.
func (r *Rack) prepare(ctx context.Context, p *plan) (string, error) {
	key := p.key()
	lock, _ := r.preparing.LoadOrStore(key, new(sync.Mutex))
	mu := lock.(*sync.Mutex) //nolint:forcetypeassert // the only type stored
	mu.Lock()
	defer mu.Unlock()

	dir := filepath.Join(r.cfg.Paths.Prepared, key)
	if r.intact(ctx, dir) == nil {
		return dir, nil
	}
	if err := removeAll(dir); err != nil {
		return "", err
	}
	next := dir + nextName
	if err := removeAll(next); err != nil {
		return "", err
	}
	ok := false
	defer func() {
		if !ok {
			_ = removeAll(next)
		}
	}()
	home := filepath.Join(next, homeName)
	if err := os.MkdirAll(next, 0o700); err != nil {
		return "", err
	}
	if err := r.create(ctx, p, home); err != nil {
		return "", err
	}
	rec := prepared{Artifact: p.artifact.ID, Release: p.install.Version.String(), Argv: p.argv[1:], Made: r.cfg.Now().UTC()}
	var err error
	if rec.Listing, err = clone.Manifest(ctx, home); err != nil {
		return "", err
	}
	if err := atomicfile.WriteJSON(filepath.Join(next, preparedRecord), rec); err != nil {
		return "", err
	}
	if err := os.Rename(next, dir); err != nil {
		return "", err
	}
	ok = true
	// Reading all of it again takes longer than a launch should wait. Nothing
	// runs in a prepared home, so the contents are still those that were made.
	r.work.Go(func() { r.sum(dir, rec) })
	return dir, nil
}

// sum completes the record of a prepared home by the hash of its contents.
func (r *Rack) sum(dir string, rec prepared) {
	var err error
	if rec.Hash, err = clone.Hash(r.ctx, filepath.Join(dir, homeName)); err == nil {
		err = atomicfile.WriteJSON(filepath.Join(dir, preparedRecord), rec)
	}
	if err != nil && r.ctx.Err() == nil {
		r.cfg.Log.Warn("reading a prepared home", "folder", dir, "error", err)
	}
}

// intact compares a prepared home with what it was when it was made, by names,
// sizes and times.
func (r *Rack) intact(ctx context.Context, dir string) error {
	rec, err := readPrepared(dir)
	if err != nil {
		return err
	}
	now, err := clone.Manifest(ctx, filepath.Join(dir, homeName))
	if err != nil {
		return err
	}
	if diff := clone.Compare(rec.Listing, now); len(diff) > 0 {
		return fmt.Errorf("prepared home changed: %s", diff[0])
	}
	return nil
}

func readPrepared(dir string) (prepared, error) {
	var rec prepared
	b, err := os.ReadFile(filepath.Join(dir, preparedRecord))
	if err != nil {
		return rec, err
	}
	return rec, json.Unmarshal(b, &rec)
}

// Prune removes prepared homes whose artifact keep does not name, and those
// whose bytes changed since they were made. It returns the bytes freed.
func (r *Rack) Prune(ctx context.Context, keep func(artifactID string) bool) (int64, error) {
	dirs, err := os.ReadDir(r.cfg.Paths.Prepared)
	if err != nil {
		return 0, err
	}
	var freed int64
	var errs []error
	for _, d := range dirs {
		dir := filepath.Join(r.cfg.Paths.Prepared, d.Name())
		rec, err := readPrepared(dir)
		if err == nil && keep(rec.Artifact) {
			hash, err := clone.Hash(ctx, filepath.Join(dir, homeName))
			same := err == nil && hash == rec.Hash
			if err == nil && rec.Hash == "" { // the app ended, or is still reading
				same = r.intact(ctx, dir) == nil
			}
			if same {
				continue
			}
		}
		if err := ctx.Err(); err != nil {
			return freed, err
		}
		for _, e := range rec.Listing {
			freed += e.Size
		}
		errs = append(errs, removeAll(dir))
	}
	return freed, errors.Join(errs...)
}

// Prepared lists the artifacts that have a prepared home, by ID.
func (r *Rack) Prepared() map[string]bool {
	out := make(map[string]bool)
	dirs, _ := os.ReadDir(r.cfg.Paths.Prepared)
	for _, d := range dirs {
		if rec, err := readPrepared(filepath.Join(r.cfg.Paths.Prepared, d.Name())); err == nil {
			out[rec.Artifact] = true
		}
	}
	return out
}

// pristine remembers the hash of the installation's agent root, keyed by the
// listing it was made for: reading all of it at each launch would cost seconds.
type pristine struct {
	mu      sync.Mutex
	path    string
	listing clone.Listing
	hash    string
}

// of returns the hash of the agent root at path, and reads it again whenever a
// name, size or time in it changed.
func (p *pristine) of(ctx context.Context, path string) (string, error) {
	now, err := clone.Manifest(ctx, path)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == path && p.hash != "" && len(clone.Compare(p.listing, now)) == 0 {
		return p.hash, nil
	}
	hash, err := clone.Hash(ctx, path)
	if err != nil {
		return "", err
	}
	p.path, p.listing, p.hash = path, now, hash
	return hash, nil
}

// makeRoot gives this start its own copy of the agent root.
func (r *Rack) makeRoot(ctx context.Context, in *smolvm.Install, id string) (string, error) {
	return r.CopyRoot(ctx, in, filepath.Join(r.cfg.Paths.folder(id), rootName))
}

// CopyRoot puts a copy of the installation's agent root at root, in place of
// what is there, and returns its hash. smolvm shares that folder with the guest
// read-write, so the copy is made anew for each start and each pack, and
// compared with the installation's.
func (r *Rack) CopyRoot(ctx context.Context, in *smolvm.Install, root string) (string, error) {
	if in.AgentRoot == "" {
		return "", fault.New("starting the VM", "smolvm's agent root folder was not found", "install smolvm again")
	}
	want, err := r.roots.of(ctx, in.AgentRoot)
	if err != nil {
		return "", fault.Wrap(err, "reading smolvm's agent root", "install smolvm again")
	}
	if err := removeAll(root); err != nil {
		return "", err
	}
	if _, err := clone.Tree(ctx, root, in.AgentRoot); err != nil {
		return "", err
	}
	got, err := clone.Hash(ctx, root)
	if err != nil {
		return "", err
	}
	if got != want {
		r.roots.forget()
		return "", fault.New("copying smolvm's agent root", "the copy is not what the installation has", "launch again; if it stays so, install smolvm again")
	}
	return got, nil
}

func (p *pristine) forget() {
	p.mu.Lock()
	p.hash = ""
	p.mu.Unlock()
}

// artifact returns a library entry that may be launched on this computer.
func (r *Rack) artifact(ctx context.Context, name string) (cache.Artifact, error) {
	a, err := r.cfg.Library.Ready(ctx, name, nil)
	if err != nil {
		return a, err
	}
	what := fmt.Sprintf("launching %q", a.Name)
	switch {
	case a.Problem != "":
		return a, fault.New(what, a.Problem, "add the artifact again, or remove it")
	case a.Fits(runtime.GOARCH) != nil:
		return a, fault.Wrap(a.Fits(runtime.GOARCH), what, "")
	case a.Network:
		return a, fault.New(what, "it asks for a network of its own, which would lead past the sidecar", "pack it again without network = true")
	}
	return a, nil
}

// arch is the guest's processor in Go's words.
func arch(a cache.Artifact) string {
	if i := strings.LastIndexByte(a.Platform, '/'); i >= 0 {
		return a.Platform[i+1:]
	}
	return runtime.GOARCH
}
