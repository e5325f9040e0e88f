package egress

import (
	"encoding/json"
	"net/http"
)

// apiError is how the API itself reports an error, so that its clients show
// what it says (docs.anthropic.com, "Errors").
type apiError struct {
	Type  string `json:"type"`
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

// writeAPIError answers a request on the API route that is refused here.
func writeAPIError(w http.ResponseWriter, status int, why Reason, text string) {
	e := apiError{Type: "error"}
	e.Error.Message = text
	h := w.Header()
	h.Set("X-Should-Retry", "false") // understood by the API's own clients
	switch {
	case status == http.StatusRequestEntityTooLarge:
		e.Error.Type = "request_too_large"
	case status == http.StatusTooManyRequests:
		e.Error.Type = "rate_limit_error"
	case status >= http.StatusInternalServerError:
		e.Error.Type = "api_error"
	default:
		e.Error.Type = "permission_error"
	}
	if why == APIBusy || status == http.StatusServiceUnavailable {
		h.Set("X-Should-Retry", "true")
		h.Set("Retry-After", "2")
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Bottle-Denied", string(why))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e)
}
