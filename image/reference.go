package image

import (
	"errors"
	"strings"

	"github.com/distribution/reference"

	"bottlebar.app/internal/fault"
)

// maxReference is more than any reference has, in bytes.
const maxReference = 512

// Reference is an image's name that can be handed to a program.
type Reference struct {
	full     string // with registry, and a tag or a digest
	familiar string // as people write it
}

// String is the whole reference: "docker.io/library/node:22".
func (r Reference) String() string { return r.full }

// Familiar is the short form: "node:22".
func (r Reference) Familiar() string { return r.familiar }

// Parse reads a reference as people write it: "node:22", "ghcr.io/team/app",
// "debian@sha256:…". Without tag and digest the tag is latest. The error says
// what to write instead.
func Parse(s string) (Reference, error) {
	refuse := func(why, cure string) (Reference, error) {
		return Reference{}, fault.New("reading the image's name", why, cure)
	}
	const example = "write it as in docker.io/library/debian:13"
	switch {
	case s == "":
		return refuse("it is empty", example)
	case len(s) > maxReference:
		return refuse("it is too long", example)
	case s[0] == '-':
		return refuse("it begins like an option", example)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return refuse("it holds a space, a control character or a letter outside ASCII", example)
	case strings.Contains(s, "://"):
		return refuse("it is an address of the web, not an image", "leave out what comes before the registry's name")
	}
	named, err := reference.ParseNormalizedNamed(s)
	switch {
	case errors.Is(err, reference.ErrNameContainsUppercase):
		return refuse("it has capital letters before the tag", "write the name in small letters")
	case errors.Is(err, reference.ErrNameTooLong):
		return refuse("it is too long", example)
	case err != nil:
		return refuse("that is not an image", example)
	}
	named = reference.TagNameOnly(named)
	if _, both := named.(reference.Canonical); both {
		// With a digest the tag says nothing, and not every puller takes both.
		if named, err = reference.WithDigest(reference.TrimNamed(named), named.(reference.Digested).Digest()); err != nil {
			return refuse("that is not an image", example)
		}
	}
	return Reference{full: named.String(), familiar: reference.FamiliarString(named)}, nil
}
