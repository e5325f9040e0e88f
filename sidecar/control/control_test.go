package control

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"bottlebar.app/egress"
)

func TestLinesAreBoundedAndLongOnesSkipped(t *testing.T) {
	in := "one\n" + strings.Repeat("x", 100) + "\n\ntwo\n" + strings.Repeat("y", 40<<10) + "\nthree\ncut"
	l := NewLines(strings.NewReader(in), 50)
	for _, want := range []string{"one", "!", "", "two", "!", "three"} {
		b, err := l.Next()
		if want == "!" {
			if !errors.Is(err, ErrLongLine) {
				t.Errorf("a long line: %q, %v", b, err)
			}
			continue
		}
		if err != nil || string(b) != want {
			t.Errorf("got %q, %v; want %q", b, err, want)
		}
	}
	if b, err := l.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("a line without an end: %q, %v", b, err)
	}
	exact := NewLines(strings.NewReader(strings.Repeat("z", 50)+"\n"), 50)
	if b, err := exact.Next(); err != nil || len(b) != 50 {
		t.Errorf("a line of the limit: %d, %v", len(b), err)
	}
}

func TestWriterKeepsLinesWhole(t *testing.T) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				w.Write(Event{Event: Ack, Error: "a\nb"})
			}
		})
	}
	wg.Wait()
	l := NewLines(&buf, MaxEvent)
	for i := range 1000 {
		b, err := l.Next()
		if err != nil {
			t.Fatal(i, err)
		}
		if e, err := ReadEvent(b); err != nil || e.Error != "a\nb" {
			t.Fatal(i, e, err)
		}
	}
}

func TestCommandsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "{", "null", "[]", `"keys"`, `{"op":"exec"}`, `{"op":7}`, `{"op":"policy"}`, `{"op":"policy","policy":[]}`, `{"op":"keys","client":"%%"}`,
		`{"op":"keys","nonce":"` + strings.Repeat("n", 200) + `"}`, `{"op":"ping","id":-1}`,
	} {
		if c, err := ReadCommand([]byte(s)); !errors.Is(err, ErrLine) {
			t.Errorf("%.40q gives %+v, %v", s, c, err)
		}
	}
	if _, err := ReadEvent([]byte(`{"event":"decision"}`)); !errors.Is(err, ErrLine) {
		t.Error("a decision without one is taken")
	}
	c, err := ReadCommand([]byte(`{"op":"cred","id":3,"cred":{"kind":"token","secret":"s","placeholder":"p"},"later":1}`))
	if err != nil || c.Cred.Kind != egress.Token || c.Cred.Secret != "s" {
		t.Errorf("%+v, %v", c, err)
	}
}

func FuzzControlLine(f *testing.F) {
	f.Add([]byte("{\"op\":\"ping\"}\n{\"op\":\"policy\",\"policy\":{\"hosts\":[{\"host\":\"a\"}]}}\n"))
	f.Add([]byte("{\"event\":\"decision\",\"decision\":{\"kind\":\"deny\"}}\n"))
	f.Add([]byte("\n\n\x00{\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		l := NewLines(bytes.NewReader(in), 64)
		for {
			b, err := l.Next()
			if errors.Is(err, ErrLongLine) {
				continue
			}
			if err != nil {
				return
			}
			if len(b) > 64 || bytes.ContainsRune(b, '\n') {
				t.Fatalf("line %q", b)
			}
			if c, err := ReadCommand(b); err == nil && c.Op == Policy {
				_, _ = c.Policy.Compile()
			}
			_, _ = ReadEvent(b)
		}
	})
}

func TestEachSideTakesTheAnnouncedOneOnly(t *testing.T) {
	app, box, other := identity(t), identity(t), identity(t)
	for name, c := range map[string]struct {
		client, server *tls.Config
		ok             bool
	}{
		"both announced":   {app.Client(box.DER), box.Server(app.DER), true},
		"another sidecar":  {app.Client(other.DER), box.Server(app.DER), false},
		"another app":      {other.Client(box.DER), box.Server(app.DER), false},
		"nobody announced": {app.Client(nil), box.Server(app.DER), false},
		"no app announced": {app.Client(box.DER), box.Server(nil), false},
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := make(chan error, 1)
		go func() {
			b, err := ln.Accept()
			if err != nil {
				server <- err
				return
			}
			b.SetDeadline(time.Now().Add(20 * time.Second))
			s := tls.Server(b, c.server)
			if err = s.Handshake(); err == nil {
				_, err = s.Write([]byte("x"))
			}
			b.Close()
			server <- err
		}()
		a, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		a.SetDeadline(time.Now().Add(20 * time.Second))
		s := tls.Client(a, c.client)
		err = s.Handshake()
		if err == nil {
			_, err = s.Read(make([]byte, 1))
		}
		a.Close()
		serr := <-server
		ln.Close()
		if got := err == nil && serr == nil; got != c.ok {
			t.Errorf("%s: client %v, server %v", name, err, serr)
		}
	}
}

func identity(t *testing.T) *Identity {
	t.Helper()
	id, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}
