package egress

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
)

func TestBodiesAreBounded(t *testing.T) {
	var room atomic.Int64
	look := func([]byte) error { return nil }
	if _, err := readBody(io.LimitReader(endless{}, maxAPIBody+1), -1, look, &room); !errors.Is(err, errBodyLong) {
		t.Errorf("one byte too many: %v", err)
	}
	a, err := readBody(io.LimitReader(endless{}, 30<<20), 30<<20, look, &room)
	if err != nil || a.size != 30<<20 {
		t.Fatalf("30 MB: %v", err)
	}
	if _, err := readBody(io.LimitReader(endless{}, 30<<20), -1, look, &room); !errors.Is(err, errBodies) {
		t.Errorf("a second of 30 MB: %v", err)
	}
	a.release()
	a.release()
	if room.Load() != 0 {
		t.Errorf("%d bytes are still counted", room.Load())
	}
	if b, err := readBody(strings.NewReader("abc"), 3, look, &room); err != nil || b.size != 3 || len(b.pieces) != 1 {
		t.Errorf("a body of its length: %v", err)
	}
	if _, err := readBody(io.MultiReader(strings.NewReader("abc"), broken{}), 6, look, &room); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that is cut: %v", err)
	}
}

func TestABodyThatIsTooLongIsRefusedAndNotSent(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	const begin, end = `{"pad":"`, `"}`
	body := begin + strings.Repeat("x", maxAPIBody+1-len(begin)-len(end)) + end
	for name, raw := range map[string]string{
		"with its length": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
		"in chunks":       fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body),
	} {
		resp, text := r.send("POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + placeholder + "\r\n" + raw)
		if resp.StatusCode != 413 || !strings.Contains(text, "request_too_large") || u.count() != 0 {
			t.Errorf("%s: %d %s, %d requests reached the API", name, resp.StatusCode, text, u.count())
		}
	}
}
