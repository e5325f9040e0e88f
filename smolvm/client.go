package smolvm

import (
	"context"
	"io"
)

// Client works with the machines of one home.
type Client struct {
	in   *Install
	home Home
}

type (
	Process  struct{ done chan struct{} }
	Terminal struct{ Command }
)

func (in *Install) Client(h Home) *Client                                        { return &Client{in: in, home: h} }
func (c *Client) Create(ctx context.Context, o CreateOptions) error              { panic("soon") }
func (c *Client) Update(ctx context.Context, name string, o UpdateOptions) error { panic("soon") }
func (c *Client) Start(ctx context.Context, name string, o StartOptions) error   { panic("soon") }
func (c *Client) Stop(ctx context.Context, name string) error                    { panic("soon") }
func (c *Client) Delete(ctx context.Context, name string) error                  { panic("soon") }
func (c *Client) List(ctx context.Context) ([]Machine, error)                    { panic("soon") }
func (c *Client) Status(ctx context.Context, name string) (Machine, error)       { panic("soon") }
func (c *Client) Alive(ctx context.Context, name string) (bool, error)           { panic("soon") }
func (c *Client) DataDir(ctx context.Context, name string) (string, error)       { panic("soon") }
func (c *Client) Copy(ctx context.Context, src, dst string) error                { panic("soon") }
func (c *Client) CopyIn(ctx context.Context, name, host, guest string, o CopyOptions) error {
	panic("soon")
}
func (c *Client) CopyOut(ctx context.Context, name, guest, host string) error { panic("soon") }
func (c *Client) Pack(ctx context.Context, o PackOptions, progress func(line string)) error {
	panic("soon")
}

func (c *Client) Exec(ctx context.Context, name string, o ExecOptions, argv ...string) (Result, error) {
	panic("soon")
}

func (c *Client) ExecStream(ctx context.Context, name string, o ExecOptions, stdin io.Reader, stdout, stderr io.Writer, argv ...string) (int, error) {
	panic("soon")
}

func (c *Client) ExecHeld(ctx context.Context, name string, o ExecOptions, stdin io.Reader, argv ...string) (*Process, error) {
	panic("soon")
}

func (c *Client) ExecTerminal(ctx context.Context, name string, o ExecOptions, argv ...string) (*Terminal, error) {
	panic("soon")
}
func (p *Process) Done() <-chan struct{} { return p.done }
func (p *Process) Wait() (Result, error) { panic("soon") }
func (p *Process) Close() error          { panic("soon") }
func (t *Terminal) Close()               {}

func IsolationArgs(v Version, o CreateOptions) ([]string, error) { panic("soon") }
func CheckIsolation(argv []string) error                         { panic("soon") }
