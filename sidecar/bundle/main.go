// Command bundle is the program in a sidecar's container.
package main

import (
	"os"

	"bottlebar.app/sidecar/inside"
)

func main() { os.Exit(inside.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
