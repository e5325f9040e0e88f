package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
)

// stream serves an operation that takes long: server-sent events "progress",
// and one "result" or "error" at the end. When the client goes away the
// operation is cancelled.
func stream[T any](mux *http.ServeMux, pattern string, run func(r *http.Request, req T, tell func(any)) (any, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var req T
		if err := decode(r, &req); err != nil {
			reply(w, func(*http.Request) (any, error) { return nil, err }, r)
			return
		}
		e := newEvents(w)
		v, err := run(r, req, func(v any) { e.send("progress", v) })
		if err != nil {
			e.finish("error", toWire(err))
			return
		}
		e.finish("result", v)
	})
}

// events writes server-sent events; several goroutines may tell progress.
type events struct {
	mu   sync.Mutex
	w    http.ResponseWriter
	done bool
}

func newEvents(w http.ResponseWriter) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	e := &events{w: w}
	_ = http.NewResponseController(w).Flush()
	return e
}

func (e *events) send(event string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done {
		return
	}
	_, _ = fmt.Fprintf(e.w, "event: %s\ndata: %s\n\n", event, b)
	_ = http.NewResponseController(e.w).Flush()
}

func (e *events) finish(event string, v any) {
	e.send(event, v)
	e.mu.Lock()
	e.done = true // nothing may touch the writer after the handler has returned
	e.mu.Unlock()
}
