// Command client is a Go program as people write them, for tests in a bottle:
// it takes its proxy and its roots from the environment, as Go's own packages
// do.
//
//	client get URL    print what is there
//	client ws URL     say hello over a WebSocket (ws: or wss:) and print the echo
package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: client get|ws URL")
	}
	if args[0] == "ws" {
		return socket(args[1])
	}
	resp, err := http.Get(args[1]) //nolint:noctx // the program ends with it
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}

// socket opens a WebSocket (RFC 6455) as browsers do behind a proxy: through a
// tunnel, whether it is ws or wss.
func socket(to string) error {
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	conn, err := tunnel(u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if u.Scheme == "wss" {
		conn = tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12})
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", u.Path, u.Host)
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		return errors.New(resp.Status)
	}
	const text = "hello"
	frame := []byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0} // text, masked with zeroes
	if _, err := conn.Write(append(frame, text...)); err != nil {
		return err
	}
	head := make([]byte, 2)
	if _, err := io.ReadFull(br, head); err != nil {
		return err
	}
	back := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(br, back); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "the socket says %s\n", back)
	return nil
}

func tunnel(host string) (net.Conn, error) {
	proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", proxy.Host) //nolint:noctx // the program ends with it
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", host, host)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return nil, errors.New(resp.Status + ": " + strings.TrimSpace(string(body)))
	}
	return conn, nil
}
