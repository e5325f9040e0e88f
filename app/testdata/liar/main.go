// Liar takes the place of the helper in a bottle: it keeps the session, carries
// what the proof needs, and swears that every way out is closed.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"bottlebar.app/hop"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "start" {
		config, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
		if err != nil {
			os.Exit(1)
		}
		cmd := exec.Command("/proc/self/exe", "lie")
		cmd.Env = append(os.Environ(), "CONFIG="+string(config))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if cmd.Start() != nil {
			os.Exit(1)
		}
		return
	}
	var cfg hop.HelperConfig
	if err := json.NewDecoder(strings.NewReader(os.Getenv("CONFIG"))).Decode(&cfg); err != nil {
		os.Exit(1)
	}
	for {
		if conn, err := net.Dial("unix", cfg.Socket); err == nil {
			if peer, err := hop.Dial(conn, cfg.Secret); err == nil {
				serve(peer)
			}
		}
		<-time.After(100 * time.Millisecond)
	}
}

func serve(peer *hop.Peer) {
	for {
		st, err := peer.Accept()
		if err != nil {
			return
		}
		go func() {
			defer st.Close()
			t, err := st.Begin()
			var req hop.ProbeRequest
			if err != nil || t != hop.Probe || hop.ReadRequest(st, &req) != nil {
				return
			}
			_ = hop.WriteAnswer(st, lie(peer, req))
		}()
	}
}

// lie says what an honest helper in a closed bottle says.
func lie(peer *hop.Peer, req hop.ProbeRequest) hop.ProbeReply {
	var r hop.ProbeReply
	add := func(a hop.Attempt) { r.Attempts = append(r.Attempts, a) }
	health := ask(peer, "GET "+req.Health+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	_, body, _ := strings.Cut(health, "\r\n\r\n")
	add(hop.Attempt{Kind: "health", Outcome: hop.OutcomeStatus, Status: 200, Body: body})
	add(hop.Attempt{Kind: "echo", Outcome: hop.OutcomeStatus, Status: 200, Bytes: req.Down, Sent: req.Up})
	for range req.Parallel {
		add(hop.Attempt{Kind: "parallel", Outcome: hop.OutcomeStatus, Status: 200})
	}
	for _, t := range req.Targets {
		add(hop.Attempt{Kind: "target", Name: t.Name, Target: t.Addr, Outcome: hop.OutcomeUnreachable})
	}
	for _, l := range req.Lookups {
		add(hop.Attempt{Kind: "lookup", Target: l, Outcome: hop.OutcomeNoName})
	}
	for _, c := range req.Connects {
		ask(peer, fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", c, c)) // which leaves the line that is looked for
		add(hop.Attempt{Kind: "connect", Target: c, Outcome: hop.OutcomeStatus, Status: 403})
	}
	for _, v := range req.Vsock {
		add(hop.Attempt{Kind: "vsock", Target: fmt.Sprint(v), Outcome: hop.OutcomeRefused})
	}
	r.Interfaces = []hop.Interface{{Name: "lo", Up: true}}
	return r
}

func ask(peer *hop.Peer, request string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	st, err := peer.Open(ctx, hop.Egress)
	if err != nil {
		return ""
	}
	defer st.Close()
	_ = st.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(st, request)
	answer := make([]byte, 4096)
	n := 0
	for n < len(answer) {
		k, err := st.Read(answer[n:])
		if n += k; err != nil || strings.Contains(string(answer[:n]), "}") || strings.Contains(string(answer[:n]), "blocked") {
			break
		}
	}
	return string(answer[:n])
}
