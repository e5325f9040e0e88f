package egress

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// events is a streamed reply as the API sends it.
const events = "event: message_start\n" +
	`data: {"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":11,"cache_creation_input_tokens":7,"cache_read_input_tokens":5,"output_tokens":1}}}` + "\n\n" +
	"event: ping\ndata: {\"type\":\"ping\"}\n\n" +
	"event: content_block_delta\n" +
	`data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"usage {\"output_tokens\":999} message_delta"}}` + "\n\n" +
	": a comment\n" +
	"event: message_delta\n" +
	`data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":42}}` + "\n\n" +
	"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

var eventsUsage = Usage{Input: 11, CacheWrite: 7, CacheRead: 5, Output: 42}

func tapped(kind, body string, n int) (Usage, bool) {
	tap := tapFor(http.Header{"Content-Type": {kind}})
	for len(body) > 0 {
		k := min(n, len(body))
		tap.see([]byte(body[:k]))
		body = body[k:]
	}
	return tap.result()
}

func TestUsageIsReadFromEventsHoweverTheyAreCut(t *testing.T) {
	crlf := strings.ReplaceAll(events, "\n", "\r\n")
	cr := strings.ReplaceAll(events, "\n", "\r")
	bare := ""
	for line := range strings.Lines(events) {
		if !strings.HasPrefix(line, "event:") {
			bare += line
		}
	}
	split := strings.Replace(events, `"usage":{"output_tokens":42}`, "\ndata: \"usage\":{\"output_tokens\":42}", 1)
	for name, body := range map[string]string{"LF": events, "CRLF": crlf, "CR": cr, "no names": bare, "two data lines": split} {
		for n := 1; n <= len(body); n += 1 + n/8 {
			if u, whole := tapped("text/event-stream; charset=utf-8", body, n); u != eventsUsage || !whole {
				t.Errorf("%s in pieces of %d: %+v, %v", name, n, u, whole)
			}
		}
	}
}

func TestUsageOfACutStreamIsNotWhole(t *testing.T) {
	end := strings.Index(events, "event: message_delta")
	for cut := range end {
		if u, whole := tapped("text/event-stream", events[:cut], 100); whole {
			t.Fatalf("cut at %d it counts as whole: %+v", cut, u)
		}
	}
	if u, _ := tapped("text/event-stream", events[:end], 7); u.Total() != 24 {
		t.Errorf("what was seen until the cut is %+v", u)
	}
	for name, body := range map[string]string{
		"a line without end": "event: message_delta\ndata: " + strings.Repeat("x", 2*maxEventLine) + "\n\n",
		"no JSON":            "event: message_delta\ndata: {\n\n", "no output": "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{}}\n\n",
		"another event": "event: other\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":1}}\n\n", "empty": "",
	} {
		if u, whole := tapped("text/event-stream", body, 1000); whole || u.Total() != 0 {
			t.Errorf("%s: %+v, %v", name, u, whole)
		}
	}
	// A long line of an event that does not matter hides nothing behind it, and
	// is not kept.
	tap := new(eventTap)
	tap.see([]byte("event: content_block_delta\ndata: "))
	for range 64 {
		tap.see([]byte(strings.Repeat("y", 1<<20)))
	}
	if cap(tap.line) > 1<<10 {
		t.Errorf("%d bytes of it are kept", cap(tap.line))
	}
	tap.see([]byte("\n\n" + events))
	if u, whole := tap.result(); u != eventsUsage || !whole {
		t.Errorf("behind a long line: %+v, %v", u, whole)
	}
	// Sums that fall or make no sense take nothing back.
	again := events + "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":-5,\"input_tokens\":3}}\n\n"
	if u, _ := tapped("text/event-stream", again, 50); u != eventsUsage {
		t.Errorf("a smaller sum: %+v", u)
	}
}

func TestUsageIsReadFromAReplyInOnePiece(t *testing.T) {
	body := `{"id":"m","content":[{"type":"text","text":"x","usage":{"output_tokens":9}}],"usage":{"input_tokens":3,"server_tool_use":{"output_tokens":8},"cache_read_input_tokens":null,"output_tokens":4,"service_tier":"standard"},"z":{"usage":{"output_tokens":7}}}`
	for n := 1; n <= len(body); n++ {
		if u, whole := tapped("application/json", body, n); !whole || u != (Usage{Input: 3, Output: 4}) {
			t.Fatalf("in pieces of %d: %+v, %v", n, u, whole)
		}
	}
	for _, b := range []string{body[:len(body)-1], `{}`, `{"usage":null}`, `{"usage":{"input_tokens":3}}`, `{"input_tokens":3}`, `<html>`, ``} {
		if _, whole := tapped("application/json", b, 5); whole {
			t.Errorf("%.40q counts as whole", b)
		}
	}
	if _, whole := tapped("text/html", body, 5); whole {
		t.Error("a reply of an unknown kind counts as whole")
	}
}

func FuzzUsage(f *testing.F) {
	f.Add([]byte(events), 5, true)
	f.Add([]byte(`{"usage":{"input_tokens":3,"output_tokens":4}}`), 3, false)
	f.Fuzz(func(t *testing.T, body []byte, n int, stream bool) {
		kind := "application/json"
		if stream {
			kind = "text/event-stream"
		}
		a, wa := tapped(kind, string(body), 1+max(0, n)%97)
		b, wb := tapped(kind, string(body), len(body)+1)
		if fmt.Sprint(a, wa) != fmt.Sprint(b, wb) {
			t.Fatalf("in pieces %+v %v, whole %+v %v", a, wa, b, wb)
		}
		if a.Input < 0 || a.Output < 0 || a.CacheRead < 0 || a.CacheWrite < 0 {
			t.Fatalf("%+v", a)
		}
	})
}
