package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// options say which show is given.
type options struct {
	build  string // the folder with the products
	shots  string // where pictures and logs go
	driver string // how sidecars run: "docker", "process"; "auto" takes what is there
	theme  string // "light" or "dark"
	scale  int    // pixels per point
	keep   bool   // leave the state's folder behind
}

func main() {
	var o options
	flag.StringVar(&o.build, "build", "build", "folder with the products")
	flag.StringVar(&o.shots, "shots", "build/shots", "folder for pictures and logs")
	flag.StringVar(&o.driver, "driver", "auto", "how sidecars run: docker, process, or auto: what is there")
	flag.StringVar(&o.theme, "theme", "light", "light or dark")
	flag.IntVar(&o.scale, "scale", 1, "pixels per point: 1 or 2")
	flag.BoolVar(&o.keep, "keep", false, "leave the state's folder behind")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := give(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "show:", err)
		os.Exit(1)
	}
}

// give sets the stage, plays, and clears the stage, whatever happens in between.
func give(ctx context.Context, o options) error {
	if err := o.check(); err != nil {
		return err
	}
	// A show that is interrupted needs its stage to clear up.
	s, err := newStage(context.WithoutCancel(ctx), o)
	if err != nil {
		return fmt.Errorf("setting the stage: %w", err)
	}
	p := &play{stage: s, options: o, out: os.Stdout}
	return errors.Join(p.run(ctx), s.clear())
}

func (o options) check() error {
	switch {
	case o.theme != "light" && o.theme != "dark":
		return fmt.Errorf("-theme %s: it is light or dark", o.theme)
	case o.scale != 1 && o.scale != 2:
		return fmt.Errorf("-scale %d: it is 1 or 2", o.scale)
	case o.driver != "auto" && o.driver != "docker" && o.driver != "process":
		return fmt.Errorf("-driver %s: it is docker, process or auto", o.driver)
	}
	return nil
}

// suffix is the end of every picture's name: "-dark@2x".
func (o options) suffix() string {
	theme := ""
	if o.theme == "dark" {
		theme = "-dark"
	}
	return fmt.Sprintf("%s@%dx", theme, o.scale)
}
