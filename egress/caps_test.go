package egress

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// host answers a meter's wishes out of one cap, as the app does.
type host struct {
	m     *Meter
	cap   int64
	wants chan Want
	done  chan struct{}

	mu   sync.Mutex
	told []Totals
}

func newHost(t testing.TB, limit int64) *host {
	h := &host{cap: limit, wants: make(chan Want, 1000), done: make(chan struct{})}
	h.m = NewMeter(func(n Totals) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.told = append(h.told, n)
	}, func(w Want) { h.wants <- w })
	h.m.Allow(Allowance{Capped: true}, 0)
	go func() {
		defer close(h.done)
		allowed := int64(0)
		for w := range h.wants {
			a := Allowance{Capped: true}
			if allowed+w.Tokens > h.cap {
				a.Short = &Shortage{Cap: "bottle", Limit: h.cap, Used: allowed}
			} else {
				allowed += w.Tokens
			}
			a.Tokens = allowed
			h.m.Allow(a, w.ID)
		}
	}()
	t.Cleanup(func() { close(h.wants); <-h.done })
	return h
}

func TestFiftyAtOnceNeverOverspendACapOfFive(t *testing.T) {
	body := `{"max_tokens":100,"pad":"` + strings.Repeat("x", 275) + `"}`
	cost := most(t, body)
	h := newHost(t, 5*cost)
	r, u := apiRig(t, Options{Meter: h.m, Limits: Limits{Calls: 50}}, &Credential{APIKey, theKey, placeholder})
	var arrived, running, most atomic.Int64
	u.mu.Lock()
	u.reply = func(w http.ResponseWriter, _ *http.Request) {
		arrived.Add(1)
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"usage":{"input_tokens":%d,"output_tokens":100}}`, cost-100)
	}
	u.mu.Unlock()
	raw := fmt.Sprintf("POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", placeholder, len(body), body)
	var ok, capped atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			resp, text := r.send(raw)
			switch resp.StatusCode {
			case 200:
				ok.Add(1)
			case 429:
				var e apiError
				if json.Unmarshal([]byte(text), &e) != nil || e.Error.Type != "rate_limit_error" || !strings.Contains(e.Error.Message, "This bottle's token cap of") {
					t.Errorf("a 429 says %q", text)
				}
				capped.Add(1)
			default:
				t.Errorf("%d %s", resp.StatusCode, text)
			}
		})
	}
	wg.Wait()
	r.handlers.Wait() // a reply is settled once all of it was sent
	if resp, _ := r.send(raw); resp.StatusCode != 429 {
		t.Errorf("one more, when all are settled: %d", resp.StatusCode)
	}
	if ok.Load() != 5 || capped.Load() != 45 || arrived.Load() != 5 {
		t.Errorf("%d went through, %d were refused, %d reached the API", ok.Load(), capped.Load(), arrived.Load())
	}
	if n := h.m.Totals(); n.Spent() != 5*cost || n.Held != 0 || n.Requests != 5 {
		t.Errorf("counted %+v, cap %d", n, 5*cost)
	}
	for _, n := range h.told {
		if n.Spent()+n.Held > 5*cost {
			t.Errorf("at some time %d were spent and held", n.Spent()+n.Held)
		}
	}
}

func TestEightRequestsRunAtOnceAndTheNinthIsToldToWait(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	arrived, end := make(chan bool, 20), make(chan bool)
	u.mu.Lock()
	u.reply = func(http.ResponseWriter, *http.Request) { arrived <- true; <-end }
	u.mu.Unlock()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { r.send(message(placeholder, "")) })
	}
	for range 8 {
		<-arrived
	}
	resp, text := r.send(message(placeholder, ""))
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("X-Should-Retry") != "true" || !strings.Contains(text, "too many") {
		t.Errorf("the ninth: %d %q", resp.StatusCode, text)
	}
	close(end)
	wg.Wait()
}

func TestAReservationStaysWhenTheReplyIsCutOrUnreadable(t *testing.T) {
	body := `{"max_tokens":1000}`
	held := most(t, body)
	raw := fmt.Sprintf("POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", placeholder, len(body), body)
	stream := func(text string, cut bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, text)
			w.(http.Flusher).Flush()
			if cut {
				panic(http.ErrAbortHandler)
			}
		}
	}
	plain := func(status int, kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			io.WriteString(w, text)
		}
	}
	half := events[:strings.Index(events, "event: message_delta")]
	for name, c := range map[string]struct {
		reply  http.HandlerFunc
		spent  int64
		unread int64
	}{
		"a whole stream":          {stream(events, false), eventsUsage.Total(), 0},
		"cut behind the end":      {stream(events, true), eventsUsage.Total(), 0},
		"cut in the middle":       {stream(half, true), held, held},
		"ends without its end":    {stream(half, false), held, held},
		"compressed all the same": {plain(200, "application/json", "\x1f\x8b\x08\x00garbage"), held, held},
		"no usage":                {plain(200, "application/json", `{"ok":true}`), held, held},
		"another kind":            {plain(200, "text/html", `<p>`), held, held},
		"an error of the API":     {plain(429, "application/json", `{"type":"error"}`), 0, 0},
		"overloaded":              {plain(529, "application/json", `{"type":"error"}`), 0, 0},
		"a usage above it":        {plain(200, "application/json", `{"usage":{"input_tokens":90000,"output_tokens":10}}`), 90010, 0},
		"cut above it":            {stream("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":90000}}}\n\n", true), 90000, 90000},
		"no reply at all":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, held, held},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMeter(nil, nil)
			r, u := apiRig(t, Options{Meter: m}, &Credential{APIKey, theKey, placeholder})
			u.mu.Lock()
			u.reply = c.reply
			u.mu.Unlock()
			conn := r.dial()
			io.WriteString(conn, raw)
			answered(conn)
			d := r.line(func(d Decision) bool { return d.Kind == APICall })
			if n := m.Totals(); n.Spent() != c.spent || n.Unread != c.unread || n.Held != 0 || d.Tokens != c.spent {
				t.Errorf("counted %+v, told %d; want %d, of which unread %d", n, d.Tokens, c.spent, c.unread)
			}
		})
	}
	t.Run("whoever asked hangs up", func(t *testing.T) {
		m := NewMeter(nil, nil)
		r, u := apiRig(t, Options{Meter: m}, &Credential{APIKey, theKey, placeholder})
		begun := make(chan bool)
		u.mu.Lock()
		u.reply = func(w http.ResponseWriter, req *http.Request) {
			stream(half, false)(w, req)
			begun <- true
			<-req.Context().Done()
		}
		u.mu.Unlock()
		c := r.dial()
		io.WriteString(c, raw)
		<-begun
		c.Close()
		r.line(func(d Decision) bool { return d.Kind == APICall })
		if n := m.Totals(); n.Unread != held || n.Held != 0 {
			t.Errorf("counted %+v", n)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		m := NewMeter(nil, nil)
		r, u := apiRig(t, Options{Meter: m}, &Credential{APIKey, theKey, placeholder})
		u.Server.Close()
		r.send(raw)
		if n := m.Totals(); n.Spent() != 0 || n.Held != 0 {
			t.Errorf("counted %+v", n)
		}
	})
	t.Run("a count of tokens and the models take none", func(t *testing.T) {
		h := newHost(t, 0)
		r, _ := apiRig(t, Options{Meter: h.m}, &Credential{APIKey, theKey, placeholder})
		for _, raw := range []string{strings.Replace(raw, "messages", "messages/count_tokens", 1), "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + placeholder + "\r\n\r\n"} {
			if resp, text := r.send(raw); resp.StatusCode != 200 {
				t.Errorf("%d %s", resp.StatusCode, text)
			}
		}
		if n := h.m.Totals(); n.Spent() != 0 || n.Requests != 2 {
			t.Errorf("counted %+v", n)
		}
	})
}

// answered reads one reply to its end, or until it is cut.
func answered(c net.Conn) {
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	c.Close()
}

func TestAskedToCompressTheAPIIsAskedNotTo(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	r.send(message(placeholder, "Accept-Encoding: gzip, br\r\n"))
	if req, _ := u.last(t); req.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("the API is asked for %q", req.Header.Get("Accept-Encoding"))
	}
	// Nor does the transport ask for it by itself, and unpack what nobody counted.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.rules.api.transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if req, _ := u.last(t); req.Header.Get("Accept-Encoding") != "" {
		t.Errorf("the transport asks for %q", req.Header.Get("Accept-Encoding"))
	}
}

func TestAMeterWaitsForItsAnswerAndKeepsWhatIsOut(t *testing.T) {
	asked := make(chan Want, 10)
	var told Totals
	m := NewMeter(func(n Totals) { told = n }, func(w Want) { asked <- w })
	a, err := m.reserve(t.Context(), 70) // no cap yet
	if err != nil {
		t.Fatal(err)
	}
	if told.Held != 70 || told.Requests != 1 {
		t.Errorf("before the request goes out %+v is told", told)
	}
	// A cap below what is out allows that much and no more.
	if got, n := m.Allow(Allowance{Capped: true, Tokens: 10}, 0); got.Tokens != 70 || n.Held != 70 {
		t.Errorf("allowed %+v with %+v", got, n)
	}
	got := make(chan error, 1)
	go func() {
		b, err := m.reserve(t.Context(), 50)
		if err == nil {
			b.free()
		}
		got <- err
	}()
	w := <-asked
	if w.Tokens != 50 || w.Totals.Held != 70 {
		t.Errorf("asked for %+v", w)
	}
	m.Allow(Allowance{Capped: true, Tokens: 120}, w.ID)
	if err := <-got; err != nil {
		t.Errorf("allowed: %v", err)
	}
	a.settle(Usage{Output: 30})
	a.keep(Usage{}) // a second end changes nothing
	if n := m.Totals(); n.Spent() != 30 || n.Held != 0 {
		t.Errorf("counted %+v", n)
	}
	// What was reserved and not used is there for the next.
	if b, err := m.reserve(t.Context(), 90); err != nil {
		t.Errorf("within what is left: %v", err)
	} else {
		b.free()
	}
	m.wait = time.Millisecond
	if _, err := m.reserve(t.Context(), 1000); !errors.Is(err, errUnanswered) {
		t.Errorf("without an answer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.wait = time.Hour
	if _, err := m.reserve(ctx, 1000); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever asked has gone: %v", err)
	}
	if len(m.wants) != 0 {
		t.Errorf("%d wishes are left", len(m.wants))
	}
}

func TestACapSaysWhichWhatAndWhen(t *testing.T) {
	day := &CapError{Short: Shortage{Cap: "day", Limit: 2_000_000, Used: 1_999_000, Resets: time.Date(2026, 11, 28, 0, 0, 0, 0, time.FixedZone("CET", 3600))}, Need: 12_345}
	want := "The day's token cap, which all bottles share, of 2,000,000 is reached: 1,999,000 used, and this request may take 12,345. It starts afresh at 00:00 on 28 November (CET). " +
		"Do not retry. The user can raise it with `cap_day` in the settings on the host."
	if got := day.Error(); got != want {
		t.Errorf("got %q", got)
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234: "-1,234", 123456: "123,456", -123456: "-123,456"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %q", n, got)
		}
	}
}
