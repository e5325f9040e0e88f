// Package conformance is the list of promises that package smolvm makes about
// a running smolvm, as a test: the real command and the stand-in pass the same
// one, each as every release that it can be.
package conformance
