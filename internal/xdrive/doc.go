// Package xdrive uses an X11 screen from outside the programs on it: it starts a
// screen in memory, finds windows by their titles, presses keys and buttons, drops
// files on windows by the protocol that file managers speak, and takes pictures.
//
// [StartScreen] starts the screen, [Open] joins one as [*Display].
package xdrive
