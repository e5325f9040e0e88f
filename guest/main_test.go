package guest

import (
	"os"
	"strings"
	"testing"
)

// TestMain lets the test binary be the helper's command: it starts itself as
// another user, as the helper does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Getenv("BOTTLEBAR_TEST_VERB") == "" {
		switch {
		case strings.HasPrefix(os.Args[1], "as-user-"), os.Args[1] == verbServe, os.Args[1] == "start", os.Args[1] == "hook":
			os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		}
	}
	os.Exit(m.Run())
}
