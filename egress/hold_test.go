package egress

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// asked sends a request and gives back its status once there is one.
func (r *rig) asked(raw string) <-chan int {
	got := make(chan int, 1)
	c := r.dial()
	if _, err := io.WriteString(c, raw); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		defer close(got)
		var status int
		if _, err := fmt.Fscanf(c, "HTTP/1.1 %d", &status); err == nil {
			got <- status
		}
	}()
	return got
}

func (r *rig) heldNow() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, d := range r.lines {
		if d.Kind == Held {
			n++
		}
	}
	return n
}

func TestAnUnlistedPlaceWaitsForTheAnswerThatLetsItThrough(t *testing.T) {
	r := newRig(t, Options{})
	addr, hits := echoServer(t)
	port := r.origin("new.example", addr)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") }))
	defer site.Close()
	plain := r.origin("plain.example", site.Listener.Addr().String())
	wait := &Hold{Millis: 30_000}
	r.open(Policy{Revision: 1, Hold: wait})
	tunnel := r.asked(fmt.Sprintf("CONNECT new.example:%d HTTP/1.1\r\nHost: x\r\n\r\n", port))
	get := r.asked(fmt.Sprintf("GET http://plain.example:%d/ HTTP/1.1\r\nHost: x\r\n\r\n", plain))
	if d := r.line(kind(Held, "new.example")); d.Via != "connect" || d.Port != port || d.Millis != 30_000 {
		t.Errorf("the question is %+v", d)
	}
	r.line(kind(Held, "plain.example"))
	// A policy that says nothing of them lets them wait on.
	r.open(Policy{Revision: 2, Hold: wait, Hosts: []Rule{{Host: "other.example"}}})
	if hits() != 0 || len(r.names.queries()) != 0 {
		t.Fatalf("%d connections while they wait, the resolver was asked for %v", hits(), r.names.queries())
	}
	r.open(Policy{Revision: 3, Hold: wait, Hosts: []Rule{{Host: "new.example", Port: port}, {Host: "plain.example", Port: plain}}})
	if a, b := <-tunnel, <-get; a != 200 || b != 200 {
		t.Errorf("after the answer: %d and %d", a, b)
	}
}

// The answer to another request for the same place may come just before this one
// begins to wait: then nothing more will tell of it.
func TestWhatWasAllowedMeanwhileDoesNotWait(t *testing.T) {
	r := newRig(t, Options{})
	r.open(Policy{Hold: &Hold{Millis: 30_000}, Hosts: []Rule{{Host: "new.example"}}})
	f, why := r.awaitAnswer(t.Context(), Target{Host: "new.example", Port: 443}, Decision{Via: "connect", Host: "new.example", Port: 443})
	if f == nil {
		t.Fatalf("refused: %s", why)
	}
	r.release(f)
	if r.heldNow() != 0 {
		t.Error("a person was asked about it")
	}
}

func TestWhatWaitsIsRefusedByNoByBlockByShuttingAndByTime(t *testing.T) {
	const raw = "CONNECT new.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"
	wait := &Hold{Millis: 30_000}
	for name, answer := range map[string]func(r *rig){
		"no":         func(r *rig) { r.open(Policy{Hold: &Hold{Millis: 30_000, Except: []string{"New.example."}}}) },
		"block":      func(r *rig) { r.open(Policy{Hold: wait, Block: []string{"new.example"}}) },
		"not at all": func(r *rig) { r.open(Policy{}) },
		"shut":       func(r *rig) { r.Shut() },
		"time":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{})
			p := Policy{Hold: wait}
			if answer == nil {
				p.Hold = &Hold{Millis: 50}
			}
			r.open(p)
			got := r.asked(raw)
			r.line(kind(Held, "new.example"))
			if answer != nil {
				answer(r)
			}
			if status := <-got; status != 403 {
				t.Errorf("status %d", status)
			}
			r.line(kind(Denied, "new.example"))
			if q := r.names.queries(); len(q) != 0 {
				t.Errorf("the resolver was asked for %v", q)
			}
		})
	}
}

// More than a few do not wait, and nobody's wait keeps another's request.
func TestFewWaitAtOnceAndWhoHangsUpGivesItsPlaceBack(t *testing.T) {
	r := newRig(t, Options{})
	r.open(Policy{Hold: &Hold{Millis: 30_000}})
	for i := range maxHeld {
		r.asked(fmt.Sprintf("CONNECT h%d.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", i))
		r.line(kind(Held, fmt.Sprintf("h%d.example", i)))
	}
	if _, _, resp := r.tunnel("toomany.example:443"); resp.StatusCode != 403 || r.heldNow() != maxHeld {
		t.Fatalf("status %d, %d wait", resp.StatusCode, r.heldNow())
	}
	r.Shut()
	for i := range maxHeld {
		r.line(kind(Denied, fmt.Sprintf("h%d.example", i)))
	}
	r.Open()
	gone := r.dial()
	io.WriteString(gone, "CONNECT gone.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	r.line(kind(Held, "gone.example"))
	gone.Close()
	r.line(kind(Denied, "gone.example"))
}

// A guest that asks and hangs up in a loop cannot flood the record with
// questions: past the limit of lines it is refused at once.
func TestQuestionsAreLimitedLikeRefusals(t *testing.T) {
	r := newRig(t, Options{})
	r.open(Policy{Hold: &Hold{Millis: 1}})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 100 {
				r.send(fmt.Sprintf("GET http://h%d-%d.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", i, k))
			}
		})
	}
	began := time.Now()
	wg.Wait()
	limit := linesPerSecond + int(time.Since(began).Seconds()*linesPerSecond) + 1
	if n := r.heldNow(); n > limit {
		t.Errorf("%d questions, the limit was %d", n, limit)
	}
}

// The flood of the threat model, through the real proxy: the one tunnel and
// the canary have their lines, the rest is counted.
func TestAFloodHidesNeitherATunnelNorACanary(t *testing.T) {
	const each = 400
	r := newRig(t, Options{Limits: Limits{Conns: 8 * each}}) // closed ones linger
	addr, _ := echoServer(t)
	port := r.origin("one.example", addr)
	r.open(Policy{Hosts: []Rule{{Host: "one.example", Port: port}}, Canaries: []string{"canary.example"}})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for k := range each {
				r.send(fmt.Sprintf("GET http://h%d-%d.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", i, k))
			}
		})
	}
	conn, _, resp := r.tunnel(fmt.Sprintf("one.example:%d", port))
	if resp.StatusCode != 200 {
		t.Fatalf("the tunnel: %d", resp.StatusCode)
	}
	io.WriteString(conn, "x")
	r.send("GET http://canary.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	wg.Wait()
	conn.Close()
	r.line(kind(Allowed, "one.example"))
	if d := r.line(kind(Denied, "canary.example")); !d.Canary {
		t.Error("the canary's line is not marked")
	}
	r.line(kind(Closed, "one.example"))
	r.Proxy.Close()
	told := 0
	r.mu.Lock()
	for _, d := range r.lines {
		if d.Kind == Lost || d.Kind == Denied && strings.HasPrefix(d.Host, "h") {
			told += d.Count
		}
	}
	r.mu.Unlock()
	if told != 4*each {
		t.Errorf("%d of %d refusals are accounted for", told, 4*each)
	}
}
