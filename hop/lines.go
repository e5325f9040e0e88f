package hop

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// lines is the multiplexer's logger. A guest can make the library write as
// many lines as it likes, so few are passed on and the rest are counted.
type lines struct {
	mu      sync.Mutex
	bucket  bucket
	dropped int
	log     func(string)
}

func newLines(log func(string)) *lines {
	return &lines{log: log, bucket: bucket{rate: 0.2, burst: 5, level: 5, last: time.Now()}}
}

// Printf, Print and Println implement the library's Logger.
func (l *lines) Printf(format string, v ...any) { l.line(fmt.Sprintf(format, v...)) }
func (l *lines) Print(v ...any)                 { l.line(fmt.Sprint(v...)) }
func (l *lines) Println(v ...any)               { l.line(fmt.Sprintln(v...)) }

func (l *lines) line(s string) {
	if l.log == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.bucket.take(time.Now()) {
		l.dropped++
		return
	}
	s = Clean(strings.TrimSpace(s), maxText)
	if l.dropped > 0 {
		s = fmt.Sprintf("%s (%d lines before it were left out)", s, l.dropped)
		l.dropped = 0
	}
	l.log(s)
}
