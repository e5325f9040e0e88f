package terminal

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"bottlebar.app/terminal/vt"
)

// flood is a Conn that writes text at a pace of so many bytes a second, and
// echoes what it is sent, as a program that is busy and typed at.
type flood struct {
	pace int
	keys chan []byte
	done chan struct{}
	once sync.Once
	line []byte
	due  time.Time
}

func newFlood(pace int) *flood {
	return &flood{
		pace: pace, keys: make(chan []byte, 64), done: make(chan struct{}), due: time.Now(),
		line: bytes.Repeat([]byte("\x1b[32m12:00:01\x1b[m worker took a job from the queue, and \x1b[1mfinished\x1b[m it\r\n"), 128),
	}
}

func (f *flood) Read(p []byte) (int, error) {
	n := copy(p, f.line)
	f.due = f.due.Add(time.Duration(n) * time.Second / time.Duration(f.pace))
	wait := time.NewTimer(time.Until(f.due))
	defer wait.Stop()
	select {
	case k := <-f.keys:
		f.due = f.due.Add(-time.Duration(n) * time.Second / time.Duration(f.pace))
		return copy(p, k), nil
	case <-wait.C:
		return n, nil
	case <-f.done:
		return 0, io.EOF
	}
}

func (f *flood) Write(p []byte) (int, error) {
	select {
	case f.keys <- bytes.Clone(p):
	default:
	}
	return len(p), nil
}

func (f *flood) Resize(int, int) error { return nil }
func (f *flood) Close() error          { f.once.Do(func() { close(f.done) }); return nil }

// bench120 is a terminal of 120 by 40 cells whose posted functions run at once,
// one at a time.
func bench120(b *testing.B, fonts *Fonts) (*Terminal, *sync.Mutex) {
	b.Helper()
	var ui sync.Mutex
	term := New(Options{Fonts: fonts, Post: func(f func()) {
		ui.Lock()
		defer ui.Unlock()
		f()
	}})
	b.Cleanup(func() { term.Close() })
	s := term.paint.sheet
	ui.Lock()
	defer ui.Unlock()
	term.paint.resize(120*s.cellW+2*padding, 40*s.cellH+2*padding)
	term.core.Resize(120, 40)
	return term, &ui
}

// BenchmarkHidden takes in the same output by the core alone, by a terminal
// that is hidden and by one that is seen: the first two must cost the same.
func BenchmarkHidden(b *testing.B) {
	test.NewTempApp(b)
	chunk := newFlood(1).line
	b.Run("core", func(b *testing.B) {
		core := vt.New(vt.Options{Cols: 120, Rows: 40})
		b.SetBytes(int64(len(chunk)))
		for b.Loop() {
			_, _ = core.Write(chunk)
		}
	})
	for _, hidden := range []bool{true, false} {
		b.Run(fmt.Sprintf("hidden=%v", hidden), func(b *testing.B) {
			term, ui := bench120(b, testFonts(b))
			term.SetSuspended(hidden)
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				_, _ = term.core.Write(chunk)
				ui.Lock()
				term.tick()
				ui.Unlock()
			}
		})
	}
}

// BenchmarkTenWindows measures what the glyphs of ten terminals take that
// share their fonts, beside ten that do not.
func BenchmarkTenWindows(b *testing.B) {
	test.NewTempApp(b)
	for _, shared := range []bool{true, false} {
		b.Run(fmt.Sprintf("shared=%v", shared), func(b *testing.B) {
			for b.Loop() {
				var terms []*Terminal
				fonts := testFonts(b)
				before := heap()
				for range 10 {
					if !shared {
						fonts = testFonts(b)
					}
					term, _ := bench120(b, fonts)
					for r := rune(0x21); r < 0x500; r++ {
						_, _ = term.core.Write([]byte(string(r)))
					}
					term.render()
					terms = append(terms, term)
				}
				b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
				for _, t := range terms {
					t.Close()
				}
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
