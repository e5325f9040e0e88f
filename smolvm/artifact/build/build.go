package build

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// FromDir writes an artifact whose one layer is a rootfs folder.
func FromDir(w io.Writer, m Manifest, dir string) error {
	return Write(w, m, Layer{Dir: dir})
}

// Write writes a whole artifact to w. m.Assets is replaced by what the layers
// (bottom first) give. Layers pass through temporary files, since their size
// and digest come before their content.
func Write(w io.Writer, m Manifest, layers ...Layer) error {
	scratch, err := os.MkdirTemp("", "smolmachine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	root, err := agentRoot()
	if err != nil {
		return err
	}
	m.Assets = Assets{
		Libraries: []Asset{},
		AgentRoot: Asset{Path: "agent-rootfs.tar", Size: int64(len(root))},
		Layers:    []LayerAsset{},
	}
	files := make([]string, 0, len(layers))
	for i, l := range layers {
		name := fmt.Sprintf("%s/%d.tar", scratch, i)
		asset, err := spool(name, l)
		if err != nil {
			return err
		}
		files = append(files, name)
		m.Assets.Layers = append(m.Assets.Layers, asset)
		m.ImageSize += asset.Size
	}
	out := &counter{w: w}
	if err := writeAssets(out, m.Assets, root, files); err != nil {
		return fmt.Errorf("writing artifact: %w", err)
	}
	return finish(out, m.withDefaults())
}

func spool(name string, l Layer) (LayerAsset, error) {
	f, err := os.Create(name)
	if err != nil {
		return LayerAsset{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n := &counter{w: io.MultiWriter(f, sum)}
	if err := l.writeTar(n); err != nil {
		return LayerAsset{}, err
	}
	id := hex.EncodeToString(sum.Sum(nil))
	return LayerAsset{Digest: "sha256:" + id, Path: "layers/" + id[:12] + ".tar", Size: n.n}, f.Close()
}

// writeAssets writes the compressed tar: entries in name order.
func writeAssets(w io.Writer, a Assets, root []byte, files []string) error {
	zw, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(3)), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	tw := tar.NewWriter(zw)
	put := func(name string, size int64, r io.Reader) error {
		h := &tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: epoch, Typeflag: tar.TypeReg}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(tw, r)
		return err
	}
	if err := put(a.AgentRoot.Path, a.AgentRoot.Size, bytes.NewReader(root)); err != nil {
		return err
	}
	// Two equal layers share one entry, as they share one digest.
	seen := map[string]bool{}
	for i, l := range a.Layers {
		if seen[l.Path] {
			continue
		}
		seen[l.Path] = true
		f, err := os.Open(files[i])
		if err != nil {
			return err
		}
		err = put(l.Path, l.Size, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return zw.Close()
}

// finish appends manifest and footer. Offsets in the footer count from its
// own first byte; numbers are little endian; the checksum is CRC-32 (IEEE)
// over everything before the footer.
func finish(out *counter, m Manifest) error {
	assets := out.n
	doc, err := m.encode()
	if err != nil {
		return err
	}
	if _, err := out.Write(doc); err != nil {
		return err
	}
	var f [64]byte
	copy(f[:], "SMOLPACK")
	binary.LittleEndian.PutUint32(f[8:], 1)
	binary.LittleEndian.PutUint64(f[28:], uint64(assets))
	binary.LittleEndian.PutUint64(f[36:], uint64(assets))
	binary.LittleEndian.PutUint64(f[44:], uint64(len(doc)))
	binary.LittleEndian.PutUint32(f[52:], out.crc)
	_, err = out.Write(f[:])
	return err
}

// Stub writes the executable that "pack create" leaves beside an artifact: a
// launcher with a library blob at its end. It runs nothing here.
func Stub(w io.Writer) error {
	var f [32]byte
	copy(f[:], "SMOLLIBS")
	head := "#!/bin/sh\necho 'this is a stub without a launcher' >&2\nexit 1\n"
	binary.LittleEndian.PutUint32(f[8:], 1)
	binary.LittleEndian.PutUint64(f[12:], uint64(len(head)))
	_, err := io.Copy(w, io.MultiReader(strings.NewReader(head), bytes.NewReader(f[:])))
	return err
}

// counter counts what passes and sums it.
type counter struct {
	w   io.Writer
	n   int64
	crc uint32
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	return n, err
}
