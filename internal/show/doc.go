// Command show plays the main job of the app from end to end, without touching
// anything inside it: a real desktop panel shows the icon, the menu is driven as
// the panel drives it, files are dropped by the protocol of file managers, keys
// come from the screen's keyboard, and what happened is asked of the command line.
//
//	build/show [-driver auto|docker|process] [-theme light|dark] [-scale 1|2]
//
// It prints each step with the time that it took, and leaves numbered pictures and
// the app's log in build/shots. A step that fails ends the show with exit code 1,
// after a picture of the screen as it then was.
//
// Everything lies on a screen in memory, a session bus and a folder of its own:
// neither the person's desktop nor their bottles take part.
package main
