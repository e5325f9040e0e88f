package egress

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// at is the value below which a share of all lies.
func at(all []time.Duration, share float64) time.Duration {
	slices.Sort(all)
	return all[min(len(all)-1, int(float64(len(all))*share))]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// BenchmarkTunnelSetup is the time from a connect until the first byte is back,
// straight to a server and through a tunnel by turns. To reach: 5 × direct.
func BenchmarkTunnelSetup(b *testing.B) {
	to := sink(b)
	proxy, target := benchRig(b, to)
	first := func(addr, ask string) time.Duration {
		began := time.Now()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		if ask != "" {
			io.WriteString(c, ask)
			if resp, err := http.ReadResponse(bufio.NewReaderSize(c, 16), &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
				b.Fatal(resp, err)
			}
		}
		c.Write([]byte{1})
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	var direct, tunnel []time.Duration
	for b.Loop() {
		direct = append(direct, first(to, ""))
		tunnel = append(tunnel, first(proxy, "CONNECT "+target+" HTTP/1.1\r\nHost: x\r\n\r\n"))
	}
	b.ReportMetric(micros(at(direct, .5)), "direct-µs")
	b.ReportMetric(micros(at(tunnel, .5)), "tunnel-µs")
	b.ReportMetric(float64(at(tunnel, .5))/float64(at(direct, .5)), "tunnel/direct")
}

// BenchmarkEventDelay is how late an event of a stream is read after it was
// sent: direct, through the standard library's plain reverse proxy, and on the
// API route. To reach: p99 less than 1 ms above direct.
func BenchmarkEventDelay(b *testing.B) {
	origin := time.Now()
	const events = 400
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range events {
			fmt.Fprintf(w, "data: %d\n", time.Since(origin).Nanoseconds())
			http.NewResponseController(w).Flush()
			<-tick.C
		}
	}))
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	rp := httputil.NewSingleHostReverseProxy(u)
	rp.FlushInterval = -1
	plain := httptest.NewServer(rp)
	defer plain.Close()
	route, p := benchRigAPI(b, srv.URL)
	p.SetDecoys(decoys)
	ways := []struct{ name, url string }{{"direct", srv.URL}, {"httputil", plain.URL}, {"route", "http://" + route}}
	delays := map[string][]time.Duration{}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for b.Loop() {
		for _, way := range ways {
			req, _ := http.NewRequest(http.MethodPost, way.url+"/v1/messages", strings.NewReader(`{"model":"x"}`))
			req.Header.Set("Authorization", "Bearer "+placeholder)
			resp, err := client.Do(req)
			if err != nil || resp.StatusCode != 200 {
				b.Fatal(resp, err)
			}
			for in := bufio.NewScanner(resp.Body); in.Scan(); {
				sent, err := strconv.ParseInt(strings.TrimPrefix(in.Text(), "data: "), 10, 64)
				if err != nil {
					b.Fatal(err)
				}
				delays[way.name] = append(delays[way.name], time.Since(origin)-time.Duration(sent))
			}
			resp.Body.Close()
		}
	}
	for _, way := range ways {
		b.ReportMetric(micros(at(delays[way.name], .99)), way.name+"-p99-µs")
	}
	b.ReportMetric(micros(at(delays["route"], .99)-at(delays["direct"], .99)), "added-p99-µs")
	b.ReportMetric(micros(at(delays["route"], .5)-at(delays["direct"], .5)), "added-p50-µs")
}

// BenchmarkStreamedReplies counts replies that were cut, out of 2 000 whose
// server answers before it has read the request. To reach: 0.
func BenchmarkStreamedReplies(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			panic(err)
		}
		fmt.Fprint(w, "event: start\n\n")
		w.(http.Flusher).Flush()
		io.Copy(io.Discard, r.Body)
		for i := range 20 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, "event: stop\n\n")
	}))
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	quiet := httputil.NewSingleHostReverseProxy(u)
	quiet.FlushInterval, quiet.ErrorLog = -1, log.New(io.Discard, "", 0)
	plain := httptest.NewServer(quiet)
	defer plain.Close()
	route, _ := benchRigAPI(b, srv.URL)
	body := `{"pad":"` + strings.Repeat("x", 40<<10) + `"}`
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	cut := func(to string) (n float64) {
		for range 2000 {
			req, _ := http.NewRequest(http.MethodPost, to+"/v1/messages?beta=true", strings.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+placeholder)
			resp, err := client.Do(req)
			if err != nil {
				n++
				continue
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !strings.HasSuffix(string(got), "event: stop\n\n") {
				n++
			}
		}
		return n
	}
	var ours, theirs float64
	for b.Loop() {
		theirs += cut(plain.URL)
		ours += cut("http://" + route)
	}
	b.ReportMetric(ours/float64(b.N), "cut/2000")
	b.ReportMetric(theirs/float64(b.N), "httputil-cut/2000")
}
