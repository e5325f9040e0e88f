// Command bundle is the program in a sidecar's container.
package main

import (
	"os"

	_ "golang.org/x/crypto/x509roots/fallback" // an image of one file has no root certificates

	"bottlebar.app/sidecar/inside"
)

func main() { os.Exit(inside.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
