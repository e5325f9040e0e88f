// Package credential keeps the one secret there is: an Anthropic API key, or a
// subscription's token. It lies in the system's keychain, or, for tests and
// servers, in the memory of this process after it was taken out of its
// environment. It is never written to a file, an argument or a log: a [Secret]
// prints as redacted.
package credential
