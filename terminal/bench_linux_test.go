package terminal

import (
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"
)

// BenchmarkKeyToRows is our own time for a typed key while 10 MB/s arrive: to
// encode and queue it, and to paint the rows that have changed by then. It is
// the processor's time of the toolkit's thread, so that what else runs on the
// computer does not count. Reported: the median and the 99th of a hundred, and
// the median by the clock, which has the wait for the parser in it.
func BenchmarkKeyToRows(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	test.NewTempApp(b)
	term, ui := bench120(b, testFonts(b))
	f := newFlood(10 << 20)
	term.Attach(f)
	var own, clock []time.Duration
	for b.Loop() {
		ui.Lock()
		began, used := time.Now(), threadTime()
		term.TypedRune('x')
		term.render()
		own, clock = append(own, threadTime()-used), append(clock, time.Since(began))
		ui.Unlock()
		time.Sleep(5 * time.Millisecond) //nolint:forbidigo // the pace of a person who types very fast
	}
	slices.Sort(own)
	slices.Sort(clock)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(own[len(own)/2]), "ms/p50")
	b.ReportMetric(ms(own[len(own)*99/100]), "ms/p99")
	b.ReportMetric(ms(clock[len(clock)/2]), "clock-ms/p50")
}

// threadTime is what the calling thread has used of a processor.
func threadTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_THREAD, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
