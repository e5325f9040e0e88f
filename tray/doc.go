// Package tray is the menu-bar icon and its menu.
//
// [Entries] turns what is known into the menu as plain data, without a
// toolkit: that is where all decisions lie and what the tests look at. [Tray]
// is the thin side that shows it: it rebuilds the native menu only when the
// entries differ, at most four times a second, and moves the icon while
// something starts. What a click means is data too, an [Action], which the
// owner carries out elsewhere and at once gives back control.
package tray
