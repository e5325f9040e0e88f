package hop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bottlebar.app/internal/fault"
)

func TestListenRefusesWhatIsNotOurs(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"long path":   {filepath.Join("/tmp", strings.Repeat("x", 99)), "its path has 104 bytes and 103 are possible"},
		"open folder": {filepath.Join(open, "s"), "other users can enter"},
		"a file":      {file, "is not a socket"},
		"no folder":   {filepath.Join(dir, "none", "s"), "no such file"},
	} {
		ln, err := Listen(c.path)
		if err == nil {
			_ = ln.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
		if f := fault.Of(err); f == nil || f.What == "" {
			t.Errorf("%s: %v does not say what failed", name, err)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Error("the file in the way is gone")
	}
}

func TestListenReplacesOnlyASocketThatNobodyServes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v %v", fi.Mode(), err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another program serves") {
		t.Errorf("a second listener: %v", err)
	}
	first.ln.SetUnlinkOnClose(false) // as after a crash
	_ = first.Close()
	second, err := Listen(path)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	_ = second.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("Close left the socket behind")
	}
}

func TestAWrongSecretIsRefusedOnBothEnds(t *testing.T) {
	h := newHost(t)
	if err := greetHost(h.dial(), NewSecret()); err == nil {
		t.Error("a guest with a wrong secret got in")
	}
	if e := h.expect(EventRefused); !errors.Is(e.Err, ErrProof) {
		t.Errorf("told %v", e.Err)
	}
	// A listener that does not know the secret is no app of ours.
	a, b := net.Pipe()
	go func() {
		_, _ = a.Write(hello(NewSecret()))
		_, _ = io.CopyN(io.Discard, a, int64(helloSize)+32)
		_, _ = a.Write(append([]byte{verdictGo}, make([]byte, 32)...))
	}()
	if err := greetHost(b, h.secret); !errors.Is(err, ErrProof) {
		t.Errorf("a host with a wrong secret: %v", err)
	}
}

func TestAProofCannotBePlayedBack(t *testing.T) {
	h := newHost(t)
	// Reflect: answer the host's challenge with what another connection of
	// the host says about it. Only a "guest" proof over both challenges counts.
	conn := h.dial()
	challenge, err := readHello(conn)
	if err != nil {
		t.Fatal(err)
	}
	ours := NewSecret()
	stale := proof(h.secret, "guest", NewSecret(), ours)
	_, _ = conn.Write(append(hello(ours), stale...))
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a proof over another challenge was taken")
	}
	if bytes.Equal(proof(h.secret, "guest", challenge, ours), proof(h.secret, "host y", challenge, ours)) {
		t.Error("one proof serves as the other")
	}
}

func TestASecondConnectionIsClosedAndTold(t *testing.T) {
	h := newHost(t)
	peer := h.peer()
	s := h.session()
	if err := greetHost(h.dial(), h.secret); !errors.Is(err, ErrBusy) {
		t.Errorf("the second got %v", err)
	}
	h.expect(EventSecond)
	if _, err := s.Ping(h.ctx); err != nil {
		t.Errorf("the first session: %v", err)
	}
	_ = peer.Close()
	h.expect(EventLost)
	h.peer()
	if n := h.session(); n == s {
		t.Error("the lost session is still offered")
	}
}

func TestAHelperThatComesBackReplacesADeadSession(t *testing.T) {
	h := newHost(t)
	_ = h.raw2() // proves itself and then neither reads nor writes
	old := h.session()
	h.peer()
	<-old.Done()
	if _, err := h.session().Ping(h.ctx); err != nil {
		t.Error(err)
	}
}

// raw2 is a guest that stopped: nothing it is sent is read.
func (h *host) raw2() net.Conn {
	conn := h.dial()
	if err := greetHost(conn, h.secret); err != nil {
		h.t.Fatal(err)
	}
	return conn
}

func TestStrangersCannotCrowdOutMemory(t *testing.T) {
	h := newHost(t)
	for range 12 {
		h.dial() // says nothing
	}
	h.expect(EventCrowd)
}

func TestHandshakeCutAtEachByteIsRefused(t *testing.T) {
	h := newHost(t)
	for n := 0; n < helloSize+32; n += 7 {
		conn := h.dial()
		theirs, err := readHello(conn)
		if err != nil {
			t.Fatal(err)
		}
		ours := NewSecret()
		whole := append(hello(ours), proof(h.secret, "guest", theirs, ours)...)
		_, _ = conn.Write(whole[:n])
		_ = conn.Close()
	}
	h.peer()
	h.session()
}

