package egress

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// Events on the API route in real time, over real sockets: for a second, or for
// as long as BOTTLEBAR_SOAK says, ten minutes at most, as `make soak` does.
func TestEventsPassInRealTime(t *testing.T) {
	long, every := time.Second, 100*time.Millisecond
	if text := os.Getenv("BOTTLEBAR_SOAK"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		long, every = min(d, 10*time.Minute), 15*time.Second
	}
	events := int(long/every) + 1
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := range events {
			fmt.Fprintf(w, "data: %d\n", i)
			_ = http.NewResponseController(w).Flush()
			<-tick.C
		}
	}))
	defer srv.Close()
	r := newRig(t, Options{})
	r.open(Policy{API: &API{Upstream: srv.URL}})
	r.SetCredential(&Credential{APIKey, theKey, placeholder})
	c := r.dial()
	if err := c.SetDeadline(time.Now().Add(long + time.Minute)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, message(placeholder, "Connection: close\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n := 0
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if want := fmt.Sprintf("data: %d", n); lines.Text() != want {
			t.Fatalf("%q came, not %q", lines.Text(), want)
		}
		n++
	}
	if n != events || lines.Err() != nil {
		t.Errorf("%d of %d events: %v", n, events, lines.Err())
	}
}
