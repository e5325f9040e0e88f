package vt

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hinshun/vt10x"
)

// payload is a stream in the manner of vtebench, over 1 MiB, for a screen of
// 120 by 40. before is sent once.
type payload struct {
	name   string
	before string
	data   []byte
	ascii  bool // allocates nothing once the scrollback is full
}

// grow repeats f until there is more than 1 MiB.
func grow(f func(b *bytes.Buffer, i int)) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		f(&b, i)
	}
	return b.Bytes()
}

func payloads(tb testing.TB) []payload {
	// What Claude Code 2.1.330 wrote to 120 by 40 cells, from its start over
	// two questions with their streamed answers.
	claude, err := os.ReadFile("testdata/claude.txt")
	if err != nil {
		tb.Fatal(err)
	}
	yes := grow(func(b *bytes.Buffer, _ int) { b.WriteString("y\r\n") })
	return []payload{
		{name: "claude_session", data: grow(func(b *bytes.Buffer, _ int) { b.Write(claude) })},
		{name: "plain_log", ascii: true, data: grow(plainLog)},
		{name: "dense_cells", ascii: true, data: grow(denseCells)},
		{name: "light_cells", ascii: true, data: grow(func(b *bytes.Buffer, i int) {
			b.WriteString("\x1b[H")
			b.Write(bytes.Repeat([]byte{byte('A' + i%26)}, 120*40))
		})},
		{name: "medium_cells", ascii: true, data: grow(mediumCells)},
		{name: "cursor_motion", ascii: true, data: grow(func(b *bytes.Buffer, i int) {
			for y := 1; y <= 40; y++ {
				fmt.Fprintf(b, "\x1b[%d;%dH%c", y, 1+(i*7+y)%120, 'a'+i%26)
			}
		})},
		{name: "unicode", data: grow(func(b *bytes.Buffer, i int) {
			fmt.Fprintf(b, "日本語テキスト %d Ünïcödé ─│┌ ελληνικά 👩‍💻 e\u0301 русский текст 한국어\r\n", i)
		})},
		{name: "scrolling_history", ascii: true, data: yes},
		{name: "scrolling_alternate", ascii: true, before: "\x1b[?1049h\x1b[40;1H", data: yes},
		{name: "scrolling_full_lines", ascii: true, data: grow(func(b *bytes.Buffer, i int) {
			b.Write(bytes.Repeat([]byte{byte('A' + i%26)}, 119))
			b.WriteString("\r\n")
		})},
		{name: "scrolling_top_region", ascii: true, before: "\x1b[1;20r\x1b[20;1H", data: yes},
		{name: "scrolling_bottom_region", ascii: true, before: "\x1b[21;40r\x1b[40;1H", data: yes},
	}
}

func plainLog(b *bytes.Buffer, i int) {
	fmt.Fprintf(b, "2026-11-23T10:%02d:%02d.%03dZ INFO  worker %d took a job from the queue and finished it\r\n", i/60%60, i%60, i%1000, i%16)
}

func denseCells(b *bytes.Buffer, i int) {
	b.WriteString("\x1b[H")
	for c := range 120 * 40 {
		fmt.Fprintf(b, "\x1b[38;5;%d;48;5;%d;1;3;4m%c", (i+c)%156+100, 255-(i+c)%156, 'A'+(i+c)%26)
	}
}

// mediumCells is an editor that paints a screen of coloured source.
func mediumCells(b *bytes.Buffer, i int) {
	b.WriteString("\x1b[?25l")
	for y := 1; y <= 38; y++ {
		fmt.Fprintf(b, "\x1b[%d;1H\x1b[38;5;130m%4d \x1b[m\x1b[38;5;%dmfunc\x1b[m name%d(\x1b[36mctx\x1b[m context.Context) \x1b[1m{\x1b[m\x1b[K", y, i+y, 100+y, i)
	}
	fmt.Fprintf(b, "\x1b[40;1H\x1b[7m main.go  %d,1 \x1b[m\x1b[%d;6H\x1b[?25h", i, 1+i%38)
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

// cpuTime is what this process has used of its processors. Wall time says
// little where other work runs.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func send(w io.Writer, p []byte) {
	for len(p) > 0 {
		n := min(len(p), 32<<10)
		_, _ = w.Write(p[:n])
		p = p[n:]
	}
}

// warm returns a core that has seen the payload until nothing about it grows
// any more.
func warm(p payload) *Terminal {
	t := New(Options{Cols: 120, Rows: 40})
	send(t, []byte(p.before))
	for range 6 {
		send(t, p.data)
	}
	return t
}

// best returns the least time that one pass of a payload takes of two.
func best(w io.Writer, p payload) time.Duration {
	send(w, []byte(p.before))
	least := time.Duration(1 << 62)
	for range 2 {
		start := cpuTime()
		send(w, p.data)
		least = min(least, cpuTime()-start)
	}
	return max(least, 1)
}

// BenchmarkWrite tells the throughput of the core by CPU time, and how many
// times that of vt10x and of the naive core it is in the same run.
func BenchmarkWrite(b *testing.B) {
	for _, p := range payloads(b) {
		b.Run(p.name, func(b *testing.B) {
			t := warm(p)
			theirs := best(vt10x.New(vt10x.WithSize(120, 40)), p)
			plain := best(&naive{}, p)
			b.ReportAllocs()
			n := 0
			var used time.Duration
			for b.Loop() {
				start := cpuTime()
				send(t, p.data)
				used += cpuTime() - start
				n++
			}
			one := float64(used) / float64(n)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(len(p.data))/1e6/(one/1e9), "MB/cpu-s")
			b.ReportMetric(float64(theirs)/one, "x-vt10x")
			b.ReportMetric(float64(plain)/one, "x-naive")
		})
	}
}

// BenchmarkScrollback tells what 50 000 lines of 120 columns take, and what a
// change of the width costs with them.
func BenchmarkScrollback(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	t := New(Options{Cols: 120, Rows: 40})
	fill(t, 51_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	cols := 120
	for b.Loop() {
		cols ^= 1
		t.Resize(cols, 40)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
}

// fill writes lines of 120 columns as a coloured log has them.
func fill(w io.Writer, n int) {
	for i := range n {
		fmt.Fprintf(w, "\x1b[2m%08d\x1b[m \x1b[3%dmlevel\x1b[m %s \x1b[1mkey\x1b[m=%08d\r\n", i, i%8, strings.Repeat("word ", 18), i)
	}
}

// TestPlainTextAllocatesNothing holds the core to no allocation once its
// scrollback is full; one of a thousand lines is full soon, which matters under
// the race detector.
func TestPlainTextAllocatesNothing(t *testing.T) {
	for _, p := range payloads(t) {
		if !p.ascii {
			continue
		}
		term := New(Options{Cols: 120, Rows: 40, Scrollback: 1000})
		send(term, []byte(p.before))
		for range 2 {
			send(term, p.data)
		}
		if n := testing.AllocsPerRun(2, func() { send(term, p.data) }); n > 0 {
			t.Errorf("%s: %v allocations for each MiB", p.name, n)
		}
	}
}
