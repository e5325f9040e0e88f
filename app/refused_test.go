package app_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// A sidecar that was not given its policy may still obey the one before: until
// it has it, nothing leaves the bottle.
func TestASidecarThatDoesNotTakeItsPolicyLetsNothingOut(t *testing.T) {
	t.Parallel()
	program := replacing(t, "sidecar", "stubborn")
	for _, host := range []string{"refused.example", "deaf.example"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			keptIn(t, host, func() *home {
				h := newHome(t, "driver = \"process\"\n")
				h.binaries = program
				return h
			}())
		})
	}
}

func keptIn(t *testing.T, host string, h *home) {
	o := newOrigin(t)
	var asked atomic.Int64
	l := listen(t, o.host+":0")
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, "from the host")
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })

	h.open()
	h.add()
	b := h.launch()
	allow := func(port int) control.PolicyChange {
		return control.PolicyChange{Action: "allow", Scope: "bottle", Bottle: b.Name, Host: o.host, Port: port, Private: true}
	}
	h.change(allow(port(l)))
	h.change(allow(o.pipe))

	// A tunnel, and a client that asks again and again.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = h.exec(b.Name, control.ExecRequest{Argv: []string{"sh", "-c", fmt.Sprintf(
			"(printf 'CONNECT %[1]s:%[2]d HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nup'; sleep 600) | nc 127.0.0.1 3128 & while [ ! -e /tmp/enough ]; do wget -q -O /dev/null http://%[1]s:%[3]d/; sleep 0.05; done; kill $(jobs -p) 2>/dev/null; true",
			o.host, o.pipe, port(l))}})
	}()
	tunnel := <-o.held
	defer tunnel.Close()
	eventually(t, "the client to get through", func() bool { return asked.Load() > 0 })

	block := control.PolicyChange{Action: "block", Scope: "global", Host: host}
	_, err := h.app.ChangePolicy(t.Context(), block)
	says(t, err, "the way out of "+b.Name+" is shut")
	before := asked.Load()
	if err := tunnel.SetReadDeadline(time.Now().Add(40 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, tunnel); os.IsTimeout(err) {
		t.Error("the tunnel goes on")
	}
	eventually(t, "the bottle to say so", func() bool {
		got, _ := h.bottle(b.ID)
		return got.Problem != nil && got.Problem.Cure != "" && strings.Contains(got.Problem.What+got.Problem.Why, "is shut")
	})
	if got, _ := h.bottle(b.ID); got.State != snapshot.Ready || got.Isolation == snapshot.Proved {
		t.Errorf("shown as %s, %s", got.State, got.Isolation)
	}

	if host == "refused.example" { // the attempts that follow prove the bottle with the door open
		tries := strings.Count(h.log.String(), "not given its policy")
		eventually(t, "another attempt", func() bool { return strings.Count(h.log.String(), "not given its policy") > tries })
	}
	if n := asked.Load() - before; n > 0 {
		t.Errorf("%d requests got out under the policy from before", n)
	}
	if _, err := h.app.ChangePolicy(t.Context(), control.PolicyChange{Action: "unblock", Scope: "global", Host: host}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the way to open again", func() bool {
		got, _ := h.bottle(b.ID)
		return got.Isolation == snapshot.Proved && got.Problem == nil && asked.Load() > before
	})
	h.run(b.Name, "touch", "/tmp/enough")
	<-ended
}
