package main

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"bottlebar.app/internal/traytest"
	"bottlebar.app/internal/xdrive"
)

// The screen in points, before the scale.
const (
	screenWidth  = 1280
	screenHeight = 800
)

// stage is everything around the app: a folder for its state, a screen, a window
// manager, a session bus and a panel.
type stage struct {
	options
	dir     string // of this show alone: a short path, since sockets lie under it
	home    string // BOTTLEBAR_HOME
	engine  *engine
	driver  string // what was chosen
	env     []string
	logs    *os.File // what the stage's own programs say
	screen  *xdrive.Screen
	display *xdrive.Display
	bus     *traytest.Bus
	panel   *exec.Cmd
	app     *app
}

// newStage sets everything up but the app. On an error nothing is left.
func newStage(ctx context.Context, o options) (_ *stage, err error) {
	s := &stage{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.clear())
		}
	}()
	if s.build, err = filepath.Abs(o.build); err != nil {
		return nil, err
	}
	if s.shots, err = filepath.Abs(o.shots); err != nil {
		return nil, err
	}
	if err := s.clearShots(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("/tmp", "bbs-"); err != nil {
		return nil, err
	}
	s.home = filepath.Join(s.dir, "home")
	for _, d := range []string{"run", "user/.config/xfce4/xfconf/xfce-perchannel-xml", "home/config"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	if s.logs, err = os.Create(filepath.Join(s.shots, "stage"+o.suffix()+".log")); err != nil {
		return nil, err
	}
	if err := s.chooseDriver(ctx); err != nil {
		return nil, err
	}
	return s, s.raise(ctx)
}

// raise starts the screen and the programs of a desktop on it.
func (s *stage) raise(ctx context.Context) error {
	var err error
	if s.screen, err = xdrive.StartScreen(ctx, screenWidth*s.scale, screenHeight*s.scale, s.logs); err != nil {
		return err
	}
	s.env = s.environment()
	if s.bus, err = traytest.StartBus(ctx, s.env); err != nil {
		return err
	}
	s.env = append(s.env, "DBUS_SESSION_BUS_ADDRESS="+s.bus.Address)
	if err := s.screen.Manage(ctx, s.env, s.logs); err != nil {
		return err
	}
	if s.display, err = xdrive.Open(s.screen.Display); err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := s.display.Managed(ready); err != nil {
		return err
	}
	paint := color.RGBA{0xc9, 0xd6, 0xcf, 0xff}
	if s.theme == "dark" {
		paint = color.RGBA{0x22, 0x2b, 0x28, 0xff}
	}
	if err := s.display.Paint(paint); err != nil {
		return err
	}
	return s.startPanel(ctx)
}

// environment is built from nothing, so that the show is the same everywhere.
func (s *stage) environment() []string {
	gtk := "Adwaita"
	if s.theme == "dark" {
		gtk = "Adwaita:dark"
	}
	user := filepath.Join(s.dir, "user")
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + user,
		"XDG_CONFIG_HOME=" + user + "/.config",
		"XDG_CACHE_HOME=" + user + "/.cache",
		"XDG_STATE_HOME=" + user + "/.local/state",
		"XDG_DATA_HOME=" + user + "/.local/share",
		"XDG_RUNTIME_DIR=" + filepath.Join(s.dir, "run"),
		"LANG=C.UTF-8",
		"DISPLAY=" + s.screen.Display,
		"LIBGL_ALWAYS_SOFTWARE=1",
		"NO_AT_BRIDGE=1",
		"GTK_THEME=" + gtk,
		"GDK_SCALE=" + strconv.Itoa(s.scale),
		"FYNE_SCALE=" + strconv.Itoa(s.scale),
		"FYNE_THEME=" + s.theme,
		"BOTTLEBAR_HOME=" + s.home,
	}
	smolvm := os.Getenv("BOTTLEBAR_SMOLVM")
	if smolvm == "" {
		smolvm = filepath.Join(s.build, "standin", "smolvm")
	}
	env = append(env, "BOTTLEBAR_SMOLVM="+smolvm)
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		env = append(env, "DOCKER_HOST="+host)
	}
	return env
}

// chooseDriver takes the engine that answers, else writes the choice of the driver
// "process" into the show's own settings.
func (s *stage) chooseDriver(ctx context.Context) error {
	s.engine = findEngine(ctx)
	s.driver = s.options.driver
	switch {
	case s.driver == "auto" && s.engine != nil:
		s.driver = "docker"
	case s.driver == "auto":
		s.driver = "process"
	case s.driver == "docker" && s.engine == nil:
		return errors.New("no container engine answers, and -driver docker asks for one")
	}
	return os.WriteFile(filepath.Join(s.home, "config", "settings.toml"), []byte("driver = \""+s.driver+"\"\n"), 0o600)
}

// startPanel starts a desktop's panel with nothing on it but the place for icons.
func (s *stage) startPanel(ctx context.Context) error {
	file := filepath.Join(s.dir, "user/.config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml")
	if err := os.WriteFile(file, []byte(panelSettings), 0o600); err != nil {
		return err
	}
	s.panel = exec.CommandContext(ctx, "xfce4-panel", "--disable-wm-check")
	s.panel.Env = s.env
	s.panel.Stdout, s.panel.Stderr = s.logs, s.logs
	s.panel.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.panel.Start(); err != nil {
		s.panel = nil
		return fmt.Errorf("starting the panel: %w: apt-get install xfce4-panel", err)
	}
	ready, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err := s.display.Await(ready, isPanel)
	return err
}

func isPanel(w xdrive.Window) bool { return w.Class == "Xfce4-panel" }

// panelSettings is a bar along the top edge: a gap that grows, then the icons.
const panelSettings = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="26"/>
      <property name="icon-size" type="uint" value="16"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
      <property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
`

// clearShots removes what an earlier show of the same kind left.
func (s *stage) clearShots() error {
	if err := os.MkdirAll(s.shots, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(s.shots, "*@*"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if kindOf(filepath.Base(f)) == s.suffix() {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// clear ends everything, the last first, and removes the show's folder.
func (s *stage) clear() error {
	if s.app != nil && s.app.alive() == nil {
		// Only a show that failed comes here with its app: bottles would outlive it.
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		_, err := s.ask(ctx, "stop", "--all")
		cancel()
		if err != nil {
			fmt.Fprintln(s.logs, "clearing the stage:", err)
		}
		s.app.kill()
	}
	if s.panel != nil {
		_ = syscall.Kill(-s.panel.Process.Pid, syscall.SIGTERM)
		_ = s.panel.Wait()
	}
	if s.bus != nil {
		s.bus.Close()
	}
	if s.display != nil {
		s.display.Close()
	}
	if s.screen != nil {
		s.screen.Close()
	}
	if s.logs != nil {
		s.logs.Close()
	}
	if s.keep || s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}
