// Package inside is the program of a sidecar: the proxy of package egress,
// steered by JSON lines on standard input. The container's main and the app's
// hidden verb both call [Main].
package inside

import "io"

// Main runs the program until its input ends or a signal comes, and returns
// the exit code. args are the arguments without the program's name.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int { return 1 }
