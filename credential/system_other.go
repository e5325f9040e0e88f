//go:build !linux && !darwin

package credential

import "errors"

// System returns a store that says that there is none.
func System() Store { return systemItem(account) }

func systemItem(string) *keychain {
	none := &UnreachableError{Where: "a keychain", Fix: "use macOS or Linux", Err: errors.ErrUnsupported}
	return &keychain{
		where: "nowhere",
		get:   func() (string, error) { return "", none },
		set:   func(string) error { return none },
		clear: func() error { return none },
	}
}

func scrub(string) {}
