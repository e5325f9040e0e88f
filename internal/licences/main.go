package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
)

// products are the packages whose modules count. Whatever only tests import is
// not shipped.
var products = []string{".", "./sidecar/bundle", "./guest/cmd"}

// systems are those that the products run on: what they link differs.
var systems = []string{"darwin", "linux"}

func main() {
	write := flag.String("write", "", "file to write")
	check := flag.String("check", "", "file to compare with")
	flag.Parse()
	if err := run(context.Background(), *write, *check); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, write, check string) error {
	modules, err := linked(ctx, systems, products)
	if err != nil {
		return err
	}
	text, err := table(modules)
	if err != nil {
		return err
	}
	switch {
	case write != "":
		return os.WriteFile(write, text, 0o644)
	case check != "":
		old, err := os.ReadFile(check)
		if err != nil {
			return err
		}
		if !bytes.Equal(old, text) {
			return fmt.Errorf("%s is not up to date: make licences", check)
		}
		return nil
	}
	return errors.New("usage: licences -write FILE | -check FILE")
}

// table is the document: one row per module, by path.
func table(modules []module) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Licences\n\nThe modules that the products link, on macOS or Linux. `make licences` writes this page, `make check` compares it.\n\n")
	b.WriteString("| Module | Release | Licence |\n|---|---|---|\n")
	var unknown []error
	for _, m := range modules {
		names, err := licencesIn(m.Dir)
		if err != nil {
			unknown = append(unknown, fmt.Errorf("%s %s: %w", m.Path, m.Version, err))
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.Path, m.Version, names)
	}
	return b.Bytes(), errors.Join(unknown...)
}
