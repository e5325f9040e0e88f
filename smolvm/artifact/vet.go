package artifact

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Bounds of what unpacking may take, over all tars of an artifact.
const (
	MaxUnpacked = 64 << 30  // bytes, holes of sparse files included
	MaxEntries  = 4_000_000 // headers
)

// maxStream bounds the uncompressed assets: contents and headers.
const maxStream = MaxUnpacked + MaxEntries*block

// maxWindow bounds the memory that decompression takes. smolvm packs with 2
// MiB; the strongest ordinary level of zstd wants 8, other encoders up to 32.
const maxWindow = 32 << 20

func errTooLarge() error {
	return refused(ClassLimit, "it unpacks to more than %d GiB", int64(MaxUnpacked>>30))
}

// role is what a tar is for; it decides which rules it is held to.
//
// The assets tar and the agent's root are unpacked by smolvm on the host, in
// folders that may take two spellings for one name: names there are unique
// under folding, and there are no devices. The assets tar has no links at all.
// Layers go where case matters, and hold what Linux images hold: devices,
// names that differ by case alone, links to anywhere in the guest's root. In
// all of them nothing may be written through a link.
type role int

const (
	roleOuter role = iota
	roleAgent
	roleLayer
)

// vetter goes through the tars of one artifact.
type vetter struct {
	m        *Manifest
	entries  int64
	unpacked int64
	seen     map[string]bool // folded names of the parts that were there
}

// vetAssets reads the compressed assets from r to their end.
func vetAssets(ctx context.Context, r io.Reader, m *Manifest) (entries, unpacked int64, err error) {
	zr, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxStream),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		return 0, 0, assetsError(err)
	}
	defer zr.Close()
	v := &vetter{m: m, seen: map[string]bool{}}
	if err := v.outer(newDecoded(ctx, zr)); err != nil {
		return 0, 0, err
	}
	for _, l := range m.Assets.Layers {
		if !v.seen[fold(l.Path)] {
			return 0, 0, refused(ClassContent, "it lacks its layer %s", quote(l.Path))
		}
	}
	return v.entries, v.unpacked, nil
}

// assetsError says what a failure to decompress means.
func assetsError(err error) error {
	var e *FormatError
	switch {
	case errors.As(err, &e):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		out := refused(ClassLimit, "unpacking it takes more memory than is given")
		out.err = err
		return out
	}
	out := faulty(ClassContent, "its contents are damaged, or are no artifact's", "", cureAgain)
	out.err = err
	return out
}

// tick counts a header.
func (v *vetter) tick() error {
	if v.entries++; v.entries > MaxEntries {
		return refused(ClassLimit, "it holds more than %d files", MaxEntries)
	}
	return nil
}

// take counts the bytes of a file.
func (v *vetter) take(n int64) error {
	if n > MaxUnpacked-v.unpacked {
		return errTooLarge()
	}
	v.unpacked += n
	return nil
}

// outer vets the assets tar, and the tars in it as it passes them.
func (v *vetter) outer(in stream) error {
	s := &scanner{in: in, tick: v.tick}
	t := newTree(roleOuter)
	for {
		e, err := s.next()
		if err != nil {
			return v.explain("its archive", err)
		}
		if e == nil {
			return nil
		}
		name, err := t.add(e)
		if err == nil && name != "" {
			_, err = outerName(name)
			if err != nil {
				err = bad("holds %s, a name that %s", quote(name), err)
			}
		}
		if err == nil {
			err = v.take(e.size)
		}
		if err != nil {
			return v.explain("its archive", err)
		}
		if e.kind != typeFolder {
			if err := v.part(s, e, name); err != nil {
				return err
			}
		}
	}
}

// part vets one file of the assets tar if it is a tar itself.
func (v *vetter) part(s *scanner, e *entry, name string) error {
	key := fold(name)
	v.seen[key] = true
	var r role
	switch {
	case key == agentRootfs || key == fold(v.m.Assets.AgentRootfs.Path):
		r = roleAgent
	case v.isLayer(key):
		r = roleLayer
	case strings.HasSuffix(key, ".tar"):
		r = roleAgent // nobody says what it is for
	default:
		return nil
	}
	body := stream(&section{in: s.in, left: e.stored})
	if e.kind == typeSparse {
		body = &sparse{in: body, spans: e.spans, size: e.size}
	}
	if err := v.inner(body, r); err != nil {
		return v.explain("its "+quote(name), err)
	}
	s.rest = padded(e.stored) - e.stored // inner went to the end of the body
	return nil
}

func (v *vetter) isLayer(key string) bool {
	if strings.HasPrefix(key, "layers/") && strings.HasSuffix(key, ".tar") {
		return true
	}
	for _, l := range v.m.Assets.Layers {
		if fold(l.Path) == key {
			return true
		}
	}
	return false
}

func (v *vetter) inner(in stream, r role) error {
	s := &scanner{in: in, tick: v.tick}
	t := newTree(r)
	for {
		e, err := s.next()
		if e == nil {
			return err
		}
		_, err = t.add(e)
		if err == nil {
			err = v.take(e.size)
		}
		if err != nil {
			return err
		}
	}
}

