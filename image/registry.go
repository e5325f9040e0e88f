package image

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Registry serves one image on one loopback address for one pull: only reads,
// only under a path that cannot be guessed, only to who asks for this very
// host, and only what the image's manifest names. Another program of the person
// sees the path in smolvm's arguments; it sees the engine too.
type Registry struct {
	host   string // "127.0.0.1:49152", also what Host headers must say
	repo   string // 128 random bits and a name
	known  map[string]bool
	next   http.Handler
	server *http.Server
	done   chan struct{}
	asked  atomic.Int64
}

// tag is what the image is pulled as. Releases before 1.0 append a layer's
// digest to the reference, so that it must not end in one.
const tag = "pack"

// Serve opens a registry for the archive. Close it.
func Serve(ctx context.Context, a *Archive) (*Registry, error) {
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // never fails
	r := &Registry{repo: hex.EncodeToString(secret[:]) + "/image", done: make(chan struct{})}
	if err := r.load(a); err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.host = ln.Addr().String()
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(r.done)
		_ = r.server.Serve(ln)
	}()
	return r, nil
}

// load puts the image behind the gate.
func (r *Registry) load(a *Archive) error {
	raw, err := json.Marshal(a.manifest)
	if err != nil {
		return err
	}
	r.known = map[string]bool{"manifests/" + tag: true, "manifests/" + sum(raw).String(): true, "blobs/" + a.manifest.Config.Digest.String(): true}
	for _, l := range a.manifest.Layers {
		r.known["blobs/"+l.Digest.String()] = true
	}
	r.next = registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(blobs{a}))
	put := &http.Request{
		Method: http.MethodPut, URL: &url.URL{Path: "/v2/" + r.repo + "/manifests/" + tag},
		Header: http.Header{"Content-Type": {string(a.manifest.MediaType)}}, Body: io.NopCloser(bytes.NewReader(raw)),
	}
	var answer answer
	r.next.ServeHTTP(&answer, put)
	if answer.code != http.StatusCreated {
		return fmt.Errorf("serving the image: the registry answers %d: %s", answer.code, answer.text)
	}
	return nil
}

// answer keeps what a handler says without a connection.
type answer struct {
	code int
	text []byte
}

func (a *answer) Header() http.Header { return http.Header{} }
func (a *answer) WriteHeader(c int)   { a.code = c }
func (a *answer) Write(p []byte) (int, error) {
	a.text = append(a.text, p...)
	return len(p), nil
}

// ServeHTTP is the gate.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	refuse := func(code int) { http.Error(w, http.StatusText(code), code) }
	if req.Host != r.host {
		refuse(http.StatusMisdirectedRequest)
		return
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		refuse(http.StatusMethodNotAllowed)
		return
	}
	if req.URL.RawQuery != "" || req.URL.RawPath != "" {
		refuse(http.StatusNotFound)
		return
	}
	r.asked.Add(1)
	if req.URL.Path == "/v2/" { // says nothing but that this is a registry
		w.WriteHeader(http.StatusOK)
		return
	}
	what, ours := strings.CutPrefix(req.URL.Path, "/v2/"+r.repo+"/")
	if !ours || !r.known[what] {
		refuse(http.StatusNotFound)
		return
	}
	r.next.ServeHTTP(w, req)
}

// Ref is the reference to pull.
func (r *Registry) Ref() string { return r.host + "/" + r.repo + ":" + tag }

// Asked tells whether anybody spoke to the registry: a puller that did not
// cannot reach this computer's loopback.
func (r *Registry) Asked() bool { return r.asked.Load() > 0 }

// Close ends it, answers under way too.
func (r *Registry) Close() error {
	err := r.server.Close()
	<-r.done
	return err
}

// blobs gives the registry what the manifest names.
type blobs struct{ *Archive }

func (b blobs) Get(_ context.Context, _ string, h v1.Hash) (io.ReadCloser, error) {
	if h == b.manifest.Config.Digest {
		return io.NopCloser(bytes.NewReader(b.config)), nil
	}
	for i, d := range b.manifest.Layers {
		if d.Digest == h {
			return b.layers[i].Compressed()
		}
	}
	return nil, registry.ErrNotFound
}

func (b blobs) Stat(_ context.Context, _ string, h v1.Hash) (int64, error) {
	for _, d := range append([]v1.Descriptor{b.manifest.Config}, b.manifest.Layers...) {
		if d.Digest == h {
			return d.Size, nil
		}
	}
	return 0, registry.ErrNotFound
}
