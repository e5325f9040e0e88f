package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"bottlebar.app/internal/fault"
	"bottlebar.app/internal/frame"
)

// maxRequest bounds the JSON body of a request.
const maxRequest = 1 << 20

// upgrade names the protocol that a connection switches to for commands in a
// bottle: the frames of internal/frame.
const upgrade = "bottlebar-frames"

// Server answers on the control socket.
type Server struct {
	core Core
	http *http.Server

	mu    sync.Mutex
	busy  int
	since time.Time // when busy became 0
	conns sync.WaitGroup
}

// NewServer returns a Server for core.
func NewServer(core Core) *Server {
	s := &Server{core: core, since: time.Now()}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	return s
}

// Listen makes the socket at path, with mode 0600. One that nobody answers on
// is replaced.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > 103 {
		return nil, fault.New("opening the control socket", path+" is too long for a socket", "set BOTTLEBAR_HOME to a shorter folder")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return nil, fault.New("opening the control socket", "another Bottlebar answers on "+path, "end it first")
	}
	_ = os.Remove(path)
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// Serve answers until ctx ends, then lets running requests finish briefly and
// removes the socket.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		end, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if s.http.Shutdown(end) != nil {
			_ = s.http.Close()
		}
	})
	err := s.http.Serve(checked{l})
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if !stop() {
		<-stopped
	}
	s.conns.Wait()
	return err
}

// checked takes connections of the socket's owner only. The file's mode says so
// already; this holds also where a folder was opened by mistake.
type checked struct{ net.Listener }

func (c checked) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peer(conn); err == nil && ours(uid) {
			return conn, nil
		}
		_ = conn.Close()
	}
}

// ours tells whether a user may be at the other end of the socket: this one, or
// root, who could be anybody.
func ours(uid int) bool { return uid == os.Getuid() || uid == 0 }

// Idle is how long no request has been running; 0 while one is.
func (s *Server) Idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		return 0
	}
	return time.Since(s.since)
}

func (s *Server) count(n int) {
	s.mu.Lock()
	s.busy += n
	s.since = time.Now()
	s.mu.Unlock()
}

func (s *Server) routes() http.Handler {
	c := s.core
	mux := http.NewServeMux()
	answer := func(pattern string, h func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { reply(w, h, r) })
	}
	answer("GET /v1/identity", func(*http.Request) (any, error) { return c.Identity(), nil })
	answer("GET /v1/snapshot", func(*http.Request) (any, error) { return c.Snapshot(), nil })
	mux.HandleFunc("GET /v1/watch", s.watch)

	stream(mux, "POST /v1/launch", func(r *http.Request, req LaunchRequest, tell func(any)) (any, error) {
		return c.Launch(r.Context(), req, telling(tell, viewOf))
	})
	stream(mux, "POST /v1/bottles/{name}/resume", func(r *http.Request, _ struct{}, tell func(any)) (any, error) {
		return c.Resume(r.Context(), r.PathValue("name"), telling(tell, viewOf))
	})
	stream(mux, "POST /v1/bottles/{name}/copy", func(r *http.Request, req CopyRequest, tell func(any)) (any, error) {
		return c.Copy(r.Context(), r.PathValue("name"), req, telling(tell, transferOf))
	})
	answer("POST /v1/bottles/{name}/stop", func(r *http.Request) (any, error) {
		// What was begun is finished, also when the command line is interrupted.
		return struct{}{}, c.Stop(context.WithoutCancel(r.Context()), r.PathValue("name"))
	})
	answer("POST /v1/bottles/{name}/prove", func(r *http.Request) (any, error) { return c.Prove(r.Context(), r.PathValue("name")) })
	answer("GET /v1/bottles/{name}/environment", func(r *http.Request) (any, error) { return c.Environment(r.Context(), r.PathValue("name")) })
	s.activityRoutes(mux, answer)
	s.policyRoutes(answer)
	mux.HandleFunc("GET /v1/bottles/{name}/logs", s.logs)
	mux.HandleFunc("POST /v1/bottles/{name}/exec", frames(s, func(ctx context.Context, name string, req ExecRequest, conn io.ReadWriter) error {
		return c.Exec(ctx, name, req, conn)
	}))
	mux.HandleFunc("POST /v1/bottles/{name}/attach", frames(s, func(ctx context.Context, name string, req AttachRequest, conn io.ReadWriter) error {
		return c.Attach(ctx, name, req, conn)
	}))
	mux.HandleFunc("POST /v1/bottles/{name}/forward", raw(s, func(ctx context.Context, name string, req ForwardRequest, conn io.ReadWriter) error {
		return c.Forward(ctx, name, req, conn)
	}))
	s.libraryRoutes(mux, answer)
	proxyRoutes(c, answer)
	credentialRoutes(c, answer)
	answer("GET /v1/credential", func(r *http.Request) (any, error) { return c.CredentialStatus(r.Context()) })
	answer("POST /v1/credential", func(r *http.Request) (any, error) {
		var req credentialRequest
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return c.SetCredential(r.Context(), req.Kind, req.Secret)
	})
	answer("DELETE /v1/credential", func(r *http.Request) (any, error) { return struct{}{}, c.ClearCredential(r.Context()) })
	answer("POST /v1/doctor", func(r *http.Request) (any, error) { return c.Doctor(r.Context()) })
	answer("POST /v1/handover", func(r *http.Request) (any, error) { return struct{}{}, c.HandOver(r.Context()) })
	answer("POST /v1/show", func(r *http.Request) (any, error) { return struct{}{}, c.Show(r.Context()) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.count(1)
		defer s.count(-1)
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) libraryRoutes(mux *http.ServeMux, answer func(string, func(*http.Request) (any, error))) {
	c := s.core
	stream(mux, "POST /v1/library/add", func(r *http.Request, req AddRequest, tell func(any)) (any, error) {
		return c.AddArtifact(r.Context(), req, telling(tell, progressOf))
	})
	makeRoutes(mux, c, answer)
	stream(mux, "POST /v1/library/pack", func(r *http.Request, req PackRequest, tell func(any)) (any, error) {
		return c.PackArtifact(r.Context(), req, telling(tell, progressOf))
	})
	stream(mux, "POST /v1/library/{name}/verify", func(r *http.Request, _ struct{}, tell func(any)) (any, error) {
		return c.VerifyArtifact(r.Context(), r.PathValue("name"), telling(tell, progressOf))
	})
	answer("DELETE /v1/library/{name}", func(r *http.Request) (any, error) {
		return struct{}{}, c.RemoveArtifact(r.Context(), r.PathValue("name"))
	})
	answer("POST /v1/library/{name}/rename", func(r *http.Request) (any, error) {
		var req renameRequest
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return c.RenameArtifact(r.Context(), r.PathValue("name"), req.To)
	})
	answer("POST /v1/library/{name}/settings", func(r *http.Request) (any, error) {
		var req settingsRequest
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return c.SetArtifact(r.Context(), r.PathValue("name"), req.Settings)
	})
	answer("POST /v1/library/{name}/pin", func(r *http.Request) (any, error) {
		var req pinRequest
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return c.PinArtifact(r.Context(), r.PathValue("name"), req.Pinned)
	})
	answer("POST /v1/library/prune", func(r *http.Request) (any, error) {
		var req PruneRequest
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return c.Prune(r.Context(), req)
	})
}

func decode(r *http.Request, v any) error {
	err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxRequest)).Decode(v)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the request: %w", err)
	}
	return nil
}

