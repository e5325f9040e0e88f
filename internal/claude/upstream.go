package claude

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxBody bounds a request; the client's own, with its tools, are some 100 KB.
const maxBody = 32 << 20

// Turn is what a request for a message asks, cut down to what a script needs.
type Turn struct {
	Text    string   // all text of the person's last message; the client puts reminders of its own around what was typed
	Results []string // of the tools that it answers, if any
	Tools   []string // the names of the tools on offer; none in the client's own small questions
}

// Reply is what the fake says. A Tool is asked for after the text.
type Reply struct {
	Text  string
	Tool  string
	Input any // of the tool; encoded as JSON
}

// Script chooses the answer to a turn. It is called from several goroutines.
type Script func(Turn) Reply

// Demo says that it is a fake, and shows a tool when asked to run something.
func Demo(t Turn) Reply {
	switch {
	case len(t.Results) > 0:
		return Reply{Text: "The command ran."}
	case strings.Contains(t.Text, "run ") && len(t.Tools) > 0:
		_, command, _ := strings.Cut(t.Text, "run ")
		command, _, _ = strings.Cut(command, "\n")
		return Reply{Text: "I run it.", Tool: "Bash", Input: map[string]string{"command": command, "description": "What was asked for"}}
	}
	return Reply{Text: "This is a fake of the API. Ask me to run a command."}
}

// Request is something that the fake was asked.
type Request struct {
	Method, Path string // the path with its query
	Header       http.Header
	Turn         Turn
}

// Upstream is a fake of the Messages API behind TLS.
type Upstream struct {
	URL  string // "https://address:port"
	Root string // PEM of the certificate to trust

	script Script
	server *http.Server
	served chan struct{}

	mu       sync.Mutex
	requests []Request
}

// Listen starts a fake on an address of this computer ("192.0.2.7:0").
func Listen(address string, script Script) (*Upstream, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	cert, root, err := certificate(l.Addr().(*net.TCPAddr).IP) //nolint:forcetypeassert // of a TCP listener
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	u := &Upstream{URL: "https://" + l.Addr().String(), Root: root, script: script, served: make(chan struct{})}
	u.server = &http.Server{
		Handler: u, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
	}
	go func() {
		defer close(u.served)
		_ = u.server.ServeTLS(l, "", "")
	}()
	return u, nil
}

// Close ends the fake and the connections to it.
func (u *Upstream) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := u.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = u.server.Close()
	}
	<-u.served
	return err
}

// Requests returns what was asked so far, oldest first.
func (u *Upstream) Requests() []Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]Request(nil), u.requests...)
}

// ServeHTTP implements http.Handler.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	ask, err := parse(body)
	u.mu.Lock()
	u.requests = append(u.requests, Request{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Turn: ask.turn})
	u.mu.Unlock()
	switch {
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusOK)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case r.URL.Path == "/v1/messages/count_tokens":
		writeJSON(w, map[string]int{"input_tokens": len(body) / 4})
	case r.URL.Path != "/v1/messages":
		http.NotFound(w, r)
	case ask.stream:
		stream(w, ask.model, u.script(ask.turn))
	default:
		writeJSON(w, whole(ask.model, u.script(ask.turn)))
	}
}

// ask is a request as the wire has it.
type ask struct {
	model  string
	stream bool
	turn   Turn
}

func parse(body []byte) (ask, error) {
	var a ask
	if len(bytes.TrimSpace(body)) == 0 {
		return a, nil
	}
	var wire struct {
		Model    string
		Stream   bool
		Messages []struct {
			Role    string
			Content json.RawMessage
		}
		Tools []struct{ Name string }
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return a, fmt.Errorf("the body is no request: %w", err)
	}
	a.model, a.stream = wire.Model, wire.Stream
	for _, t := range wire.Tools {
		a.turn.Tools = append(a.turn.Tools, t.Name)
	}
	// The client may put a message of the role "system" behind what was typed.
	for _, m := range slices.Backward(wire.Messages) {
		if m.Role == "user" {
			a.turn.Text, a.turn.Results = content(m.Content)
			break
		}
	}
	return a, nil
}

// content reads a message's content: a string, or a list of blocks, where a
// tool's result is again either.
func content(raw json.RawMessage) (text string, results []string) {
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var blocks []struct {
		Type, Text string
		Content    json.RawMessage
	}
	if json.Unmarshal(raw, &blocks) != nil {
		return "", nil
	}
	for _, b := range blocks {
		switch b.Type {
		case "text":
			text += b.Text + "\n"
		case "tool_result":
			inner, _ := content(b.Content)
			results = append(results, inner)
		}
	}
	return text, results
}
