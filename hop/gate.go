package hop

import (
	"sync"
	"time"
)

// lane is what the gate knows about one stream.
type lane struct {
	id       uint32
	theirs   bool          // the peer opened it
	acked    bool          // the peer's acknowledgement was seen
	sentFIN  bool          // we are done writing
	gotFIN   bool          // the peer is done writing
	gone     bool          // not on the wire any more
	held     bool          // a Stream reads it
	released bool          // nobody here reads it any more
	unread   int64         // received, not read
	credit   int64         // what the peer may still send
	aborted  chan struct{} // closed by a reset, from either end
	offered  int64         // what the peer offered us and we have not used
}

func newLane(id uint32, theirs bool) *lane {
	return &lane{id: id, theirs: theirs, credit: firstWindow, offered: firstWindow, aborted: make(chan struct{})}
}

func closedChan() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// gate follows both directions of one connection frame by frame. With strict
// set it holds the peer to the rules; without, it only keeps the books that
// resets need.
type gate struct {
	strict bool
	limits Limits
	now    func() time.Time

	mu        sync.Mutex
	lanes     map[uint32]*lane
	lastTheir uint32 // highest stream number that the peer opened
	lastOur   uint32
	theirs    int // open streams of the peer
	unread    int64
	pingsOut  int
	pings     bucket
	opens     bucket
	strictOdd uint32 // parity of the peer's numbers: 1 for a guest, 0 for a host
}

func newGate(strict bool, limits Limits, peerOdd uint32, now func() time.Time) *gate {
	return &gate{
		strict: strict, limits: limits, now: now, strictOdd: peerOdd, lanes: map[uint32]*lane{},
		pings: bucket{rate: limits.PingRate, burst: limits.PingBurst, level: limits.PingBurst, last: now()},
		opens: bucket{rate: limits.OpenRate, burst: limits.OpenBurst, level: limits.OpenBurst, last: now()},
	}
}

// verdict is what becomes of a frame that arrived and broke no rule.
type verdict int

const (
	pass  verdict = iota
	strip         // the multiplexer sees the header with its flags, not the bytes: nobody reads them
	drop          // the multiplexer sees nothing: the stream was reset here, or is long over
)

// in judges a frame that arrives.
func (g *gate) in(h head) (verdict, *Breach) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h.version != 0 {
		return drop, &Breach{What: "protocol version", Number: int64(h.version)}
	}
	if h.flags&^uint16(flagSYN|flagACK|flagFIN|flagRST) != 0 {
		return drop, &Breach{What: "unknown flags", Number: int64(h.flags)}
	}
	switch h.kind {
	case typeData, typeWindow:
		return g.inStream(h)
	case typePing:
		return pass, g.inPing(h)
	case typeGoAway:
		// A helper never says it will take no more streams; the two other
		// codes end the session by themselves.
		if h.stream != 0 || h.flags != 0 || h.size > 2 || (g.strict && h.size == 0) {
			return drop, &Breach{What: "malformed farewell", Number: int64(h.size)}
		}
		return pass, nil
	}
	return drop, &Breach{What: "frame type", Number: int64(h.kind)}
}

func (g *gate) inPing(h head) *Breach {
	switch {
	case h.stream != 0 || (h.flags != flagSYN && h.flags != flagACK):
		return &Breach{What: "malformed ping", Number: int64(h.flags)}
	case h.flags == flagACK:
		if g.pingsOut == 0 {
			return &Breach{What: "answer to no ping", Number: int64(h.size)}
		}
		g.pingsOut--
	case g.strict && !g.pings.take(g.now()):
		return &Breach{What: "pings per second", Number: int64(g.limits.PingRate) + 1, Limit: int64(g.limits.PingRate)}
	}
	return nil
}

func (g *gate) inStream(h head) (verdict, *Breach) {
	if h.stream == 0 {
		return drop, &Breach{What: "stream number", Number: 0}
	}
	if h.flags&flagSYN != 0 {
		if err := g.inOpen(h); err != nil {
			return drop, err
		}
	}
	l := g.lanes[h.stream]
	if l == nil || l.gone {
		if !g.known(h.stream) {
			return drop, &Breach{What: "frame for a stream that never was", Number: int64(h.stream)}
		}
		return drop, nil
	}
	judge := g.inWindow
	if h.kind == typeData {
		judge = g.inData
	}
	for _, rule := range []func(*lane, head) *Breach{g.inAck, judge, g.inEnd} {
		if err := rule(l, h); err != nil {
			return drop, err
		}
	}
	if h.kind == typeData && h.size > 0 && l.released {
		return strip, nil
	}
	return pass, nil
}

// inAck: a stream of ours is acknowledged once.
func (g *gate) inAck(l *lane, h head) *Breach {
	if h.flags&flagACK == 0 {
		return nil
	}
	if l.theirs || l.acked {
		return &Breach{What: "acknowledgement of nothing", Number: int64(h.stream)}
	}
	l.acked = true
	return nil
}

// known says whether a number without a lane belonged to a stream once.
func (g *gate) known(id uint32) bool {
	if id&1 == g.strictOdd {
		return id <= g.lastTheir
	}
	return id <= g.lastOur
}

