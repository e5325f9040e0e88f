package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// saved writes an archive of two layers as an engine saves it, and returns its
// path and the digest of its configuration.
func saved(t *testing.T) (path, digest string) {
	t.Helper()
	type entry struct {
		name string
		data []byte
	}
	pack := func(files ...entry) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, f := range files {
			if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data)), Typeflag: tar.TypeReg}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(f.data); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	hash := func(b []byte) string {
		h := sha256.Sum256(b)
		return "sha256:" + hex.EncodeToString(h[:])
	}
	bottom, top := pack(entry{"etc/a", []byte("one")}), pack(entry{"etc/b", bytes.Repeat([]byte("two "), 1<<16)})
	config, err := json.Marshal(map[string]any{
		"architecture": "arm64", "os": "linux", "config": map[string]any{"Cmd": []string{"sh"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{hash(bottom), hash(top)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "c.json", "RepoTags": []string{"a:1"}, "Layers": []string{"1/layer.tar", "2/layer.tar"}}})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "image.tar")
	all := pack(entry{"manifest.json", manifest}, entry{"c.json", config}, entry{"1/layer.tar", bottom}, entry{"2/layer.tar", top})
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, hash(config)
}

func serve(t *testing.T) (*Registry, *Archive) {
	t.Helper()
	path, digest := saved(t)
	a, err := OpenArchive(path)
	if err != nil || a.Digest != digest || a.Platform != "linux/arm64" {
		t.Fatalf("%+v, %v, want %s", a, err, digest)
	}
	r, err := Serve(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, a
}

func TestWhatIsServedIsTheEnginesImage(t *testing.T) {
	r, a := serve(t)
	if r.Asked() {
		t.Error("asked before anybody did")
	}
	at, err := name.ParseReference(r.Ref())
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(at, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigName()
	if err != nil || config.String() != a.Digest {
		t.Errorf("configuration %v, %v, want %s", config, err, a.Digest)
	}
	if d, err := img.Digest(); err != nil || d.String() != a.Manifest() {
		t.Errorf("manifest %v, %v, want %s", d, err, a.Manifest())
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	for i, want := range []string{"etc/a", "etc/b"} {
		raw, err := layers[i].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(raw) // checked against its digest on the way
		_ = raw.Close()
		if err != nil || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
			t.Errorf("layer %d is no gzip: %v", i, err)
		}
		in, err := layers[i].Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		h, err := tar.NewReader(in).Next()
		if err != nil || h.Name != want {
			t.Errorf("layer %d holds %v, %v", i, h, err)
		}
		_ = in.Close()
	}
	if !r.Asked() {
		t.Error("not asked after a pull")
	}
	if d, err := Resolve(t.Context(), Reference{full: r.Ref()}, "linux/arm64"); err != nil || d != a.Digest {
		t.Errorf("resolved %s, %v", d, err)
	}
}

func TestTheRegistryServesOneImageToWhoKnowsItAndNothingElse(t *testing.T) {
	r, a := serve(t)
	base, other := "/v2/"+r.repo+"/", "sha256:"+strings.Repeat("0", 64)
	guess := "/v2/" + strings.Repeat("0", 32) + "/image/"
	for _, c := range []struct {
		what, method, path, host string
		want                     int
	}{
		{"the greeting", "GET", "/v2/", "", 200},
		{"the manifest", "GET", base + "manifests/" + tag, "", 200},
		{"the manifest by digest", "HEAD", base + "manifests/" + a.Manifest(), "", 200},
		{"the configuration", "GET", base + "blobs/" + a.Digest, "", 200},
		{"a wrong prefix", "GET", guess + "manifests/" + tag, "", 404},
		{"no prefix", "GET", "/v2/image/manifests/" + tag, "", 404},
		{"another tag", "GET", base + "manifests/latest", "", 404},
		{"another digest", "GET", base + "manifests/" + other, "", 404},
		{"another blob", "GET", base + "blobs/" + other, "", 404},
		{"the catalogue", "GET", "/v2/_catalog", "", 404},
		{"the tags", "GET", base + "tags/list", "", 404},
		{"a dotted path", "GET", "/v2/" + r.repo + "/x/../manifests/" + tag, "", 404},
		{"an escaped path", "GET", strings.Replace(base, "/image/", "%2fimage/", 1) + "manifests/" + tag, "", 404},
		{"a query", "GET", base + "manifests/" + tag + "?n=1", "", 404},
		{"another host", "GET", base + "manifests/" + tag, "registry.example", 421},
		{"another name of this host", "GET", base + "manifests/" + tag, strings.Replace(r.host, "127.0.0.1", "localhost", 1), 421},
		{"an upload", "POST", base + "blobs/uploads/", "", 405},
		{"another manifest", "PUT", base + "manifests/" + tag, "", 405},
		{"a deletion", "DELETE", base + "manifests/" + tag, "", 405},
		{"a patch", "PATCH", base + "blobs/uploads/1", "", 405},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+r.host+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.what, resp.StatusCode, c.want)
		}
	}
	if !strings.HasPrefix(r.host, "127.0.0.1:") || len(strings.SplitN(r.repo, "/", 2)[0]) != 32 {
		t.Errorf("at %s, path %s", r.host, r.repo)
	}
}

func TestAClosedRegistryAnswersNobody(t *testing.T) {
	r, _ := serve(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.host+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
		_ = resp.Body.Close()
		t.Errorf("answered %d", resp.StatusCode)
	}
}

func TestTwoRegistriesShareNoPath(t *testing.T) {
	a, _ := serve(t)
	b, _ := serve(t)
	if a.repo == b.repo {
		t.Error("the same path twice")
	}
}

func TestWhatIsNoArchiveIsRefusedWithACure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.tar")
	if err := os.WriteFile(path, []byte("no tar"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenArchive(path); err == nil || !strings.Contains(err.Error(), "docker save") {
		t.Errorf("%v", err)
	}
}

func TestASpoolIsBounded(t *testing.T) {
	var b bytes.Buffer
	w := Bound(&b, 10)
	if _, err := io.Copy(w, strings.NewReader("0123456789")); err != nil {
		t.Error(err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, ErrTooLarge) || b.Len() != 10 {
		t.Errorf("%v after %d bytes", err, b.Len())
	}
}

func TestResolveGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ref, err := Parse("127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	if d, err := Resolve(ctx, ref, "linux/amd64"); err == nil {
		t.Errorf("resolved %s", d)
	}
}
