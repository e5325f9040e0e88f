//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "the stand-in for smolvm needs Linux namespaces")
	os.Exit(1)
}