// explain makes a FormatError of what is wrong with the tar called where.
func (v *vetter) explain(where string, err error) error {
	var fault *tarFault
	switch {
	case errors.As(err, &fault):
		return refused(ClassContent, "%s %s", where, fault.text)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refused(ClassContent, "%s ends too early", where)
	}
	return assetsError(err)
}

// Kinds of places in a tree.
type place byte

const (
	isFolder place = iota + 1
	isFile         // or a device, a pipe
	isLink
)

// node is what a tar put in a place.
type node struct {
	kind  place
	exact uint64 // of the name as it is spelled
}

// tree remembers the names of one tar, as keyed hashes: an image may have
// millions. Whoever makes the tar does not know the key, so cannot make two
// names meet; that two do by chance costs a refusal, never a pass.
type tree struct {
	role role
	seed maphash.Seed
	at   map[uint64]node
	last string // folder whose way was checked last
}

func newTree(r role) *tree {
	return &tree{role: r, seed: maphash.MakeSeed(), at: map[uint64]node{}}
}

// key is what two names must not share.
func (t *tree) key(name string) uint64 {
	if t.role != roleLayer {
		name = fold(name)
	}
	return t.exact(name)
}

func (t *tree) exact(name string) uint64 { return maphash.String(t.seed, name) }

// add checks an entry against all before it and returns its clean name, which
// is empty for the root.
func (t *tree) add(e *entry) (string, error) {
	name, err := localName(e.name)
	if err != nil {
		return "", bad("holds %s, a name that %s", quote(e.name), err)
	}
	kind, err := t.kind(e, name)
	if err != nil {
		return "", err
	}
	if name == "" {
		if kind != isFolder {
			return "", bad("puts something else in the place of its root")
		}
		return "", nil
	}
	if err := t.way(name); err != nil {
		return "", err
	}
	key, exact := t.key(name), t.exact(name)
	old, again := t.at[key]
	switch {
	case !again:
		t.at[key] = node{kind, exact}
	case old.exact != exact:
		return "", bad("holds %s beside a name that differs in spelling only", quote(name))
	case old.kind != isFolder || kind != isFolder:
		return "", bad("holds %s twice", quote(name))
	}
	return name, nil
}

// way checks the folders that lead to name.
func (t *tree) way(name string) error {
	i := strings.LastIndexByte(name, '/')
	if i < 0 || name[:i] == t.last {
		return nil
	}
	dir := name[:i]
	for n := 0; n <= len(dir); n++ {
		if n < len(dir) && dir[n] != '/' {
			continue
		}
		up := dir[:n]
		key, exact := t.key(up), t.exact(up)
		switch old, ok := t.at[key]; {
		case !ok:
			t.at[key] = node{isFolder, exact}
		case old.kind == isLink:
			return bad("holds %s beneath the link %s", quote(name), quote(up))
		case old.kind != isFolder:
			return bad("holds %s beneath %s, which is no folder", quote(name), quote(up))
		case old.exact != exact:
			return bad("holds %s beside a name that differs in spelling only", quote(up))
		}
	}
	t.last = dir
	return nil
}

// kind says what e puts in its place, and whether its tar may hold it.
func (t *tree) kind(e *entry, name string) (place, error) {
	switch e.kind {
	case typeFile, typeSparse:
		return isFile, nil
	case typeFolder:
		return isFolder, nil
	case typeChar, typeBlock, typeFIFO:
		if t.role != roleLayer {
			return 0, bad("holds %s, a device or a pipe", quote(name))
		}
		return isFile, nil
	}
	if t.role == roleOuter {
		return 0, bad("holds %s, a link", quote(name))
	}
	if e.kind == typeHardlink {
		return isFile, t.hardlink(e, name)
	}
	return isLink, t.symlink(e, name)
}

// symlink: an absolute target means the guest's root. One that climbs above
// that is only let pass where images have it and nobody but the guest looks.
func (t *tree) symlink(e *entry, name string) error {
	switch {
	case e.link == "" || len(e.link) > maxName:
		return bad("holds the link %s with a target that is none", quote(name))
	case t.role == roleAgent && e.link[0] != '/' && climbs(name, e.link):
		return bad("holds the link %s, which leads out of it", quote(name))
	}
	return nil
}

// hardlink: the target must be a file that came before, reached without links.
func (t *tree) hardlink(e *entry, name string) error {
	target, err := localName(e.link)
	if err != nil || target == "" {
		if err == nil {
			err = errEmptyName
		}
		return bad("holds the link %s to %s, a name that %s", quote(name), quote(e.link), err)
	}
	for i := range len(target) {
		if target[i] == '/' && t.at[t.key(target[:i])].kind == isLink {
			return bad("holds the link %s to %s, through another link", quote(name), quote(target))
		}
	}
	if t.at[t.key(target)].kind != isFile {
		return bad("holds the link %s to %s, which is no file in it", quote(name), quote(target))
	}
	return nil
}
