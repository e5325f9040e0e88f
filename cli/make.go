package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bottlebar.app/control"
)

// tell prints what a program says while something long goes on.
func (c *commands) tell(p control.Progress) {
	if p.Line != "" && !c.json {
		fmt.Fprintln(c.env.Stderr, c.clean(p.Line))
	}
}

func (c *commands) libraryPack() *cobra.Command {
	var req control.PackRequest
	cmd := &cobra.Command{
		Use: "pack IMAGE", Short: "pack an image with smolvm and add it", Args: exactly(1, "name an image"),
		Long: "Packs an image of a registry or, with --engine, of the local container engine\n(library images lists those). What was packed of the same image with the same\noptions before is not packed again.",
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			req.Image = args[0]
			a, err := client.PackArtifact(ctx, req, c.tell)
			if err != nil {
				return err
			}
			return c.printArtifact(a)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&req.Engine, "engine", false, "an image of the local container engine, not of a registry")
	f.BoolVar(&req.Again, "again", false, "pack it though the library has it")
	f.StringVar(&req.Name, "name", "", "its name in the library (default: the image's)")
	f.IntVar(&req.CPUs, "cpus", 0, "processors of its machines")
	f.IntVar(&req.MemMiB, "mem", 0, "memory of its machines in MiB")
	return cmd
}

func (c *commands) libraryMake() *cobra.Command {
	var req control.MakeRequest
	var args []string
	cmd := &cobra.Command{
		Use: "make [RECIPE]", Short: "build an artifact with Claude Code, or of a recipe of yours", Args: cobra.MaximumNArgs(1),
		Long: "Builds the recipe on the local container engine, packs the image with smolvm and\nadds it. Without a name it is the recipe that ships with Bottlebar.",
		RunE: c.asking(func(ctx context.Context, client *control.Client, names []string) error {
			if len(names) > 0 {
				req.Recipe = names[0]
			}
			req.Args = map[string]string{}
			for _, kv := range args {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					return usageError{fmt.Errorf("--arg %s: write it as NAME=VALUE", kv)}
				}
				req.Args[k] = v
			}
			a, err := client.MakeArtifact(ctx, req, c.tell)
			if err != nil {
				return err
			}
			return c.printArtifact(a)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&req.Base, "base", "", "the image to build on (default: the recipe's)")
	f.StringArrayVar(&args, "arg", nil, "a build argument, NAME=VALUE; never a secret: it stays readable in the image")
	f.BoolVar(&req.Again, "again", false, "build it though the library has one of the same recipe and base")
	f.StringVar(&req.Name, "name", "", "its name in the library (default: the recipe's)")
	f.IntVar(&req.CPUs, "cpus", 0, "processors of its machines")
	f.IntVar(&req.MemMiB, "mem", 0, "memory of its machines in MiB")
	return cmd
}

func (c *commands) libraryRecipes() *cobra.Command {
	return &cobra.Command{
		Use: "recipes", Short: "list what artifacts can be made of", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			list, err := client.Recipes(ctx)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(nonNil(list))
			}
			rows := [][]string{{"NAME", "FROM", "MADE", "WHAT"}}
			for _, r := range list {
				from, title, made := "Bottlebar", c.clean(r.Title), strings.Join(r.Made, ", ")
				if r.Own {
					from = "you"
				}
				if len(r.Stale) > 0 {
					made += " (stale: " + strings.Join(r.Stale, ", ") + ")"
				}
				if r.Problem != nil {
					title = "✕ " + c.clean(r.Problem.Why)
				}
				rows = append(rows, []string{c.clean(r.Name), from, made, title})
			}
			return c.table(rows)
		}),
	}
}

func (c *commands) libraryImages() *cobra.Command {
	return &cobra.Command{
		Use: "images", Short: "list the local container engine's images, to pack one", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			list, err := client.Images(ctx)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(nonNil(list))
			}
			rows := [][]string{{"IMAGE", "PLATFORM", "SIZE", "MADE"}}
			for _, i := range list {
				platform := c.clean(i.Platform)
				if !i.Fits {
					platform += " (not this computer's)"
				}
				rows = append(rows, []string{c.clean(i.Ref), platform, size(i.Size), ago(i.Created, time.Now())})
			}
			return c.table(rows)
		}),
	}
}
