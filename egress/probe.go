package egress

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// Health is what GET /healthz answers: by the nonce a bottle's probe knows
// that it talks to its own sidecar and to no other bottle's.
type Health struct {
	Nonce    string `json:"nonce"`
	Open     bool   `json:"open"`
	Revision uint64 `json:"revision"`
}

// MaxEcho is the most bytes that /echo takes and gives, each way.
const MaxEcho = 16 << 20

func (p *Proxy) serveHealth(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		p.deny(w, Decision{Via: "http", Reason: BadRequest, Method: method(r), Path: "/healthz"})
		return
	}
	p.mu.Lock()
	h := Health{Nonce: p.nonce, Open: p.open, Revision: p.rules.policy.Revision}
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(h)
}

// serveEcho takes a body and answers ?down=N bytes, byte i being i modulo 251.
// The header X-Bottle-Received says how many bytes came. Probes use it to see
// that the way carries bytes both ways, and how fast.
func (p *Proxy) serveEcho(w http.ResponseWriter, r *http.Request) {
	down, err := strconv.ParseUint(r.URL.Query().Get("down"), 10, 32)
	if r.URL.Query().Get("down") == "" {
		down, err = 0, nil
	}
	if r.Method != http.MethodPost || err != nil || down > MaxEcho || r.ContentLength > MaxEcho {
		p.deny(w, Decision{Via: "http", Reason: BadRequest, Method: method(r), Path: "/echo"})
		return
	}
	up, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, MaxEcho))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatUint(down, 10))
	h.Set("X-Bottle-Received", strconv.FormatInt(up, 10))
	_, _ = io.CopyN(w, &pattern251{}, int64(down))
}

// pattern251 is an endless reader of 0, 1, … 250, 0, …
type pattern251 struct{ at int }

func (p *pattern251) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(p.at)
		if p.at++; p.at == 251 {
			p.at = 0
		}
	}
	return len(b), nil
}

// method is r's method if it is one that is known, for the journal.
func method(r *http.Request) string {
	if len(r.Method) > 16 {
		return "other"
	}
	return r.Method
}
