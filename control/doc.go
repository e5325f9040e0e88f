// Package control is how another process talks to the one that owns the
// bottles: JSON over HTTP on a Unix socket that only its owner may open.
//
// [Server] puts a [Core] behind the socket, [Client] is one typed method per
// operation. Long operations answer with server-sent events; commands in a
// bottle switch the connection to internal/frame.
package control
