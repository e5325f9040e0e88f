// Command darwincheck type-checks every package of the module, its tests
// included, as a Mac with Apple silicon would compile it. It needs neither a Mac
// nor Apple's headers nor a C compiler: whatever is behind cgo's C is taken on
// trust, and of other people's packages only the declarations are read.
//
//	go run ./internal/darwincheck [-arch arm64] [packages]
//
// It finds what a change made on Linux breaks for macOS: a missing twin of a
// platform file, a wrong signature in it, an import that does not exist there. It
// does not find what the linker, Objective-C or a running Mac would say.
package main