// wireError is a failure on the wire.
type wireError struct {
	What      string `json:"what,omitempty"`
	Why       string `json:"why"`
	Cure      string `json:"cure,omitempty"`
	Detail    string `json:"detail,omitempty"`
	Cancelled bool   `json:"cancelled,omitempty"`
}

func toWire(err error) wireError {
	f := fault.Of(err)
	return wireError{What: f.What, Why: f.Why, Cure: f.Cure, Detail: f.Detail, Cancelled: errors.Is(err, context.Canceled)}
}

func reply(w http.ResponseWriter, h func(r *http.Request) (any, error), r *http.Request) {
	v, err := h(r)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		v = toWire(err)
	}
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	s.count(-1) // one who watches does not keep the owner busy
	defer s.count(1)
	e := newEvents(w)
	for snap := range s.core.Watch(r.Context()) {
		e.send("snapshot", snap)
	}
	e.finish("end", struct{}{})
}

func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	log, err := s.core.Logs(r.Context(), r.PathValue("name"), r.URL.Query().Get("which"))
	if err != nil {
		reply(w, func(*http.Request) (any, error) { return nil, err }, r)
		return
	}
	defer log.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.Copy(w, log)
}

// frames serves a command in a bottle: after the request the connection
// carries frames, and a failure is the last of them.
func frames[T any](s *Server, run func(ctx context.Context, name string, req T, conn io.ReadWriter) error) http.HandlerFunc {
	return raw(s, func(ctx context.Context, name string, req T, conn io.ReadWriter) error {
		err := run(ctx, name, req, conn)
		if err == nil {
			return nil
		}
		f := toWire(err)
		failure := frame.Failure{Message: f.Why, Cure: f.Cure}
		if f.What != "" {
			failure.Message = f.What + ": " + f.Why
		}
		var code *frame.Failure
		if errors.As(err, &code) {
			failure.Code = code.Code
		}
		return frame.NewWriter(conn).WriteJSON(frame.Error, failure)
	})
}

// raw serves a connection that carries bytes after its request; a failure ends
// it.
func raw[T any](s *Server, run func(ctx context.Context, name string, req T, conn io.ReadWriter) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req T
		if err := decode(r, &req); err != nil {
			reply(w, func(*http.Request) (any, error) { return nil, err }, r)
			return
		}
		if !strings.EqualFold(r.Header.Get("Upgrade"), upgrade) {
			http.Error(w, "this needs Upgrade: "+upgrade, http.StatusUpgradeRequired)
			return
		}
		name := r.PathValue("name")
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.conns.Add(1)
		defer s.conns.Done()
		defer conn.Close()
		_ = conn.SetDeadline(time.Time{})
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", upgrade); err != nil {
			return
		}
		// A hijacked connection tells of its end by itself: reading it fails.
		_ = run(r.Context(), name, req, buffered{conn, buf.Reader})
	}
}

// buffered reads what the HTTP server had read ahead before the connection.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.r.Read(p) }
