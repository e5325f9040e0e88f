package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	arch := flag.String("arch", "arm64", "processor of the Mac, as GOARCH")
	flag.Parse()
	patterns := flag.Args()
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	ok, err := run(context.Background(), os.Stdout, ".", *arch, patterns)
	if err != nil {
		fmt.Fprintln(os.Stderr, "darwincheck:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run checks the packages that the patterns name, seen from dir, and writes each
// finding and a closing line to w. It reports whether there were no findings.
func run(ctx context.Context, w io.Writer, dir, arch string, patterns []string) (bool, error) {
	began := time.Now()
	packages, err := list(ctx, dir, arch, patterns)
	if err != nil {
		return false, err
	}
	c := newChecker(arch)
	ours := 0
	for _, p := range packages {
		c.check(p)
		if p.ours() {
			ours++
		}
	}
	if ours == 0 {
		return false, fmt.Errorf("no package of a module here: %v", patterns)
	}
	for _, f := range c.findings {
		fmt.Fprintln(w, f)
	}
	fmt.Fprintf(w, "darwin/%s: %d packages of ours checked, %d of others read, %d errors, %.1f s\n",
		arch, ours, len(packages)-ours, len(c.findings), time.Since(began).Seconds())
	return len(c.findings) == 0, nil
}
