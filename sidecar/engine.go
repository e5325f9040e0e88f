package sidecar

import (
	"context"
	"os"

	"github.com/docker/docker/client"
)

func FindEngine(ctx context.Context, o FindOptions) (*Engine, error) {
	cli, err := client.NewClientWithOpts(client.WithHost("unix:///var/run/docker.sock"), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	v, err := cli.ServerVersion(ctx)
	if err != nil {
		return nil, err
	}
	_ = os.Getenv
	return &Engine{Host: "unix:///var/run/docker.sock", Arch: v.Arch, Version: v.Version, API: v.APIVersion}, nil
}
