package egress

import (
	"bufio"
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

func post(b *testing.B, client *http.Client, to, body string, each func(line string)) {
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
	if each == nil {
		io.Copy(io.Discard, resp.Body)
		return
	}
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		each(s.Text())
	}
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
			post(b, client, way, body, nil)
			took[i] = append(took[i], time.Since(start))
		}
	}
	median := func(i int) float64 { slices.Sort(took[i]); return float64(took[i][len(took[i])/2]) }
	b.ReportMetric(median(1)/median(0), "ratio")
	b.ReportMetric(median(2)/median(1), "direct")
	b.ReportMetric(median(3)/median(1), "httputil")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAPIEvents measures how long an event of a stream is on its way:
// the 99th of a hundred, straight and through the route with all its checks.
func BenchmarkAPIEvents(b *testing.B) {
	srv := speaker(100)
	defer srv.Close()
	route, p := benchRigAPI(b, srv.URL)
	p.SetDecoys(decoys)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ways := []string{srv.URL, "http://" + route}
	delays := make([][]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			post(b, client, way, `{"max_tokens":1}`, func(line string) {
				var at int64
				if n, _ := fmt.Sscanf(line, `data: {"at":%d}`, &at); n == 1 {
					delays[i] = append(delays[i], time.Since(time.Unix(0, at)))
				}
			})
		}
	}
	p99 := func(i int) float64 {
		slices.Sort(delays[i])
		return float64(delays[i][len(delays[i])*99/100]) / float64(time.Millisecond)
	}
	b.ReportMetric(p99(0), "direct-p99-ms")
	b.ReportMetric(p99(1), "route-p99-ms")
	b.ReportMetric(p99(1)-p99(0), "added-p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAPICut counts replies that do not come whole; it asks 2,000 times in
// all, whatever -benchtime says.
func BenchmarkAPICut(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(earlyAnswer))
	defer srv.Close()
	route, _ := benchRigAPI(b, srv.URL)
	cut := 0
	for b.Loop() {
		cut += cutReplies("http://"+route, 2000)
		break
	}
	b.ReportMetric(float64(cut), "cut/2000")
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
