package screen

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/internal/frame"
)

// serve is the other end of a session: it says that the viewer is there, then
// does as the test wants.
func serve(then func(ctx context.Context, in *frame.Reader, out *frame.Writer) error) *fake {
	return &fake{attach: func(ctx context.Context, _ control.AttachRequest, conn io.ReadWriter) error {
		out := frame.NewWriter(conn)
		if err := out.Write(frame.Ready, nil); err != nil {
			return err
		}
		return then(ctx, frame.NewReader(conn), out)
	}}
}

func TestASessionsBytesSizesAndEndCross(t *testing.T) {
	got := make(chan string, 2)
	f := serve(func(_ context.Context, in *frame.Reader, out *frame.Writer) error {
		for range 2 {
			kind, p, err := in.Next()
			if err != nil {
				return err
			}
			got <- string(kind) + " " + string(p)
		}
		_ = out.Write(frame.Stdout, []byte("hello "))
		_ = out.Write(frame.Stderr, []byte("there"))
		return out.WriteJSON(frame.Exit, frame.Status{Code: 3})
	})
	s, _ := newScreen(t, f)
	c, err := sessions{s}.Attach(t.Context(), "b1", "main", 100, 30)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("typed")); err != nil {
		t.Fatal(err)
	}
	if err := c.Resize(120, 40); err != nil {
		t.Fatal(err)
	}
	if a, b := <-got, <-got; a != string(frame.Stdin)+" typed" || !strings.Contains(b, "120") || !strings.Contains(b, "40") {
		t.Errorf("arrived: %q, %q", a, b)
	}
	x := c.(*conn)
	if _, known := x.ExitCode(); known {
		t.Error("an exit code before the end")
	}
	all, err := io.ReadAll(c)
	if err != nil || string(all) != "hello there" {
		t.Errorf("read %q, %v", all, err)
	}
	if code, known := x.ExitCode(); !known || code != 3 {
		t.Errorf("exit code %d, known %v", code, known)
	}
}

func TestASessionThatCannotBeJoinedTellsWhatTheAppSays(t *testing.T) {
	want := fault.New("joining the session", "the helper does not answer", "stop the bottle")
	s, _ := newScreen(t, &fake{attach: func(context.Context, control.AttachRequest, io.ReadWriter) error { return want }})
	if _, err := (sessions{s}).Attach(t.Context(), "b1", "main", 80, 24); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	s, _ = newScreen(t, &fake{attach: func(_ context.Context, _ control.AttachRequest, conn io.ReadWriter) error {
		return frame.NewWriter(conn).WriteJSON(frame.Error, frame.Failure{Message: "there is no such command", Cure: "install it"})
	}})
	_, err := sessions{s}.Attach(t.Context(), "b1", "main", 80, 24)
	if f := fault.Of(err); err == nil || f.Why != "there is no such command" || f.Cure != "install it" {
		t.Errorf("got %v", err)
	}
}

// An end without a status is a break, and the window says so: it must not be
// taken for a program that ended well.
func TestACutOffSessionIsNoEnd(t *testing.T) {
	s, _ := newScreen(t, serve(func(_ context.Context, _ *frame.Reader, out *frame.Writer) error {
		return out.Write(frame.Stdout, []byte("half"))
	}))
	c, err := sessions{s}.Attach(t.Context(), "b1", "main", 80, 24)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all, err := io.ReadAll(c)
	if string(all) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v", all, err)
	}
}

func TestClosingAViewerEndsItsWork(t *testing.T) {
	ended := make(chan struct{})
	s, _ := newScreen(t, serve(func(ctx context.Context, _ *frame.Reader, _ *frame.Writer) error {
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}))
	c, err := sessions{s}.Attach(t.Context(), "b1", "main", 80, 24)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	_ = c.Close() // twice is allowed
	<-ended
}

func TestAnAttachThatIsGivenUpEnds(t *testing.T) {
	s, _ := newScreen(t, &fake{attach: func(ctx context.Context, _ control.AttachRequest, _ io.ReadWriter) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (sessions{s}).Attach(ctx, "b1", "main", 80, 24); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
