// Package terminal is the widget of the session window: it paints the grid of
// terminal/vt into one image, turns keys and the pointer into the bytes that a
// program expects, and carries both over a [Conn].
//
// It knows nothing of bottles. Colours come in as a [Theme]; background work
// reaches the toolkit through the post function of [Options] alone.
package terminal
