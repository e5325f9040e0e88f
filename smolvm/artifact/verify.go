package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync/atomic"
	"time"
)

// Rules numbers the set of rules that [Verify] applies. It rises when they
// become stricter; what passed under a lower number wants another look.
const Rules = 1

// Summary is what a file that passed [Verify] is.
type Summary struct {
	SHA256   string // of the whole file, hex; empty from Vet
	CRC      uint32 // as stored; found right by Verify; smolvm's key for it
	Entries  int64  // headers in all tars
	Unpacked int64  // bytes that unpacking may take
	File     *File
}

// Progress is told how far a pass came, in bytes of the file, from one
// goroutine, ten times per second at most and once at the end. It may be nil.
type Progress func(done, total int64)

// Verify reads all of r once and answers whether it is an intact artifact that
// is safe to unpack: [Read] and [File.Strict], the checksum, the contents of
// the tars. A file that is not is a [*FormatError]. Damage is named before
// content: a flipped bit is no attack.
func Verify(ctx context.Context, r io.ReaderAt, size int64, progress Progress) (Summary, error) {
	f, err := open(r, size)
	if err != nil {
		return Summary{}, err
	}
	p := newPass(f)
	vetted := make(chan struct{})
	sum := Summary{CRC: f.Footer.Checksum, File: f}
	var vetErr error
	go func() {
		defer close(vetted)
		defer p.drain()
		sum.Entries, sum.Unpacked, vetErr = vetAssets(ctx, p, &f.Manifest)
	}()
	hashed := make(chan struct{})
	h := newHasher(f)
	go func() {
		defer close(hashed)
		for c := range p.hash {
			h.add(c.data)
			p.release(c)
		}
	}()
	err = p.feed(ctx, r, size, progress)
	<-hashed
	<-vetted
	if err == nil {
		err = h.verdict()
	}
	if err == nil {
		err = vetErr
	}
	if err != nil {
		return Summary{}, err
	}
	sum.SHA256 = hex.EncodeToString(h.sha.Sum(nil))
	return sum, nil
}

// Vet is Verify without checksum and hash, for a file whose bytes are known.
func Vet(ctx context.Context, r io.ReaderAt, size int64, progress Progress) (Summary, error) {
	f, err := open(r, size)
	if err != nil {
		return Summary{}, err
	}
	sum := Summary{CRC: f.Footer.Checksum, File: f}
	in := &counted{r: io.NewSectionReader(r, 0, int64(f.Footer.AssetsSize)), m: meter{total: size, progress: progress}}
	sum.Entries, sum.Unpacked, err = vetAssets(ctx, in, &f.Manifest)
	if in.err != nil {
		err = in.err
	}
	if err != nil {
		return Summary{}, err
	}
	in.m.end()
	return sum, nil
}

func open(r io.ReaderAt, size int64) (*File, error) {
	f, err := Read(r, size)
	if err != nil {
		return nil, err
	}
	return f, f.Strict()
}

// counted is a reader that tells how far it is and keeps its own errors apart
// from those of whoever reads through it.
type counted struct {
	r   io.Reader
	m   meter
	err error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.m.add(int64(n))
	if err != nil && err != io.EOF {
		c.err = fmt.Errorf("reading it: %w", err)
	}
	return n, err
}

// meter calls progress now and then.
type meter struct {
	done, total int64
	told        time.Time
	progress    Progress
}

const tellEvery = 100 * time.Millisecond

func (m *meter) add(n int64) {
	m.done += n
	if m.progress == nil {
		return
	}
	if now := time.Now(); now.Sub(m.told) >= tellEvery {
		m.told = now
		m.progress(m.done, m.total)
	}
}

func (m *meter) end() {
	if m.progress != nil {
		m.progress(m.total, m.total)
	}
}

// chunkSize is how much is read and handed over at once, chunks how many of
// them there are.
const (
	chunkSize = 1 << 20
	chunks    = 6
)

// chunk is a piece of the file on its way through both hash and vetting.
type chunk struct {
	buf  []byte // the whole of it
	data []byte
	refs atomic.Int32
}

// pass hands the pieces of a file, read once, to two readers.
type pass struct {
	free   chan *chunk
	hash   chan *chunk
	vet    chan *chunk
	assets int64 // bytes of the file that the vetting sees
	cur    *chunk
	left   []byte // of cur
}

func newPass(f *File) *pass {
	p := &pass{
		free: make(chan *chunk, chunks), hash: make(chan *chunk, chunks), vet: make(chan *chunk, chunks),
		assets: int64(f.Footer.AssetsSize),
	}
	for range chunks {
		p.free <- &chunk{}
	}
	return p
}

func (p *pass) release(c *chunk) {
	if c.refs.Add(-1) == 0 {
		p.free <- c
	}
}

// feed reads the file to its end and closes both channels.
func (p *pass) feed(ctx context.Context, r io.ReaderAt, size int64, progress Progress) error {
	defer close(p.hash)
	defer close(p.vet)
	m := meter{total: size, progress: progress}
	for off := int64(0); off < size; {
		var c *chunk
		select {
		case c = <-p.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.buf == nil {
			c.buf = make([]byte, min(chunkSize, size))
		}
		c.data = c.buf[:min(int64(len(c.buf)), size-off)]
		if err := readAt(r, c.data, off); err != nil {
			return err
		}
		c.refs.Store(2)
		p.hash <- c
		p.vet <- c
		off += int64(len(c.data))
		m.add(int64(len(c.data)))
	}
	m.end()
	return ctx.Err()
}

// Read is the vetting's view: the assets, then an end.
func (p *pass) Read(b []byte) (int, error) {
	for len(p.left) == 0 {
		if p.cur != nil {
			p.release(p.cur)
			p.cur = nil
		}
		c, ok := <-p.vet
		if !ok {
			if p.assets > 0 {
				return 0, io.ErrUnexpectedEOF
			}
			return 0, io.EOF
		}
		p.cur = c
		p.left = c.data[:min(int64(len(c.data)), p.assets)]
		p.assets -= int64(len(p.left))
	}
	n := copy(b, p.left)
	p.left = p.left[n:]
	return n, nil
}

// drain lets the rest pass, so that the other reader gets all of it.
func (p *pass) drain() {
	if p.cur != nil {
		p.release(p.cur)
		p.cur = nil
	}
	for c := range p.vet {
		p.release(c)
	}
}

// hasher computes both sums and compares the tail with what was parsed.
type hasher struct {
	f      *File
	sha    hash.Hash
	crc    uint32
	summed int64 // bytes that the CRC is still to cover
	skip   int64 // bytes before the manifest
	tail   []byte
}

func newHasher(f *File) *hasher {
	return &hasher{f: f, sha: sha256.New(), summed: f.Size - FooterSize, skip: int64(f.Footer.AssetsSize)}
}

func (h *hasher) add(b []byte) {
	h.sha.Write(b)
	sum := b[:min(int64(len(b)), h.summed)]
	h.crc = crc32.Update(h.crc, crc32.IEEETable, sum)
	h.summed -= int64(len(sum))
	skip := min(int64(len(b)), h.skip)
	h.skip -= skip
	h.tail = append(h.tail, b[skip:]...)
}

func (h *hasher) verdict() error {
	footer, _ := h.f.Footer.AppendBinary(nil)
	if !bytes.Equal(h.tail, append(bytes.Clone(h.f.raw), footer...)) {
		return faulty(ClassIO, "it changed while it was read", "", "wait until nothing writes to it")
	}
	if h.crc != h.f.Footer.Checksum {
		return faulty(ClassChecksum, "it is damaged: its checksum does not match", "", cureAgain)
	}
	return nil
}
