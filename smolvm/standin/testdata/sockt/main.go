// Command sockt speaks to Unix sockets from inside a guest in the tests.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) < 3 {
		os.Exit(2)
	}
	n := 0
	if len(os.Args) > 3 {
		n, _ = strconv.Atoi(os.Args[3])
	}
	c, err := net.Dial("unix", os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "connect: No such file or directory")
		os.Exit(10)
	}
	conn := c.(*net.UnixConn)
	switch os.Args[1] {
	case "echo": // standard input there, the answer back
		go func() {
			io.Copy(conn, os.Stdin)
			conn.CloseWrite()
		}()
		io.Copy(os.Stdout, conn)
	case "ask": // a line there, a line back
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		fmt.Fprint(conn, line)
		line, _ = bufio.NewReader(conn).ReadString('\n')
		fmt.Print(line)
	case "recv", "slowrecv":
		got, err := io.Copy(io.Discard, conn)
		fmt.Printf("recv %d end %s\n", got, end(err))
	case "send": // n bytes there, all of them back
		go func() {
			io.CopyN(conn, zeros{}, int64(n))
			conn.CloseWrite()
		}()
		got, _ := io.Copy(io.Discard, conn)
		fmt.Printf("sent %d recv %d\n", n, got)
	case "late": // reads to the end of file, then writes n bytes
		var b [1]byte
		got, _ := conn.Read(b[:])
		fmt.Printf("first read %d\n", got)
		io.Copy(io.Discard, conn)
		fmt.Println("eof seen, now writing")
		sent, _ := io.CopyN(conn, zeros{}, int64(n))
		fmt.Printf("sent %d\n", sent)
	case "hold": // stays connected for n seconds
		time.Sleep(time.Duration(n) * time.Second)
		fmt.Println("held")
	}
}

func end(err error) string {
	if err != nil {
		return err.Error()
	}
	return "eof"
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
