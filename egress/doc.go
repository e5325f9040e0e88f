// Package egress decides what a bottle may reach, and carries it there.
//
// A [Policy] is what a person allows; compiled, it answers one question, may
// this name and port be reached, for CONNECT tunnels and plain HTTP alike. The
// address [Floor] stands below every policy: what a name resolves to must be a
// public address, whoever allowed the name. A [Proxy] serves both kinds of
// request and the API route, which adds the person's [Credential] to a closed
// table of requests so that no bottle ever holds it. Each thing that was
// reached or refused is a [Decision].
//
// The package knows nothing of bottles, containers or Docker. It runs inside
// the sidecar's container, or in a child process of the app.
package egress
