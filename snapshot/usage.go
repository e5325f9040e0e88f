package snapshot

import "time"

// Usage is what a bottle took at the API, in requests and tokens.
type Usage struct {
	Requests   int64 `json:"requests"`
	Input      int64 `json:"input"`       // tokens read afresh
	CacheWrite int64 `json:"cache_write"` // tokens read and kept for later
	CacheRead  int64 `json:"cache_read"`  // tokens kept from earlier
	Output     int64 `json:"output"`
	// Unread are tokens of requests that were cut or whose usage could not be
	// read: what was reserved for them.
	Unread int64 `json:"unread"`
	Tokens int64 `json:"tokens"` // all of the above, which is what caps count
	Held   int64 `json:"held"`   // reserved for what runs now
	Cap    int64 `json:"cap"`    // in tokens; 0: none
}

// Day is what all bottles took on one day of this computer's clock.
type Day struct {
	Tokens int64     `json:"tokens"`
	Cap    int64     `json:"cap"` // 0: none
	Resets time.Time `json:"resets"`
}

// Cut is why a bottle's way out was cut: a decoy was seen in what it sent.
type Cut struct {
	Time  time.Time `json:"time"`
	Decoy string    `json:"decoy"`          // "the placeholder key"
	Via   string    `json:"via"`            // "connect", "http", "api"
	Host  string    `json:"host,omitempty"` // guest: where it was going
	Port  int       `json:"port,omitempty"`
}
