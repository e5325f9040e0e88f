package guest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bottlebar.app/hop"
	"bottlebar.app/hop/transfer"
)

// BenchmarkSmallFiles sends 10,000 files of 1 KiB as one stream. In the same
// run it writes them plainly ("of-plain" is how the stream compares) and
// sends some of them one by one ("times-one-by-one").
func BenchmarkSmallFiles(b *testing.B) {
	const files, few = 10_000, 100
	p := newPair(b)
	src := filepath.Join(b.TempDir(), "src")
	content := make([]byte, 1024)
	write := func(dir string) time.Duration {
		begun := time.Now()
		for i := range files {
			sub := filepath.Join(dir, fmt.Sprint(i/100))
			if i%100 == 0 {
				if err := os.MkdirAll(sub, 0o755); err != nil {
					b.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(sub, fmt.Sprint(i)), content, 0o644); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(begun)
	}
	write(src)
	send := func(path, dst string) {
		pr, pw := io.Pipe()
		go func() {
			_, err := transfer.Pack(p.ctx, pw, []transfer.Source{{Path: path}}, nil)
			pw.CloseWithError(err)
		}()
		if _, err := p.session.Send(p.ctx, hop.SendRequest{Dest: dst, Place: hop.PlaceInto}, pr); err != nil {
			b.Fatal(err)
		}
	}
	var plain, stream, each time.Duration
	for b.Loop() {
		plain += write(filepath.Join(b.TempDir(), "plain"))
		begun := time.Now()
		send(src, b.TempDir())
		stream += time.Since(begun)
		begun = time.Now()
		dst := b.TempDir()
		for i := range few {
			send(filepath.Join(src, "0", fmt.Sprint(i)), dst)
		}
		each += time.Since(begun) * files / few
	}
	b.ReportMetric(stream.Seconds()/float64(b.N), "s/stream")
	b.ReportMetric(plain.Seconds()/stream.Seconds(), "of-plain")
	b.ReportMetric(each.Seconds()/stream.Seconds(), "times-one-by-one")
}

// BenchmarkLargeFile sends one file of 256 MiB.
func BenchmarkLargeFile(b *testing.B) {
	const size = 256 << 20
	p := newPair(b)
	src := filepath.Join(b.TempDir(), "large")
	if err := os.WriteFile(src, make([]byte, size), 0o644); err != nil {
		b.Fatal(err)
	}
	var file time.Duration
	for b.Loop() {
		begun := time.Now()
		if _, err := p.put(hop.SendRequest{Dest: b.TempDir(), Place: hop.PlaceInto}, src); err != nil {
			b.Fatal(err)
		}
		file += time.Since(begun)
	}
	b.ReportMetric(size/1e6*float64(b.N)/file.Seconds(), "MB/s")
}
