package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bottlebar.app/hop"
)

// Bounds of hook events. A guest's session sends a few a second at most.
const (
	maxHookInput = 1 << 20
	maxHookBody  = 60 << 10 // what goes to the app, below the limit of a message
	maxHooks     = 32       // waiting at once
	hookRate     = 20 * time.Millisecond
	hookBurst    = 100
	hookConnect  = 2 * time.Second
)

// listenEvents makes the socket that hooks of any user may connect to, in a
// folder that only root can change.
func listenEvents(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if fi, err := os.Lstat(path); err == nil && fi.Mode().Type() == os.ModeSocket {
		_ = os.Remove(path) // of a helper before this one
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// events passes hooks' events on to the app, one stream each.
func (h *helper) events(ctx context.Context, ln *net.UnixListener) {
	slots := make(chan struct{}, maxHooks)
	pace := pacer{burst: hookBurst, every: hookRate}
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := ln.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			pause(ctx, 100*time.Millisecond)
			continue
		}
		pause(ctx, pace.next(time.Now()))
		select {
		case slots <- struct{}{}:
			wg.Go(func() {
				defer func() { <-slots }()
				h.event(ctx, conn)
			})
		default:
			_ = conn.Close()
		}
	}
}

// event passes one event on and its answer back.
func (h *helper) event(ctx context.Context, conn *net.UnixConn) {
	var watch sync.WaitGroup
	defer watch.Wait()
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var msg hop.EventMessage
	if err := hop.ReadMessage(conn, &msg); err != nil {
		return
	}
	msg.UID = peerUID(conn)
	_ = conn.SetDeadline(time.Time{})
	open, cancel := context.WithTimeout(ctx, hookConnect)
	st, err := h.open(open, hop.Event)
	cancel()
	if err != nil {
		return
	}
	defer func() { _ = st.Close() }()
	ctx, cancel = context.WithCancel(ctx)
	defer cancel()
	// A hook that is gone withdraws its question.
	watch.Go(func() {
		_, _ = io.Copy(io.Discard, conn)
		cancel()
	})
	stop := context.AfterFunc(ctx, st.Reset)
	defer stop()
	if err := hop.WriteMessage(st, msg); err != nil {
		return
	}
	var reply json.RawMessage
	if err := hop.ReadAnswer(st, &reply); err != nil {
		return
	}
	_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_ = hop.WriteMessage(conn, reply)
}

// hook is the verb that a session's hooks run: one JSON object on standard
// input goes to the app, the answer to standard output. Without an app it
// prints nothing, so that the session goes on as if there were no hook.
func hook(socket, name string, in io.Reader, out io.Writer) error {
	b, err := io.ReadAll(io.LimitReader(in, maxHookInput+1))
	if err != nil {
		return err
	}
	if len(b) > maxHookInput {
		return fmt.Errorf("the event is longer than %d bytes", maxHookInput)
	}
	body, err := shorten(b, maxHookBody)
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout("unix", socket, hookConnect)
	if err != nil {
		return nil //nolint:nilerr // no helper: no answer
	}
	defer func() { _ = conn.Close() }()
	if err := hop.WriteMessage(conn, hop.EventMessage{Name: name, Body: body}); err != nil {
		return nil //nolint:nilerr // as above
	}
	var reply json.RawMessage
	if err := hop.ReadMessage(conn, &reply); err != nil || string(reply) == "null" || len(reply) == 0 {
		return nil //nolint:nilerr // the app decided nothing
	}
	_, err = out.Write(append(reply, '\n'))
	return err
}

// shorten cuts the strings of a JSON value until it fits into max bytes.
func shorten(b []byte, max int) (json.RawMessage, error) {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("the event is not JSON: %w", err)
	}
	for limit := 32 << 10; limit >= 16; limit /= 2 {
		out, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		if len(out) <= max {
			return out, nil
		}
		v = cut(v, limit)
	}
	return nil, errors.New("the event is too large, however short its texts are")
}

// maxElements is how much of a list or an object is kept when it is cut.
const maxElements = 200

// cut shortens every string in v, and every list and object.
func cut(v any, limit int) any {
	switch v := v.(type) {
	case string:
		if len(v) > limit {
			return v[:limit] + "…"
		}
	case []any:
		v = v[:min(len(v), maxElements)]
		for i := range v {
			v[i] = cut(v[i], limit)
		}
		return v
	case map[string]any:
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if v[k] = cut(v[k], limit); i >= maxElements {
				delete(v, k)
			}
		}
	}
	return v
}
