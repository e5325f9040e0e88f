package hop

import (
	"strings"
	"testing"
	"time"
)

// tests drive the gate with a clock of their own.
func testGate(strict bool) (*gate, *time.Time) {
	now := time.Unix(1000, 0)
	g := newGate(strict, DefaultLimits(), 1, func() time.Time { return now })
	return g, &now
}

func opened(id uint32) head {
	return head{kind: typeWindow, flags: flagSYN, stream: id, size: window - firstWindow}
}
func data(id, n uint32) head { return head{kind: typeData, stream: id, size: n} }

func TestGateRefusesWhatAHelperNeverSends(t *testing.T) {
	ours := head{kind: typeWindow, flags: flagSYN, stream: 2, size: window - firstWindow}
	for name, c := range map[string]struct {
		out, in []head
		want    string
	}{
		"version":              {in: []head{{version: 1}}, want: "protocol version"},
		"type":                 {in: []head{{kind: 4}}, want: "frame type"},
		"flags":                {in: []head{{kind: typeData, flags: 16, stream: 1}}, want: "unknown flags"},
		"stream zero":          {in: []head{data(0, 1)}, want: "stream number"},
		"even number":          {in: []head{opened(4)}, want: "number of a new stream"},
		"number falls":         {in: []head{opened(3), opened(1)}, want: "not rising"},
		"number again":         {in: []head{opened(3), opened(3)}, want: "not rising"},
		"open and acknowledge": {in: []head{{kind: typeWindow, flags: flagSYN | flagACK, stream: 1}}, want: "flags of a new stream"},
		"never was":            {in: []head{data(7, 1)}, want: "never was"},
		"ours never was":       {in: []head{data(2, 1)}, want: "never was"},
		"large frame":          {in: []head{opened(1), data(1, 64<<10+1)}, want: "bytes in one frame"},
		"empty frame":          {in: []head{opened(1), data(1, 0)}, want: "empty frame"},
		"empty update":         {in: []head{opened(1), {kind: typeWindow, stream: 1}}, want: "empty window update"},
		"window grows":         {in: []head{opened(1), {kind: typeWindow, stream: 1, size: 1}}, want: "window offered"},
		"window wraps":         {out: []head{ours}, in: []head{{kind: typeWindow, flags: flagACK, stream: 2, size: 1<<32 - 1}}, want: "window offered"},
		"acknowledges its own": {in: []head{opened(1), {kind: typeWindow, flags: flagACK, stream: 1, size: 1}}, want: "acknowledgement"},
		"acknowledges twice":   {out: []head{ours}, in: []head{{kind: typeWindow, flags: flagACK, stream: 2}, {kind: typeWindow, flags: flagACK, stream: 2}}, want: "acknowledgement"},
		"ends twice":           {in: []head{opened(1), {kind: typeWindow, flags: flagFIN, stream: 1}, {kind: typeWindow, flags: flagFIN, stream: 1}}, want: "sent twice"},
		"data after end":       {in: []head{opened(1), {kind: typeWindow, flags: flagFIN, stream: 1}, data(1, 1)}, want: "after the end"},
		"pong to nothing":      {in: []head{{kind: typePing, flags: flagACK, size: 9}}, want: "answer to no ping"},
		"ping of a stream":     {in: []head{{kind: typePing, flags: flagSYN, stream: 1}}, want: "malformed ping"},
		"ping without flags":   {in: []head{{kind: typePing}}, want: "malformed ping"},
		"farewell":             {in: []head{{kind: typeGoAway}}, want: "farewell"},
		"beyond the window": {in: []head{
			opened(1), data(1, 64<<10), data(1, 64<<10), data(1, 64<<10), data(1, 64<<10), data(1, 1),
		}, want: "beyond a stream's window"},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := testGate(true)
			for _, h := range c.out {
				g.out(h)
			}
			for i, h := range c.in {
				_, err := g.in(h)
				if last := i == len(c.in)-1; (err != nil) != last {
					t.Fatalf("frame %d: %v", i, err)
				}
				if err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %q, want %q in it", err, c.want)
				}
			}
		})
	}
}

