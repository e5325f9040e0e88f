// Command demo writes the demo artifact:
//
//	go run ./smolvm/artifact/build/demo -o build/demo.smolmachine
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"bottlebar.app/smolvm/artifact/build"
)

// idle is the machine's own command: releases from 1.0.2 to 1.8 do not start
// an artifact that has none.
var idle = []string{"sleep", "2147483647"}

func main() {
	out := flag.String("o", "demo.smolmachine", "file to write")
	busybox := flag.String("busybox", "/bin/busybox", "static busybox of the guest's architecture")
	arch := flag.String("arch", "", "the guest's architecture (default: this machine's)")
	flag.Parse()
	err := build.WriteFile(*out, func(w io.Writer) error {
		return build.Demo(w, build.DemoOptions{Busybox: *busybox, Arch: *arch, Cmd: idle})
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
