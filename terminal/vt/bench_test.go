package vt

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hinshun/vt10x"
)

// payloads are streams in the manner of vtebench, each over 1 MiB, for a
// screen of 120 by 40.
func payloads() map[string][]byte {
	grow := func(f func(b *bytes.Buffer, i int)) []byte {
		var b bytes.Buffer
		for i := 0; b.Len() < 1<<20; i++ {
			f(&b, i)
		}
		return b.Bytes()
	}
	return map[string][]byte{
		"plain_log": grow(func(b *bytes.Buffer, i int) {
			fmt.Fprintf(b, "2026-11-23T10:%02d:%02d.%03dZ INFO  worker %d took a job from the queue and finished it\r\n", i/60%60, i%60, i%1000, i%16)
		}),
		"dense": grow(func(b *bytes.Buffer, i int) {
			b.WriteString("\x1b[H")
			for c := range 120 * 40 {
				fmt.Fprintf(b, "\x1b[38;5;%d;48;5;%d;1;3;4m%c", (i+c)%156+100, 255-(i+c)%156, 'A'+(i+c)%26)
			}
		}),
		"light": grow(func(b *bytes.Buffer, i int) {
			b.WriteString("\x1b[H")
			b.Write(bytes.Repeat([]byte{byte('A' + i%26)}, 120*40))
		}),
		"cursor_motion": grow(func(b *bytes.Buffer, i int) {
			for y := 1; y <= 40; y++ {
				fmt.Fprintf(b, "\x1b[%d;%dH%c", y, 1+(i*7+y)%120, 'a'+i%26)
			}
		}),
		"unicode": grow(func(b *bytes.Buffer, i int) {
			fmt.Fprintf(b, "日本語テキスト %d Ünïcödé ─│┌ ελληνικά 👩‍💻 e\u0301 русский текст 한국어\r\n", i)
		}),
		"scrolling": grow(func(b *bytes.Buffer, _ int) { b.WriteString("y\r\n") }),
		"claude": grow(func(b *bytes.Buffer, i int) {
			fmt.Fprintf(b, "\x1b[?2026h\x1b[2K\x1b[1A\x1b[2K\x1b[G\x1b[38;2;215;119;87m✻\x1b[39m \x1b[38;2;215;119;87mThinking…\x1b[39m \x1b[38;2;153;153;153m(%ds · ↑ %d tokens)\x1b[39m\r\n", i, i*3)
			b.WriteString("\x1b[38;2;136;136;136m────────────────────────────────\x1b[39m\r\n❯ \x1b[7m \x1b[27m\x1b[1A\x1b[?2026l")
		}),
	}
}

// naive is what a terminal costs that knows little more than text: it prints,
// moves at CR and LF, and skips control sequences.
type naive struct {
	cells [40][120]rune
	x, y  int
	esc   bool
	csi   bool
}

func (n *naive) Write(p []byte) (int, error) {
	for _, r := range string(p) {
		switch {
		case n.csi:
			n.csi = r < '@' || r > '~'
		case n.esc:
			n.esc, n.csi = false, r == '['
		case r == 0x1b:
			n.esc = true
		case r == '\r':
			n.x = 0
		case r == '\n':
			n.feed()
		case r >= 0x20:
			if n.x == 120 {
				n.x = 0
				n.feed()
			}
			n.cells[n.y][n.x] = r
			n.x++
		}
	}
	return len(p), nil
}

func (n *naive) feed() {
	if n.y < 39 {
		n.y++
		return
	}
	copy(n.cells[:], n.cells[1:])
	n.cells[39] = [120]rune{}
}

// BenchmarkWrite prints the core beside vt10x and the naive one; compare the
// MB/s of one payload.
func BenchmarkWrite(b *testing.B) {
	for name, p := range payloads() {
		run := func(kind string, fresh func() interface{ Write([]byte) (int, error) }) {
			b.Run(name+"/"+kind, func(b *testing.B) {
				w := fresh()
				b.SetBytes(int64(len(p)))
				b.ReportAllocs()
				for b.Loop() {
					for rest := p; len(rest) > 0; {
						n := min(len(rest), 32<<10)
						w.Write(rest[:n])
						rest = rest[n:]
					}
				}
			})
		}
		run("ours", func() interface{ Write([]byte) (int, error) } { return New(Options{Cols: 120, Rows: 40}) })
		run("vt10x", func() interface{ Write([]byte) (int, error) } { return vt10x.New(vt10x.WithSize(120, 40)) })
		run("naive", func() interface{ Write([]byte) (int, error) } { return &naive{} })
	}
}