func TestGateAllowsTwoPingsASecond(t *testing.T) {
	g, now := testGate(true)
	ping := head{kind: typePing, flags: flagSYN}
	for range int(DefaultLimits().PingBurst) {
		if _, err := g.in(ping); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		*now = now.Add(500 * time.Millisecond)
		if _, err := g.in(ping); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := g.in(ping); err == nil {
		t.Error("the ping after the allowance passed")
	}
}

func TestGateCountsStreamsByOpenOnes(t *testing.T) {
	g, now := testGate(true)
	id := uint32(1)
	open := func() *Breach {
		_, err := g.in(opened(id))
		id += 2
		return err
	}
	for range 2000 { // opened and ended, slowly
		*now = now.Add(10 * time.Millisecond)
		if err := open(); err != nil {
			t.Fatal(err)
		}
		if _, err := g.in(head{kind: typeWindow, flags: flagRST, stream: id - 2}); err != nil {
			t.Fatal(err)
		}
		g.hold(id - 2)
	}
	for range DefaultLimits().Streams {
		*now = now.Add(10 * time.Millisecond)
		if err := open(); err != nil {
			t.Fatal(err)
		}
	}
	*now = now.Add(time.Minute)
	if err := open(); err == nil || !strings.Contains(err.What, "streams open at once") {
		t.Errorf("got %v", err)
	}
}

func TestGateLimitsHowFastStreamsOpen(t *testing.T) {
	g, _ := testGate(true)
	for id := uint32(1); ; id += 2 {
		_, err := g.in(opened(id))
		if err != nil {
			if err.What != "streams opened per second" || int(id/2) != int(DefaultLimits().OpenBurst) {
				t.Errorf("after %d: %v", id/2, err)
			}
			return
		}
		_, _ = g.in(head{kind: typeWindow, flags: flagRST, stream: id})
	}
}

func TestGateForgetsWhatNobodyReadsAnyMore(t *testing.T) {
	g, _ := testGate(true)
	_, _ = g.in(opened(1))
	_, _ = g.in(data(1, 1000))
	l := g.hold(1)
	g.read(l, 400)
	if g.unread != 600 {
		t.Errorf("unread is %d", g.unread)
	}
	g.let(l)
	if v, err := g.in(data(1, 500)); v != strip || err != nil || g.unread != 0 {
		t.Errorf("data nobody reads: %v %v, unread %d", v, err, g.unread)
	}
	if !g.abandon(l) || g.abandon(l) {
		t.Error("abandon must be true once")
	}
	if v, err := g.in(data(1, 500)); v != drop || err != nil {
		t.Errorf("data after the reset: %v %v", v, err)
	}
	if len(g.lanes) != 0 || g.theirs != 0 {
		t.Errorf("%d lanes, %d open", len(g.lanes), g.theirs)
	}
}

func TestGateKeepsCountingWhatAResetLeavesUnread(t *testing.T) {
	g, _ := testGate(true)
	_, _ = g.in(opened(1))
	_, _ = g.in(data(1, 1000))
	_, _ = g.in(head{kind: typeWindow, flags: flagRST, stream: 1})
	if g.unread != 1000 {
		t.Errorf("unread is %d before anybody held the stream", g.unread)
	}
	l := g.hold(1)
	g.let(l)
	if g.unread != 0 || len(g.lanes) != 0 {
		t.Errorf("unread is %d, %d lanes", g.unread, len(g.lanes))
	}
}

// FuzzGate feeds arbitrary frames: the books must stay sane whatever comes.
func FuzzGate(f *testing.F) {
	f.Add([]byte{})
	f.Add(opened(1).append(nil))
	f.Add(data(1, 9).append(opened(1).append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, now := testGate(true)
		g.out(head{kind: typeWindow, flags: flagSYN, stream: 2, size: window - firstWindow})
		for len(b) >= headSize {
			h := parseHead(b)
			if got := h.append(nil); string(got) != string(b[:headSize]) {
				t.Fatalf("a header does not survive: %x %x", got, b[:headSize])
			}
			b = b[headSize:]
			if h.version&1 == 1 { // now and then somebody here acts
				h.version = 0
				switch l := g.hold(h.stream & 15); h.flags >> 8 & 3 {
				case 0:
					g.read(l, int(h.size&0xffff))
				case 1:
					g.let(l)
				case 2:
					g.abandon(l)
				}
				*now = now.Add(time.Second)
			}
			if _, err := g.in(h); err != nil {
				return
			}
			open, unread := 0, int64(0)
			for _, l := range g.lanes {
				if l.theirs && !l.gone {
					open++
				}
				unread += l.unread
				if l.unread < 0 || l.credit < 0 || l.offered > window {
					t.Fatalf("lane %+v", l)
				}
			}
			if open != g.theirs || g.unread < unread || g.unread > g.limits.Unread {
				t.Fatalf("open %d/%d unread %d/%d", open, g.theirs, unread, g.unread)
			}
		}
	})
}
