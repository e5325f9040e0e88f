//go:build !darwin

package network

import "context"

// Read finds nothing: the environment of a process says what its own programs
// should do, not what a bottle's should.
func Read(context.Context) (Settings, error) { return Settings{}, nil }

// Added finds nothing.
func Added(context.Context) (pem string, n int, err error) { return "", 0, nil }
