// The command is the helper that runs inside a bottle. The app copies it in
// and starts it with its configuration on standard input.
package main

import (
	"os"

	"bottlebar.app/guest"
)

func main() {
	os.Exit(guest.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