func TestALostSessionEndsEveryCall(t *testing.T) {
	h := newHost(t)
	conn := h.raw() // never answers
	s := h.session()
	calls := map[string]func() error{
		"about":   func() error { _, err := s.About(h.ctx); return err },
		"exec":    func() error { _, err := s.Exec(h.ctx, ExecRequest{Argv: []string{"x"}}); return err },
		"attach":  func() error { _, err := s.Attach(h.ctx, AttachRequest{Name: "x"}); return err },
		"probe":   func() error { _, err := s.Probe(h.ctx, ProbeRequest{}); return err },
		"forward": func() error { _, err := s.Forward(h.ctx, 1); return err },
		"accept":  func() error { _, err := s.Accept(h.ctx); return err },
		"send": func() error {
			_, err := s.Send(h.ctx, SendRequest{}, strings.NewReader("x"))
			return err
		},
		"receive": func() error { _, err := s.Receive(h.ctx, ReceiveRequest{}); return err },
		"ping":    func() error { _, err := s.Ping(h.ctx); return err },
	}
	type end struct {
		name string
		err  error
	}
	ends := make(chan end, len(calls))
	for name, call := range calls {
		go func() { ends <- end{name, call()} }()
	}
	h.until("the calls begin", func() bool { return len(s.mux.opening) >= len(calls)-2 }) // accept and ping open nothing
	_ = conn.Close()
	for range calls {
		if e := <-ends; !errors.Is(e.err, ErrSessionLost) {
			t.Errorf("%s ended with %v", e.name, e.err)
		}
	}
}

func TestACallGivesUpWhenItsContextEnds(t *testing.T) {
	h := newHost(t)
	h.raw()
	s := h.session()
	ctx, cancel := context.WithCancel(h.ctx)
	err := make(chan error, 1)
	go func() { _, e := s.About(ctx); err <- e }()
	cancel()
	if e := <-err; !errors.Is(e, context.Canceled) {
		t.Errorf("got %v", e)
	}
	if len(s.mux.opening) != 0 {
		t.Error("the call kept its place among those that open")
	}
}

