package egress

import "time"

// Policy is what a bottle may reach: one whole document, replaced as a whole.
// The zero value allows nothing.
type Policy struct {
	// Revision rises with each change; it comes back with the acknowledgement.
	Revision uint64 `json:"revision"`
	// API turns the API route on. While it is on, its host cannot be reached
	// by CONNECT or plain HTTP, whatever Hosts says.
	API *API `json:"api,omitempty"`
	// Hosts are the names that may be reached.
	Hosts []Rule `json:"hosts,omitempty"`
	// Block are names or addresses that are refused whatever Hosts says:
	// exact, or "*." for everything below a name, on every port or, written
	// "host:port", on one.
	Block []string `json:"block,omitempty"`
	// Canaries are names whose refusal is always told, one line each, however
	// many other lines there are. The proof uses them.
	Canaries []string `json:"canaries,omitempty"`
	// Hold makes requests to unlisted places wait for an answer; nil refuses
	// them at once.
	Hold *Hold `json:"hold,omitempty"`
	// Floor are further prefixes below which nothing is reached: the host's
	// own addresses, for example. A private rule passes them.
	Floor []string `json:"floor,omitempty"`
}

// API is where the API route leads.
type API struct {
	// Upstream is the base URL; empty means DefaultUpstream. Any other is a
	// test's, and is exempt from the floor.
	Upstream string `json:"upstream,omitempty"`
	// Roots are further root certificates for Upstream, PEM.
	Roots string `json:"roots,omitempty"`
	// Web lets requests ask for web search and web fetch, by which Claude's
	// servers contact the internet on the bottle's behalf.
	Web bool `json:"web,omitempty"`
}

// DefaultUpstream is where the API route leads unless a test says otherwise.
const DefaultUpstream = "https://api.anthropic.com"

// DefaultPort is the port of a rule that names none.
const DefaultPort = 443

// MaxRules bounds the lines of a policy, Hosts and Block together, so that one
// always fits a control line and is ready within a second.
const MaxRules = 20_000

// Rule lets one name, or everything below one, be reached on one port.
type Rule struct {
	// Host is a name ("registry.npmjs.org"), everything below a name
	// ("*.example.com", which does not match example.com itself), or an
	// address.
	Host string `json:"host" toml:"host"`
	// Port is DefaultPort when zero.
	Port uint16 `json:"port,omitempty" toml:"port,omitempty"`
	// Methods are the methods of plain HTTP that the rule is for; empty is any.
	// A rule with methods is for http:// requests alone: what goes through a
	// tunnel cannot be seen, so it opens none.
	Methods []string `json:"methods,omitempty"`
	// Private lets an exact name or address with a port lead to a private
	// address: a company's server. Never to loopback, link-local or metadata
	// addresses.
	Private bool `json:"private,omitempty" toml:"private,omitempty"`
}

// Kind is what kind of line a Decision is.
type Kind string

// The kinds of lines.
const (
	Denied  Kind = "deny"   // refused, with a Reason
	Allowed Kind = "allow"  // a tunnel or a plain request was let through
	Closed  Kind = "close"  // the end of an allowed one, with its bytes
	APICall Kind = "api"    // one request on the API route, at its end
	Held    Kind = "held"   // an unlisted place waits for an answer, for Millis
	Canary  Kind = "canary" // a decoy was seen in what left the bottle: its way out is shut; Rule names the decoy
	Lost    Kind = "lost"   // Count deny lines were dropped because there were too many
)

// Reason says in one stable word why something was refused or cut.
type Reason string

// The reasons. They are also the value of the X-Bottle-Denied header.
const (
	NotAllowed   Reason = "not-allowed"   // no rule names it
	Blocked      Reason = "blocked"       // the block list names it
	BadName      Reason = "bad-name"      // not a name that can be judged
	BadRequest   Reason = "bad-request"   // not a request that is served here
	APIHost      Reason = "api-host"      // the API is reached by its route only
	BelowFloor   Reason = "address"       // the name leads to an address that is never reached
	NotResolved  Reason = "no-address"    // the name leads nowhere
	NotReached   Reason = "unreachable"   // nobody answered there
	ProxyDown    Reason = "proxy-down"    // the company's proxy does not answer
	ProxyAuth    Reason = "proxy-auth"    // it asks for a name and a password
	ProxyRefused Reason = "proxy-refused" // it does not let this through
	WrongSNI     Reason = "sni"           // the TLS hello names another host, none, or is no TLS
	NotOpen      Reason = "closed"        // the proof has not held yet
	NoLease      Reason = "lease"         // the app has not been heard of for a while
	TooMany      Reason = "too-many"      // a limit on what runs at once
	APIPath      Reason = "api-path"      // not in the table of API requests
	APIAuth      Reason = "api-auth"      // not this bottle's placeholder credential
	NoCredential Reason = "no-credential" // none is set
	APIBody      Reason = "api-body"      // the body asks for what is refused
	APICap       Reason = "api-cap"       // a cap on tokens is reached
	APIBusy      Reason = "api-busy"      // too much at once on the API route, or nobody answers for a cap
	Tripped      Reason = "decoy"         // a decoy was seen: nothing leaves the bottle any more
	Revoked      Reason = "revoked"       // a policy change took it back
	HungUp       Reason = "hung-up"       // the bottle closed its side before the answer came
	Idled        Reason = "idle"          // no byte either way for long
)

// Decision is one line about something a bottle reached or wanted to. It never
// holds header values, query strings or bodies. Host and Path are the guest's
// words.
type Decision struct {
	Time   time.Time `json:"time"`
	Kind   Kind      `json:"kind"`
	Via    string    `json:"via"` // "connect", "http", "api"
	Host   string    `json:"host,omitempty"`
	Port   uint16    `json:"port,omitempty"`
	IP     string    `json:"ip,omitempty"`     // the address that was dialled
	SNI    string    `json:"sni,omitempty"`    // what the TLS hello named
	Rule   string    `json:"rule,omitempty"`   // the rule that allowed it, as "host:port"
	Reason Reason    `json:"reason,omitempty"` // why it was refused or cut
	Method string    `json:"method,omitempty"`
	Path   string    `json:"path,omitempty"` // API route only, without the query
	Status int       `json:"status,omitempty"`
	Up     int64     `json:"up,omitempty"`   // bytes from the bottle
	Down   int64     `json:"down,omitempty"` // bytes to the bottle
	Millis int64     `json:"ms,omitempty"`
	Canary bool      `json:"canary,omitempty"` // of a canary's name: never gathered, never dropped
	Tokens int64     `json:"tokens,omitempty"` // API route only: what the request took, as it counts against caps
	Count  int       `json:"count"`            // how many like it this line stands for, at least 1
}
