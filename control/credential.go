package control

import (
	"context"
	"net/http"

	"bottlebar.app/snapshot"
)

// CredentialTrial is what the API said to a request that costs nothing.
type CredentialTrial struct {
	Valid   bool   `json:"valid"`
	Verdict string `json:"verdict"` // "valid", "refused", "rate-limited", "no-way", "unclear", "not-set"
	Finding string `json:"finding"` // one line
	Cure    string `json:"cure,omitempty"`
	Status  int    `json:"status,omitempty"` // of the API's reply
	Millis  int64  `json:"ms"`
}

// AdjustRequest changes what a bottle may do at the API; nil leaves a thing as
// it is.
type AdjustRequest struct {
	CapTokens *int64 `json:"cap_tokens,omitempty"` // 0 as the settings say, -1 without a cap
	Web       *bool  `json:"web,omitempty"`
	Reopen    bool   `json:"reopen,omitempty"` // after its way out was cut
}

func credentialRoutes(c Core, answer func(string, func(*http.Request) (any, error))) {
	answer("POST /v1/credential/test", func(r *http.Request) (any, error) { return c.TestCredential(r.Context()) })
	answer("POST /v1/bottles/{name}/adjust", func(r *http.Request) (any, error) {
		var req AdjustRequest
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return c.Adjust(r.Context(), r.PathValue("name"), req)
	})
	answer("POST /v1/day/reset", func(r *http.Request) (any, error) { return struct{}{}, c.ResetDay(r.Context()) })
}

// TestCredential asks the API whether it takes the credential.
func (c *Client) TestCredential(ctx context.Context) (CredentialTrial, error) {
	return post[CredentialTrial](ctx, c, "/v1/credential/test", nil)
}

// Adjust changes what a bottle may do at the API.
func (c *Client) Adjust(ctx context.Context, name string, req AdjustRequest) (snapshot.Bottle, error) {
	return post[snapshot.Bottle](ctx, c, bottlePath(name, "adjust"), req)
}

// ResetDay starts the day's count of tokens afresh.
func (c *Client) ResetDay(ctx context.Context) error {
	_, err := post[struct{}](ctx, c, "/v1/day/reset", nil)
	return err
}
