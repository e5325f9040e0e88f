// Package companyproxy is a proxy as companies run them, for tests: it takes
// CONNECT and absolute URIs, may ask for a name and a password, may speak TLS
// itself, knows names that nobody else resolves, and may look into TLS with a
// root certificate of its own. It remembers what it was asked.
package companyproxy
