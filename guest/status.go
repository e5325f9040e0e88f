package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"bottlebar.app/hop"
)

// Bounds of the status line.
const (
	maxOwnSettings = 1 << 20
	maxStatus      = 64 << 10        // of what the person's own command prints
	statusRuns     = 5 * time.Second // at most, the person's own command
	statusLinger   = 200 * time.Millisecond
)

// statusLine is the verb that Claude Code runs as its status line. The JSON
// object on standard input goes to the app; shown is what the person's own
// status line prints, if there is one.
func statusLine(ctx context.Context, socket string, in io.Reader, out io.Writer) error {
	b, err := io.ReadAll(io.LimitReader(in, maxHookInput+1))
	if err != nil {
		return err
	}
	told := make(chan struct{})
	go func() { // ends with the process at the latest
		defer close(told)
		_ = hook(socket, hop.StatusEvent, bytes.NewReader(b), io.Discard)
	}()
	ctx, cancel := context.WithTimeout(ctx, statusRuns)
	defer cancel()
	err = ownStatusLine(ctx, ownCommand(b, os.Getenv), b, out)
	// Nobody waits for an app that is away.
	linger := time.NewTimer(statusLinger)
	defer linger.Stop()
	select {
	case <-told:
	case <-linger.C:
	}
	return err
}

// ownCommand is the status line of the person's or the project's own settings,
// which ours stands before: the project's local file counts most, the user's
// least. Empty: there is none.
func ownCommand(input []byte, getenv func(string) string) string {
	var in struct {
		Folder    string `json:"cwd"`
		Workspace struct {
			Project string `json:"project_dir"`
		} `json:"workspace"`
	}
	_ = json.Unmarshal(input, &in) // the user's own file needs nothing of it
	project := in.Workspace.Project
	if project == "" {
		project = in.Folder
	}
	user := getenv("CLAUDE_CONFIG_DIR")
	if user == "" {
		user = filepath.Join(getenv("HOME"), ".claude")
	}
	files := []string{filepath.Join(user, "settings.json")}
	if filepath.IsAbs(project) {
		dir := filepath.Join(project, ".claude")
		files = append([]string{filepath.Join(dir, "settings.local.json"), filepath.Join(dir, "settings.json")}, files...)
	}
	for _, f := range files {
		if c := commandOf(f); c != "" {
			return c
		}
	}
	return ""
}

// commandOf reads the status line's command from a file of settings. One that
// calls this verb would call itself.
func commandOf(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	var s struct {
		StatusLine struct {
			Type    string `json:"type"`
			Command string `json:"command"`
		} `json:"statusLine"`
	}
	if json.NewDecoder(io.LimitReader(f, maxOwnSettings)).Decode(&s) != nil || s.StatusLine.Type != "command" ||
		strings.Contains(s.StatusLine.Command, os.Args[0]+" "+verbStatus) {
		return ""
	}
	return s.StatusLine.Command
}

// ownStatusLine runs a status line's command as Claude Code does.
func ownStatusLine(ctx context.Context, command string, input []byte, out io.Writer) error {
	if command == "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command) //nolint:gosec // the person's own setting
	cmd.Stdin = bytes.NewReader(input)
	cmd.WaitDelay = time.Second
	printed, err := cmd.Output()
	if _, werr := out.Write(printed[:min(len(printed), maxStatus)]); err == nil {
		err = werr
	}
	return err
}
