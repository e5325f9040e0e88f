package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bottlebar.app/control"
)

func (c *commands) cp() *cobra.Command {
	return &cobra.Command{
		Use: "cp SRC… DST", Short: "copy files and folders into or out of a bottle (NAME:/path on one side)",
		Args: atLeast(2, "give a source and a target"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, req, err := c.copyRequest(args)
			if err != nil {
				return err
			}
			client, err := c.owner(cmd.Context())
			if err != nil {
				return err
			}
			done, err := client.Copy(cmd.Context(), name, req, nil)
			if err != nil {
				return err
			}
			for _, sk := range done.Skipped {
				fmt.Fprintf(c.env.Stderr, "bottlebar: %s: %s\n", c.clean(sk.What), c.clean(sk.Why))
			}
			if c.json {
				return c.printJSON(done)
			}
			return nil
		},
	}
}

// copyRequest reads cp's arguments: exactly one side names a bottle. A path of
// this computer that holds a colon is written with a slash before it.
func (c *commands) copyRequest(args []string) (string, control.CopyRequest, error) {
	last := len(args) - 1
	if name, p, ok := guestSide(args[last]); ok {
		req := control.CopyRequest{In: true, Guest: p, IntoFolder: strings.HasSuffix(p, "/") || p == "" || last > 1}
		for _, a := range args[:last] {
			if _, _, guest := guestSide(a); guest {
				return "", req, usageError{errors.New("cp copies between this computer and one bottle, not between two; a file with a colon in its name is written ./" + a)}
			}
			if a == "" {
				return "", req, usageError{errors.New("a source is empty")}
			}
			req.Host = append(req.Host, c.abs(a))
		}
		return name, req, nil
	}
	name, p, ok := guestSide(args[0])
	switch {
	case !ok:
		return "", control.CopyRequest{}, usageError{errors.New("one side must name a bottle: NAME:/path")}
	case last != 1:
		return "", control.CopyRequest{}, usageError{errors.New("out of a bottle cp takes one source")}
	case p == "":
		return "", control.CopyRequest{}, usageError{errors.New("say what to copy: NAME:/path")}
	}
	folder := strings.HasSuffix(args[1], "/")
	if fi, err := os.Stat(c.abs(args[1])); err == nil && fi.IsDir() {
		folder = true
	}
	return name, control.CopyRequest{Host: []string{c.abs(args[1])}, Guest: p, IntoFolder: folder}, nil
}

// guestSide splits NAME:PATH. A name holds no slash, so ./a:b is a file here.
func guestSide(arg string) (name, path string, ok bool) {
	name, path, ok = strings.Cut(arg, ":")
	if !ok || name == "" || strings.ContainsAny(name, "/.") {
		return "", "", false
	}
	return name, path, true
}

func (c *commands) abs(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.env.Dir, p)
}
