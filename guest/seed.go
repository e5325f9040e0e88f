package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"bottlebar.app/hop"
)

// maxSettings bounds the files that are merged into.
const maxSettings = 8 << 20

// seed prepares a user's home. The folder is made as root, everything else
// happens in a process of the user's, so that links which a guest planted
// lead nowhere its user cannot go anyway.
func (h *helper) seed(ctx context.Context, req hop.SeedRequest) (any, error) {
	acc, err := h.account(req.User)
	if err != nil {
		return nil, err
	}
	if req.Folder != "" {
		if req.Folder, err = acc.place(req.Folder); err != nil {
			return nil, err
		}
		req.Folder = filepath.Clean(req.Folder)
		if err := makeFolder(req.Folder, acc); err != nil {
			return nil, remote(err, "making the folder")
		}
	}
	var reply hop.SeedReply
	err = h.asUser(ctx, acc, verbSeed, req, nil, nil, &reply)
	return reply, err
}

// seedHome is the part that runs as the user.
func seedHome(req hop.SeedRequest, home string) (hop.SeedReply, error) {
	reply := hop.SeedReply{Changed: []string{}, Folder: req.Folder}
	dir := home
	if req.ConfigDir != "" {
		dir = req.ConfigDir
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return reply, err
		}
	}
	path := filepath.Join(dir, ".claude.json")
	changed, err := rewrite(path, 0o600, func(old []byte) ([]byte, error) { return mergeClaude(old, req) })
	if err != nil {
		return reply, fmt.Errorf("preparing %s: %w", path, err)
	}
	if changed {
		reply.Changed = append(reply.Changed, path)
	}
	for _, f := range req.Plant {
		if path, err := plant(home, f); err == nil {
			reply.Changed = append(reply.Changed, path)
		}
	}
	if req.GitName == "" && req.GitEmail == "" {
		return reply, nil
	}
	path = filepath.Join(home, ".gitconfig")
	other, _ := readSmall(filepath.Join(home, ".config", "git", "config"))
	changed, err = rewrite(path, 0o644, func(old []byte) ([]byte, error) {
		return mergeGit(old, other, req.GitName, req.GitEmail), nil
	})
	if err != nil {
		return reply, fmt.Errorf("preparing %s: %w", path, err)
	}
	if changed {
		reply.Changed = append(reply.Changed, path)
	}
	return reply, nil
}

// plant writes a file into a folder of its own below home. Where the folder is
// there already, what the artifact has in it stays alone.
func plant(home string, f hop.SeedFile) (string, error) {
	dir := filepath.Dir(f.Path)
	if !filepath.IsLocal(f.Path) || dir == "." {
		return "", errors.New("not a file in a folder below the home")
	}
	root, err := os.OpenRoot(home)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	if err := root.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	out, err := root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(out, f.Text)
	return filepath.Join(home, f.Path), errors.Join(err, out.Close())
}

// object is a JSON object whose values stay as they are written.
type object = map[string]json.RawMessage

// mergeClaude adds what a first start would ask for. A value that is there
// stays, unless it is exactly the answer "no" that no person ever gave.
func mergeClaude(old []byte, req hop.SeedRequest) ([]byte, error) {
	top := object{}
	if len(bytes.TrimSpace(old)) > 0 {
		if err := json.Unmarshal(old, &top); err != nil || top == nil {
			return nil, errors.New("it is not a JSON object, so it stays as it is")
		}
	}
	before := len(top)
	add(top, "hasCompletedOnboarding", "true")
	add(top, "theme", `"auto"`) // it asks the terminal whether it is light or dark
	for k, v := range req.Claude {
		if json.Valid(v) {
			add(top, k, string(v))
		}
	}
	changed := len(top) != before
	if req.Folder != "" {
		did, err := trust(top, req.Folder)
		if err != nil {
			return nil, err
		}
		changed = changed || did
	}
	if !changed {
		return old, nil
	}
	b, err := json.MarshalIndent(top, "", "  ")
	return append(b, '\n'), err
}

func add(o object, key, value string) {
	if _, there := o[key]; !there {
		o[key] = json.RawMessage(value)
	}
}

// trust marks the folder that the session starts in as trusted.
func trust(top object, folder string) (bool, error) {
	projects, err := member(top, "projects")
	if err != nil {
		return false, err
	}
	project, err := member(projects, folder)
	if err != nil {
		return false, err
	}
	const key = "hasTrustDialogAccepted"
	if string(project[key]) == "true" {
		return false, nil
	}
	project[key] = json.RawMessage("true")
	if projects[folder], err = json.Marshal(project); err != nil {
		return false, err
	}
	top["projects"], err = json.Marshal(projects)
	return true, err
}

func member(o object, key string) (object, error) {
	c := object{}
	if raw, there := o[key]; there {
		if err := json.Unmarshal(raw, &c); err != nil || c == nil {
			return nil, fmt.Errorf("%q in it is not an object, so it stays as it is", hop.Clean(key, 100))
		}
	}
	return c, nil
}

var (
	gitSection = regexp.MustCompile(`(?i)^\s*\[\s*user\s*\]`)
	gitOther   = regexp.MustCompile(`^\s*\[`)
	gitKey     = regexp.MustCompile(`(?i)^\s*(name|email)\s*(=|$)`)
)

// gitHas reports which of user.name and user.email a git configuration sets.
func gitHas(b []byte) (name, email bool) {
	inside := false
	for line := range bytes.Lines(b) {
		switch {
		case gitSection.Match(line):
			inside = true
			line = line[bytes.IndexByte(line, ']')+1:]
		case gitOther.Match(line):
			inside = false
		}
		if m := gitKey.FindSubmatch(line); inside && m != nil {
			if strings.EqualFold(string(m[1]), "name") {
				name = true
			} else {
				email = true
			}
		}
	}
	return name, email
}

// mergeGit adds the person's name and address where neither file has them.
func mergeGit(old, other []byte, name, email string) []byte {
	n1, e1 := gitHas(old)
	n2, e2 := gitHas(other)
	var b strings.Builder
	if v := gitValue(name); v != "" && !n1 && !n2 {
		b.WriteString("\tname = " + v + "\n")
	}
	if v := gitValue(email); v != "" && !e1 && !e2 {
		b.WriteString("\temail = " + v + "\n")
	}
	if b.Len() == 0 {
		return old
	}
	out := bytes.Clone(old)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return append(out, "[user]\n"+b.String()...)
}

// gitValue quotes a value as git's configuration wants it.
func gitValue(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if s == "" || len(s) > 256 {
		return ""
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// readSmall reads a regular file of a bounded size; an absent one is empty.
func readSmall(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	if err == nil && len(b) > maxSettings {
		err = fmt.Errorf("it is longer than %d bytes", maxSettings)
	}
	return b, err
}

// rewrite replaces a file whole by what change makes of it; a link is
// followed once, so that a home kept in a repository of dot files stays one.
func rewrite(path string, perm fs.FileMode, change func([]byte) ([]byte, error)) (bool, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	old, err := readSmall(path)
	if err != nil {
		return false, err
	}
	b, err := change(old)
	if err != nil || bytes.Equal(b, old) {
		return false, err
	}
	if fi, err := os.Stat(path); err == nil {
		perm = fi.Mode().Perm()
	}
	tmp := path + ".bottlebar-" + strconv.Itoa(os.Getpid())
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, perm)
	if err != nil {
		return false, err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return false, err
	}
	return true, nil
}
