package egress

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// speaker answers a Messages request with events, each flushed.
func speaker(events int) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n")
		for range events {
			fmt.Fprintf(w, "event: content_block_delta\ndata: {\"at\":%d}\n\n", time.Now().UnixNano())
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":9}}\n\nevent: message_stop\ndata: {}\n\n")
	}))
}

func post(b *testing.B, client *http.Client, to, body string) {
	b.Helper()
	req, err := http.NewRequest(http.MethodPost, to+"/v1/messages", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+placeholder)
	resp, err := client.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp, err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
}

// BenchmarkAPIChecks compares requests of a session's usual size on the route
// without decoys and caps and with both, taken in turn. "ratio" is the time
// with the checks over that without; "direct" and "httputil" are the times
// straight to the server and through the standard library's plain proxy over
// that with the checks.
func BenchmarkAPIChecks(b *testing.B) {
	srv := speaker(20)
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	std := httptest.NewServer(httputil.NewSingleHostReverseProxy(u))
	defer std.Close()
	bare, _ := benchRigAPI(b, srv.URL)
	checked, p := benchRigAPI(b, srv.URL)
	p.SetDecoys(decoys)
	p.meter.Allow(Allowance{Capped: true, Tokens: 1 << 50}, 0)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	body := `{"max_tokens":100,"messages":[{"role":"user","content":"` + strings.Repeat("some text of a session, ", 8<<10) + `"}]}`
	ways := []string{"http://" + bare, "http://" + checked, srv.URL, std.URL}
	took := make([][]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			start := time.Now()
			post(b, client, way, body)
			took[i] = append(took[i], time.Since(start))
		}
	}
	median := func(i int) float64 { slices.Sort(took[i]); return float64(took[i][len(took[i])/2]) }
	b.ReportMetric(median(1)/median(0), "ratio")
	b.ReportMetric(median(2)/median(1), "direct")
	b.ReportMetric(median(3)/median(1), "httputil")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkInspect reads bodies of a session's usual kind: what a look into
// every byte costs.
func BenchmarkInspect(b *testing.B) {
	body := []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat(`some text of a session,\n`, 40<<10) + `"}]}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r := newJSONReader(newMessageReader(false))
		for p := body; len(p) > 0; p = p[min(len(p), pieceSize):] {
			if err := r.feed(p[:min(len(p), pieceSize)]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkLookout looks for decoys in a body on its way out.
func BenchmarkLookout(b *testing.B) {
	l := newLookout(decoys)
	body := []byte(strings.Repeat("some text of an upload, ", 40<<10))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if l.find(body) != "" {
			b.Fatal("found")
		}
	}
}
