// Package look is how Bottlebar looks and speaks, in one place: colours,
// sizes and spacing ([Palette], the constants of tokens.go), the toolkit theme
// made of them ([Theme]), the shape and the word for each state of a bottle
// ([Of]), sizes and times as a person reads them ([Size], [Ago]), the cleaning
// of text that came from elsewhere ([Clean]), and the few small widgets that
// every window shares ([Text], [Button], [Part]).
//
// It knows the values of package snapshot and nothing else of ours but the
// drawings of assets.
package look
