package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"sync"
)

// checker type-checks packages one after another and remembers their types for
// the ones that import them.
type checker struct {
	arch     string
	files    *token.FileSet
	done     map[string]*types.Package
	findings []string
}

func newChecker(arch string) *checker {
	return &checker{arch: arch, files: token.NewFileSet(), done: map[string]*types.Package{"unsafe": types.Unsafe}}
}

// check type-checks p, whose imports have been checked before. Bodies are read in
// our own packages only. Errors in other people's are not ours to report: where
// they matter, the use in our package fails too.
func (c *checker) check(p *listed) {
	if c.done[p.ImportPath] != nil {
		return
	}
	if p.Error != nil && p.ours() {
		c.findings = append(c.findings, p.ImportPath+": "+p.Error.Err)
	}
	conf := types.Config{
		FakeImportC:      true,
		IgnoreFuncBodies: !p.ours(),
		Sizes:            types.SizesFor("gc", c.arch),
		Importer:         importer{c, p.ImportMap},
		Error: func(err error) {
			if p.ours() {
				c.findings = append(c.findings, err.Error())
			}
		},
	}
	if p.Module != nil && p.Module.GoVersion != "" {
		conf.GoVersion = "go" + p.Module.GoVersion
	}
	path, _, _ := strings.Cut(p.ImportPath, " ")
	// The error repeats the first one that Error was given.
	pkg, _ := conf.Check(path, c.files, c.parse(p), nil)
	c.done[p.ImportPath] = pkg
}

// parse reads the files of p side by side. A file that does not parse is a
// finding, and what could be read of it takes part.
func (c *checker) parse(p *listed) []*ast.File {
	names := append(append([]string(nil), p.GoFiles...), p.CgoFiles...)
	parsed := make([]*ast.File, len(names))
	errs := make([]error, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() {
			if !filepath.IsAbs(name) {
				name = filepath.Join(p.Dir, name)
			}
			parsed[i], errs[i] = parser.ParseFile(c.files, name, nil, parser.SkipObjectResolution)
		})
	}
	wait.Wait()
	var files []*ast.File
	for i, f := range parsed {
		if errs[i] != nil && p.ours() {
			c.findings = append(c.findings, errs[i].Error())
		}
		if f != nil {
			files = append(files, f)
		}
	}
	return files
}

// importer finds the types of an import of one package.
type importer struct {
	c       *checker
	renamed map[string]string
}

// Import returns the package that path means where the import stands.
func (i importer) Import(path string) (*types.Package, error) {
	if to, ok := i.renamed[path]; ok {
		path = to
	}
	if pkg := i.c.done[path]; pkg != nil {
		return pkg, nil
	}
	return nil, fmt.Errorf("package %s does not exist for this system", path)
}
