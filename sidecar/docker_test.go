package sidecar

import (
	"bufio"
	"encoding/json"
	"net/http"
	"testing"

	"bottlebar.app/egress"
)

func get(t *testing.T, s *Sidecar, path string) *http.Response {
	t.Helper()
	conn, err := s.Dial(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	req, _ := http.NewRequest(http.MethodGet, "http://sidecar"+path, nil)
	req.URL.Host, req.Host = "", "sidecar"
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestDockerSidecarRunsHardenedAndAnswersItsOwnNonce(t *testing.T) {
	d := dockerDriver(t)
	ctx := testContext(t)
	s, err := d.Start(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	var h egress.Health
	if err := json.NewDecoder(get(t, s, "/healthz").Body).Decode(&h); err != nil || h.Nonce != s.Nonce() {
		t.Fatalf("health = %+v, %v; want nonce %s", h, err, s.Nonce())
	}
	f, err := s.Inspect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range f.Lines {
		if !l.Holds {
			t.Errorf("%s: want %s, got %s", l.Name, l.Want, l.Got)
		}
	}
	t.Logf("%+v", f)
}
