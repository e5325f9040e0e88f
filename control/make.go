package control

import (
	"context"
	"net/http"

	"bottlebar.app/snapshot"
)

// MakeRequest makes an artifact of a recipe.
type MakeRequest struct {
	Recipe string            `json:"recipe,omitempty"` // empty: the one that ships with the app
	Base   string            `json:"base,omitempty"`   // the image to build on; empty: the recipe's
	Args   map[string]string `json:"args,omitempty"`   // build arguments; they stay readable in the image
	Name   string            `json:"name,omitempty"`   // the artifact's; empty: the recipe's
	CPUs   int               `json:"cpus,omitempty"`
	MemMiB int               `json:"mem_mib,omitempty"`
	Again  bool              `json:"again,omitempty"` // though the library has one of the same recipe and base
}

// makeRoutes serves what artifacts are made of.
func makeRoutes(mux *http.ServeMux, c Core, answer func(pattern string, h func(r *http.Request) (any, error))) {
	answer("GET /v1/recipes", func(r *http.Request) (any, error) { return c.Recipes(r.Context()) })
	answer("GET /v1/images", func(r *http.Request) (any, error) { return c.Images(r.Context()) })
	stream(mux, "POST /v1/library/make", func(r *http.Request, req MakeRequest, tell func(any)) (any, error) {
		return c.MakeArtifact(r.Context(), req, telling(tell, progressOf))
	})
}

// MakeArtifact makes an artifact of a recipe and adds it.
func (c *Client) MakeArtifact(ctx context.Context, req MakeRequest, tell func(Progress)) (snapshot.Artifact, error) {
	return long[snapshot.Artifact](ctx, c, "/v1/library/make", req, lines(tell))
}

// Recipes are what artifacts can be made of.
func (c *Client) Recipes(ctx context.Context) ([]snapshot.Recipe, error) {
	return get[[]snapshot.Recipe](ctx, c, "/v1/recipes")
}

// Images are those of the local engine.
func (c *Client) Images(ctx context.Context) ([]snapshot.Image, error) {
	return get[[]snapshot.Image](ctx, c, "/v1/images")
}
