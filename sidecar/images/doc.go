// Package images works with the images of a Docker engine that package sidecar
// found and trusts: it lists and saves the person's, and builds ours.
//
// What a build makes carries this app's label and the build's own, so that it
// can be taken away again after a success, a failure, a cancel, or a crash.
package images