func (g *gate) inOpen(h head) *Breach {
	switch {
	case h.flags&flagACK != 0:
		return &Breach{What: "flags of a new stream", Number: int64(h.flags)}
	case h.stream&1 != g.strictOdd:
		return &Breach{What: "number of a new stream", Number: int64(h.stream)}
	case h.stream <= g.lastTheir:
		return &Breach{What: "number of a new stream not rising", Number: int64(h.stream), Limit: int64(g.lastTheir)}
	case g.strict && g.theirs >= g.limits.Streams:
		return &Breach{What: "streams open at once", Number: int64(g.theirs) + 1, Limit: int64(g.limits.Streams)}
	case g.strict && !g.opens.take(g.now()):
		return &Breach{What: "streams opened per second", Number: int64(g.limits.OpenRate) + 1, Limit: int64(g.limits.OpenRate)}
	}
	g.lastTheir = h.stream
	g.theirs++
	g.lanes[h.stream] = newLane(h.stream, true)
	return nil
}

func (g *gate) inData(l *lane, h head) *Breach {
	n := int64(h.size)
	switch {
	case g.strict && h.size > g.limits.Frame:
		return &Breach{What: "bytes in one frame", Number: n, Limit: int64(g.limits.Frame)}
	case g.strict && n == 0 && h.flags == 0:
		return &Breach{What: "empty frame", Number: int64(h.stream)}
	case l.gotFIN && n > 0:
		return &Breach{What: "data after the end of a stream", Number: int64(h.stream)}
	case n > l.credit:
		return &Breach{What: "bytes beyond a stream's window", Number: n, Limit: l.credit}
	}
	l.credit -= n
	if !l.released {
		l.unread += n
		g.unread += n
		if g.strict && g.unread > g.limits.Unread {
			return &Breach{What: "bytes unread", Number: g.unread, Limit: g.limits.Unread}
		}
	}
	return nil
}

func (g *gate) inWindow(l *lane, h head) *Breach {
	if h.size == 0 && h.flags == 0 {
		return &Breach{What: "empty window update", Number: int64(h.stream)}
	}
	l.offered += int64(h.size)
	if l.offered > window {
		return &Breach{What: "window offered", Number: l.offered, Limit: window}
	}
	return nil
}

func (g *gate) inEnd(l *lane, h head) *Breach {
	if h.flags&flagRST != 0 {
		g.abort(l)
		return nil
	}
	if h.flags&flagFIN != 0 {
		if l.gotFIN {
			return &Breach{What: "end of a stream sent twice", Number: int64(h.stream)}
		}
		l.gotFIN = true
		if l.sentFIN {
			g.end(l)
		}
	}
	return nil
}

// end takes a stream off the wire. What is unread stays counted until
// somebody reads or releases it: the memory is still there.
func (g *gate) end(l *lane) {
	if l.gone {
		return
	}
	l.gone = true
	if l.theirs {
		g.theirs--
	}
	g.forget(l)
}

// abort ends a stream by a reset.
func (g *gate) abort(l *lane) {
	if !l.gone {
		close(l.aborted)
	}
	g.end(l)
}

// forget drops the books of a stream that is over and that a Stream, or
// nobody, holds.
func (g *gate) forget(l *lane) {
	if l.gone && (l.held || l.released) {
		delete(g.lanes, l.id)
	}
}

// out keeps the books for a frame that leaves.
func (g *gate) out(h head) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch h.kind {
	case typePing:
		if h.flags&flagSYN != 0 {
			g.pingsOut++
		}
		return
	case typeGoAway:
		return
	}
	if h.flags&flagSYN != 0 {
		g.lanes[h.stream] = newLane(h.stream, false)
		g.lastOur = max(g.lastOur, h.stream)
	}
	l := g.lanes[h.stream]
	if l == nil {
		return
	}
	if h.kind == typeData {
		l.offered -= int64(h.size)
	} else {
		l.credit += int64(h.size)
	}
	switch {
	case h.flags&flagRST != 0:
		g.release(l)
		g.abort(l)
	case h.flags&flagFIN != 0:
		l.sentFIN = true
		if l.gotFIN {
			g.end(l)
		}
	}
}

// hold returns the books of a stream to the one Stream that reads it.
func (g *gate) hold(id uint32) *lane {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[id]
	if l == nil { // reset before anybody looked
		return &lane{id: id, gone: true, released: true, held: true, aborted: closedChan()}
	}
	l.held = true
	g.forget(l)
	return l
}

// read takes n bytes off what is unread on l.
func (g *gate) read(l *lane, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n64 := min(int64(n), l.unread)
	l.unread -= n64
	g.unread -= n64
}

// let gives up on what is unread on l, now and later.
func (g *gate) let(l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.release(l)
}

func (g *gate) release(l *lane) {
	g.unread -= l.unread
	l.unread = 0
	l.released = true
	g.forget(l)
}

// abandon takes l off the wire because it is reset here, and reports whether
// it still was on it.
func (g *gate) abandon(l *lane) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.release(l)
	if l.gone {
		return false
	}
	g.abort(l)
	return true
}

// over says whether both directions of l have ended.
func (g *gate) over(l *lane) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return l.gone
}
