// Package claude lets tests and the show run the real Claude Code in a bottle
// without an account: an artifact that holds the client as its npm package
// ships it, and a fake of the Messages API that it talks to.
//
// [Artifact] makes the artifact once and keeps it; the client's package is
// brought by npm and held to a pinned checksum. [Listen] starts the fake, which
// answers as a [Script] says and keeps what it was asked. Nothing here is part
// of the product, and the client is never shipped with it. [Clients] makes
// another artifact, of the programs that people fetch things with.
package claude
