// Package network reads what this computer itself says about its way to the
// internet: the proxy that its network wants, and the root certificates that
// its administrator added. On macOS both come from commands of the system that
// are documented to print them; elsewhere there is nothing to read.
package network
