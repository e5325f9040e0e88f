package egress

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// What a switch took back does not go on because it had begun.
func TestSwitchingTheWebOffEndsWhatMaySearch(t *testing.T) {
	r, u := newRig(t, Options{}), newUpstream(t)
	begun, over := make(chan struct{}, 8), make(chan struct{})
	u.reply = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-over
	}
	defer close(over)
	with, without := u.policy(), u.policy()
	with.API.Web = true
	r.SetCredential(&Credential{APIKey, theKey, placeholder})
	search := func() io.ReadCloser {
		t.Helper()
		const body = `{"max_tokens":1,"tools":[{"type":"web_search_20250305","name":"s"}]}`
		c := r.dial()
		fmt.Fprintf(c, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", placeholder, len(body), body)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		<-begun
		return resp.Body
	}
	r.open(with)
	reply := search()
	r.open(with) // another change of the policy leaves it alone
	if n := r.Stats().Calls; n != 1 {
		t.Fatalf("%d requests run", n)
	}
	r.open(without)
	if _, err := io.ReadAll(reply); err == nil {
		t.Error("the reply came to its end")
	}
	if d := r.line(func(d Decision) bool { return d.Kind == APICall }); d.Reason != Revoked {
		t.Errorf("line = %+v", d)
	}
}
