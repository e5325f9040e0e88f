// Package noway answers a proxy's client where nobody can carry its request:
// in the guest without the app, in the app without a sidecar.
package noway

import (
	"fmt"
	"io"
)

// Say writes one refusal, 503 (RFC 9110, 15.6.4), with a sentence that says why.
// The sentence stands in the status line too: of a refused tunnel many programs
// show nothing else.
func Say(w io.Writer, sentence string) error {
	_, err := fmt.Fprintf(w, "HTTP/1.1 503 Service Unavailable: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s\n", sentence, len(sentence)+1, sentence)
	return err
}
