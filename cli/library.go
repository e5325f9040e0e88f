package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

func (c *commands) library() *cobra.Command {
	cmd := &cobra.Command{Use: "library", Short: "the artifacts that bottles are launched from", RunE: noVerb}
	cmd.AddCommand(c.libraryLs(), c.libraryAdd(), c.libraryPack(), c.libraryMake(), c.libraryRecipes(), c.libraryImages(), c.libraryRm(), c.libraryRename(), c.libraryVerify(), c.librarySet(), c.libraryPin(), c.libraryPrune())
	return cmd
}

func noVerb(cmd *cobra.Command, _ []string) error {
	return usageError{fmt.Errorf("say what to do: %s --help lists it", cmd.CommandPath())}
}

func (c *commands) libraryLs() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list the artifacts", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			s, err := client.Snapshot(ctx)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(nonNil(s.Library))
			}
			rows := [][]string{{"NAME", "IMAGE", "PLATFORM", "SIZE", "ADDED", "USED"}}
			for _, a := range s.Library {
				used := "–"
				if a.LastUsed != nil {
					used = ago(*a.LastUsed, time.Now())
				}
				name := a.Name
				if a.Stale {
					name += " (stale)"
				}
				if a.Problem != nil {
					name += " (✕ " + c.clean(a.Problem.Why) + ")"
				}
				rows = append(rows, []string{name, c.clean(a.Image), a.Platform, size(a.Size), ago(a.Added, time.Now()), used})
			}
			return c.table(rows)
		}),
	}
}

// printArtifact answers an operation on one artifact.
func (c *commands) printArtifact(a snapshot.Artifact) error {
	if c.json {
		return c.printJSON(a)
	}
	fmt.Fprintln(c.out(), a.Name)
	return nil
}

func (c *commands) libraryAdd() *cobra.Command {
	name := ""
	cmd := &cobra.Command{
		Use: "add FILE…", Short: "copy .smolmachine files into the library", Args: atLeast(1, "name a .smolmachine file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name != "" && len(args) > 1 {
				return usageError{errors.New("--name goes with one file")}
			}
			client, err := c.owner(cmd.Context())
			if err != nil {
				return err
			}
			for _, path := range args {
				a, err := client.AddArtifact(cmd.Context(), control.AddRequest{Path: c.abs(path), Name: name}, nil)
				if err != nil {
					return err
				}
				if err := c.printArtifact(a); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "its name in the library (default: the file's)")
	return cmd
}

func (c *commands) libraryRm() *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME…", Short: "remove artifacts", Args: atLeast(1, "name an artifact"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			for _, name := range args {
				if err := client.RemoveArtifact(ctx, name); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

func (c *commands) libraryRename() *cobra.Command {
	return &cobra.Command{
		Use: "rename NAME NEW", Short: "give an artifact another name", Args: exactly(2, "give the name it has and the new one"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			a, err := client.RenameArtifact(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return c.printArtifact(a)
		}),
	}
}

func (c *commands) libraryVerify() *cobra.Command {
	return &cobra.Command{
		Use: "verify NAME", Short: "read an artifact's bytes again", Args: exactly(1, "name an artifact"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			a, err := client.VerifyArtifact(ctx, args[0], nil)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(a)
			}
			fmt.Fprintf(c.out(), "%s: intact\n", a.Name)
			return nil
		}),
	}
}

// librarySet changes what launches of an artifact start from; a flag that is
// not given leaves its setting as it is, an empty value clears it.
func (c *commands) librarySet() *cobra.Command {
	var want snapshot.ArtifactSettings
	command := ""
	cmd := &cobra.Command{
		Use: "set NAME", Short: "set what launches of an artifact start from", Args: exactly(1, "name an artifact"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.owner(cmd.Context())
			if err != nil {
				return err
			}
			s, err := client.Snapshot(cmd.Context())
			if err != nil {
				return err
			}
			var now snapshot.ArtifactSettings
			for _, a := range s.Library {
				if a.Name == args[0] || len(args[0]) >= 6 && strings.HasPrefix(a.ID, args[0]) {
					now = a.Settings
				}
			}
			change := func(flag string, set func()) {
				if cmd.Flags().Changed(flag) {
					set()
				}
			}
			change("command", func() { now.Command = strings.Fields(command) })
			change("user", func() { now.User = want.User })
			change("folder", func() { now.Folder = want.Folder })
			change("cpus", func() { now.CPUs = want.CPUs })
			change("mem", func() { now.MemMiB = want.MemMiB })
			change("storage", func() { now.StorageGiB = want.StorageGiB })
			change("overlay", func() { now.OverlayGiB = want.OverlayGiB })
			change("permission-mode", func() { now.Permission = want.Permission })
			a, err := client.SetArtifact(cmd.Context(), args[0], now)
			if err != nil {
				return err
			}
			return c.printArtifact(a)
		},
	}
	f := cmd.Flags()
	f.StringVar(&command, "command", "", "the session's command, its words separated by spaces")
	f.StringVar(&want.User, "user", "", "the session's user")
	f.StringVar(&want.Folder, "folder", "", "the session's folder, absolute or ~/…")
	f.IntVar(&want.CPUs, "cpus", 0, "processors")
	f.IntVar(&want.MemMiB, "mem", 0, "memory in MiB")
	f.IntVar(&want.StorageGiB, "storage", 0, "size of the storage disk in GiB")
	f.IntVar(&want.OverlayGiB, "overlay", 0, "size of the overlay disk in GiB")
	f.StringVar(&want.Permission, "permission-mode", "", "Claude's permission mode")
	return cmd
}

func (c *commands) libraryPin() *cobra.Command {
	off := false
	cmd := &cobra.Command{
		Use: "pin NAME", Short: "keep an artifact from pruning", Args: exactly(1, "name an artifact"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			a, err := client.PinArtifact(ctx, args[0], !off)
			if err != nil {
				return err
			}
			return c.printArtifact(a)
		}),
	}
	cmd.Flags().BoolVar(&off, "off", false, "let it be pruned again")
	return cmd
}

func (c *commands) libraryPrune() *cobra.Command {
	var req control.PruneRequest
	var unused time.Duration
	cmd := &cobra.Command{
		Use: "prune", Short: "remove prepared machines that no launch would use, the records of bottles that are gone, and unused artifacts where asked", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			req.UnusedMS = unused.Milliseconds()
			r, err := client.Prune(ctx, req)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(r)
			}
			for _, name := range r.Artifacts {
				fmt.Fprintln(c.out(), name)
			}
			for _, name := range r.Records {
				fmt.Fprintf(c.out(), "the record of %s\n", c.clean(name))
			}
			word := "freed"
			if req.Dry {
				word = "would be freed"
			}
			fmt.Fprintf(c.out(), "%s %s\n", size(r.Bytes), word)
			return nil
		}),
	}
	f := cmd.Flags()
	f.DurationVar(&unused, "unused", 0, "also artifacts that are not pinned and were not used for that long, such as 720h")
	f.BoolVar(&req.Dry, "dry-run", false, "say what would go, remove nothing")
	return cmd
}