func TestMoreCallsThanTheBacklogDoNotBlockForEver(t *testing.T) {
	h := newHost(t)
	h.raw() // acknowledges nothing
	s := h.session()
	ctx, cancel := context.WithCancel(h.ctx)
	ends := make(chan error, 3*backlog)
	for range 3 * backlog {
		go func() { _, err := s.About(ctx); ends <- err }()
	}
	h.until("the calls begin", func() bool { return len(s.mux.opening) == maxOpening })
	cancel()
	for range 3 * backlog {
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestEachDirectionOfAStreamEndsByItself(t *testing.T) {
	h := newHost(t)
	go echoStreams(h.peer())
	s := h.session()
	st, err := s.Forward(h.ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := st.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(st)
	if err != nil || string(b) != "hello" {
		t.Errorf("got %q %v", b, err)
	}
	_ = st.Close()
	if !s.mux.gate.over(st.lane) {
		t.Error("a stream with two ends is still open")
	}
}

func TestAResetReachesTheOtherEndAndIsForgottenHere(t *testing.T) {
	h := newHost(t)
	peer := h.peer()
	got := make(chan *Stream, 1)
	go func() {
		st, err := peer.Accept()
		if err != nil {
			return
		}
		_, _ = st.Begin()
		var r ForwardRequest
		_ = ReadRequest(st, &r)
		_ = WriteAnswer(st, nil)
		got <- st
	}()
	s := h.session()
	st, err := s.Forward(h.ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	far := <-got
	st.Reset()
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, ErrReset) {
		t.Errorf("the other end reads %v", err)
	}
	if _, err := st.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("this end reads %v", err)
	}
	select {
	case <-far.Aborted():
	case <-h.ctx.Done():
		t.Error("the other end is not told")
	}
	if _, err := s.Ping(h.ctx); err != nil { // also carries the reset to the multiplexer here
		t.Fatal(err)
	}
	if n := s.mux.count(); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

func TestBulkPassesUnchangedBothWaysAtOnce(t *testing.T) {
	h := newHost(t)
	go echoStreams(h.peer())
	s := h.session()
	for range 4 {
		st, err := s.Forward(h.ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Repeat([]byte("abcdefghijklmnop\x00\xff"), 1<<18)
		go func() {
			_, _ = st.Write(want)
			_ = st.CloseWrite()
		}()
		got, err := io.ReadAll(st)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
		}
		_ = st.Close()
	}
	g := s.mux.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unread != 0 || len(g.lanes) != 0 {
		t.Errorf("unread %d, %d lanes left", g.unread, len(g.lanes))
	}
}

// Frames below, at and above what is read ahead of a body, to readers whose
// buffers end before, with and after it.
func TestFramesOfEverySizeArriveWholeInBuffersOfEverySize(t *testing.T) {
	h := newHost(t)
	go echoStreams(h.peer())
	s := h.session()
	edge := len(lookahead{}.buf)
	sizes := []int{1, headSize, edge - headSize, edge - 1, edge, edge + 1, bulkFrame - 1, bulkFrame, MaxPiece - 1, MaxPiece, MaxPiece + 1, 3 * MaxPiece}
	for _, room := range append(sizes, 7, 1000) {
		st, err := s.Forward(h.ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for i, n := range sizes {
			want = append(want, bytes.Repeat([]byte{byte(i + 1)}, n)...)
		}
		go func() {
			for rest, i := want, 0; len(rest) > 0; i++ {
				n, _ := st.Write(rest[:sizes[i]])
				rest = rest[n:]
			}
			_ = st.CloseWrite()
		}()
		var got bytes.Buffer
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{st}, make([]byte, room)); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("into %d bytes at a time: %d of %d came, %v", room, got.Len(), len(want), err)
		}
		_ = st.Close()
	}
}

func TestEventsAreAnsweredAndWithdrawn(t *testing.T) {
	h := newHost(t)
	peer := h.peer()
	s := h.session()
	st, err := peer.Open(h.ctx, Event)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteMessage(st, EventMessage{Name: "n\x1b[2J", Body: []byte(`{"a":1}`)}); err != nil {
		t.Fatal(err)
	}
	in, err := s.Accept(h.ctx)
	if err != nil || in.Type != Event || string(in.Event.Body) != `{"a":1}` || strings.Contains(in.Event.Name, "\x1b") {
		t.Fatalf("%+v %v", in, err)
	}
	if err := in.Reply([]byte(`{"b":2}`)); err != nil {
		t.Fatal(err)
	}
	var reply struct{ B int }
	if err := ReadAnswer(st, &reply); err != nil || reply.B != 2 {
		t.Errorf("%+v %v", reply, err)
	}

	st, _ = peer.Open(h.ctx, Event)
	_ = WriteMessage(st, EventMessage{Body: []byte(`{}`)})
	if in, err = s.Accept(h.ctx); err != nil {
		t.Fatal(err)
	}
	st.Reset()
	select {
	case <-in.Gone():
	case <-h.ctx.Done():
		t.Error("a withdrawn event is never gone")
	}
}

// FuzzRequest reads messages of strangers: whatever comes, reading ends with
// a value or an error, and a value survives the way back.
func FuzzRequest(f *testing.F) {
	var b bytes.Buffer
	_ = WriteMessage(&b, ExecRequest{Argv: []string{"a"}, Timeout: 5})
	f.Add(b.Bytes())
	f.Add([]byte("\x00\x00\x00\x02{}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r ExecRequest
		if ReadMessage(bytes.NewReader(b), &r) == nil {
			var out bytes.Buffer
			if err := WriteMessage(&out, r); err != nil && !errors.Is(err, ErrMessage) {
				t.Errorf("%+v: %v", r, err)
			}
		}
		var reply SendReply
		err := ReadAnswer(bytes.NewReader(b), &reply)
		var re *RemoteError
		if errors.As(err, &re) && (strings.ContainsAny(re.Message, "\x00\x1b\n") || len(re.Message) > 4*maxText+8) {
			t.Errorf("a dirty text: %q", re.Message)
		}
	})
}

func TestPipesSayHowToWireAMachine(t *testing.T) {
	for _, c := range []struct {
		pipe  Pipe
		guest string
		want  Wiring
		keeps bool
	}{
		{AgentSocket{}, "/tmp/ssh-agent.sock", Wiring{Agent: true, AuthSock: "/h"}, false},
		{MountSocket{}, "/run/bottlebar.sock", Wiring{MountHost: "/h", MountGuest: "/run/bottlebar.sock"}, true},
		{MountSocket{Path: "/x"}, "/x", Wiring{MountHost: "/h", MountGuest: "/x"}, true},
	} {
		if c.pipe.Guest() != c.guest || c.pipe.Wire("/h") != c.want || c.pipe.KeepsHostPath() != c.keeps {
			t.Errorf("%s: %s %+v", c.pipe.Name(), c.pipe.Guest(), c.pipe.Wire("/h"))
		}
	}
}
