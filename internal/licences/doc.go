// Command licences keeps docs/licences.md: which module the products link, in which
// release, under which licence. It reads the licence files that the modules ship.
//
//	go run ./internal/licences -write docs/licences.md
//	go run ./internal/licences -check docs/licences.md
//
// A module without a licence file, or with one that it does not know, is an error:
// somebody has to look at it before it is shipped.
package main
