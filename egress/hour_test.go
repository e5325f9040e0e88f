package egress

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A reply that goes on for an hour, an event every half minute, comes through
// event by event and whole: nothing here has a limit on how long one lasts. So
// does a tunnel that says something now and then; one that says nothing ends.
func TestAnHourOfEventsPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every, events = 30 * time.Second, 120
		p := New(Options{Resolver: &fakeNames{}, Tell: func(Decision) {}})
		if err := p.SetPolicy(Policy{API: &API{Upstream: "http://api.example"}}); err != nil {
			t.Fatal(err)
		}
		p.SetCredential(&Credential{APIKey, theKey, placeholder})
		p.Open()
		upstream := &oneListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
		p.rules.api.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			upstream.conns <- theirs
			return ours, nil
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range events {
				fmt.Fprintf(w, "data: %d %d\n\n", i, time.Now().Unix())
				_ = http.NewResponseController(w).Flush()
				<-time.After(every)
			}
			fmt.Fprint(w, "data: end\n\n")
		})}
		go srv.Serve(upstream)
		ours, theirs := net.Pipe()
		front := &oneListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
		front.conns <- theirs
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		go func() { defer close(served); p.Serve(ctx, front) }()

		io.WriteString(ours, message(placeholder, ""))
		br := bufio.NewReader(ours)
		resp, err := http.ReadResponse(br, nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		began := time.Now()
		lines := bufio.NewScanner(resp.Body)
		got, last := 0, ""
		for lines.Scan() {
			if lines.Text() == "" {
				continue
			}
			last = lines.Text()
			if last == "data: end" {
				break
			}
			if want := fmt.Sprintf("data: %d %d", got, time.Now().Unix()); last != want {
				t.Fatalf("after %s came %q, want %q", time.Since(began), last, want)
			}
			got++
		}
		if took := time.Since(began); got != events || last != "data: end" || took < time.Hour {
			t.Errorf("%d events and then %q in %s: %v", got, last, took, lines.Err())
		}
		ours.Close()
		cancel()
		srv.Close()
		p.Close()
		<-served
		synctest.Wait()
	})
}

func TestATunnelLastsAsLongAsItSpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = 10 * time.Minute
		a, bottle := net.Pipe()
		b, server := net.Pipe()
		go io.Copy(server, server)
		type end struct {
			up, down int64
			why      Reason
		}
		ended := make(chan end, 1)
		go func() {
			up, down, why := bothWays(t.Context(), a, b, idle)
			ended <- end{up, down, why}
		}()
		began := time.Now()
		for range 12 {
			<-time.After(5 * time.Minute)
			io.WriteString(bottle, "x")
			if _, err := io.ReadFull(bottle, make([]byte, 1)); err != nil {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
		}
		spoke := time.Now()
		e := <-ended
		if took := time.Since(spoke); e.why != Idled || took < idle || took > idle+idle/2 || e.up != 12 || e.down != 12 {
			t.Errorf("%+v after %s", e, took)
		}
		bottle.Close()
		server.Close()
	})
}
