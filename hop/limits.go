package hop

import (
	"fmt"
	"time"
)

// Limits are what the gate allows a guest. The zero value of each field is
// replaced by that of [DefaultLimits].
type Limits struct {
	Frame      uint32  // payload of one data frame, bytes
	Streams    int     // streams open at once that the guest opened
	Unread     int64   // bytes received and not yet read by the app, all streams together
	PingRate   float64 // pings per second
	PingBurst  float64
	OpenRate   float64 // streams opened per second
	OpenBurst  float64
	Handshakes int // connections that have not proved themselves yet
}

// defaultLimits are far above what the helper needs: it sends a ping each
// 10 s, keeps at most 256 connections, and opens at most 200 a second. The
// multiplexer's buffers double as they grow, so unread bytes cost up to twice
// their number.
var defaultLimits = Limits{
	Frame: 64 << 10, Streams: 512, Unread: 40 << 20,
	PingRate: 2, PingBurst: 8, OpenRate: 400, OpenBurst: 600, Handshakes: 4,
}

// DefaultLimits returns the limits that a zero [Limits] stands for.
func DefaultLimits() Limits { return defaultLimits }

func (l Limits) filled() Limits {
	d := defaultLimits
	fill(&l.Frame, d.Frame)
	fill(&l.Streams, d.Streams)
	fill(&l.Unread, d.Unread)
	fill(&l.PingRate, d.PingRate)
	fill(&l.PingBurst, d.PingBurst)
	fill(&l.OpenRate, d.OpenRate)
	fill(&l.OpenBurst, d.OpenBurst)
	fill(&l.Handshakes, d.Handshakes)
	return l
}

func fill[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Breach is what a guest did that its helper never does. The session it
// happened on is closed.
type Breach struct {
	What   string // such as "pings per second" or "stream number"
	Number int64  // what it was
	Limit  int64  // what is allowed; 0 where it is not a matter of amount
}

func (b *Breach) Error() string {
	if b.Limit == 0 {
		return fmt.Sprintf("the guest broke the session's rules: %s (%d)", b.What, b.Number)
	}
	return fmt.Sprintf("the guest broke the session's rules: %s (%d, the limit is %d)", b.What, b.Number, b.Limit)
}

// Cure says what to do about it.
func (b *Breach) Cure() string {
	return "stop the bottle unless you trust what runs in it"
}

// bucket is a leaky allowance: rate a second, at most burst at once.
type bucket struct {
	rate, burst, level float64
	last               time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.level = min(b.burst, b.level+b.rate*now.Sub(b.last).Seconds())
	b.last = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}
