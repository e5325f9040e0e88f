//go:build !race

// Pictures are painted in one goroutine, and ten times slower under the race
// detector: the tests take them without it.

package terminal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bottlebar.app/internal/termshot"
)

// TestProgramsLookAsTheyDoElsewhere shows programs of every day and pages that
// are hard to get right, and keeps their pictures in build/shots for people to
// look at. A page that stays empty or whose text is not on the screen fails.
func TestProgramsLookAsTheyDoElsewhere(t *testing.T) {
	vim := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(vim, []byte(goCode), 0o600); err != nil {
		t.Fatal(err)
	}
	scheme := []string{"-u", "NONE", "-i", "NONE", "-n", "-N", "--cmd", "set termguicolors number cursorline hlsearch t_Cs=\x1b[4:3m t_Ce=\x1b[4:0m t_8u=\x1b[58:2::%lu:%lu:%lum laststatus=2 showcmd ruler"}
	for _, page := range []struct {
		name, shows string
		argv        []string
		text        string
	}{
		{"htop", "PID", []string{"htop", "--delay=600", "--readonly"}, ""},
		{"vim", "Greeting", append(append([]string{"vim"}, scheme...), "-c", "syntax on", "-c", "colorscheme "+"habamax", "-c", "/Greeting", vim), ""},
		{"boxes", "Left", nil, boxes},
		{"unicode", "family", nil, unicodePage},
		{"styles", "curly", nil, styles},
	} {
		for _, l := range termshot.Looks {
			t.Run(page.name+l.Suffix(), func(t *testing.T) {
				s := termshot.New(t, l, 100, 30)
				if page.argv == nil {
					s.Print([]byte(strings.ReplaceAll(page.text, "\n", "\r\n")))
				} else {
					cmd := exec.CommandContext(t.Context(), page.argv[0], page.argv[1:]...)
					back := "15;0"
					if l.Light {
						back = "0;15"
					}
					cmd.Env = []string{"PATH=/usr/bin:/bin", "TERM=xterm-256color", "COLORTERM=truecolor", "LANG=C.UTF-8", "COLORFGBG=" + back, "HOME=" + t.TempDir()}
					s.Run(cmd)
				}
				s.Until("the page", func(text string) bool { return strings.Contains(text, page.shows) })
				s.Save(filepath.Join("..", "build", "shots", "terminal-"+page.name+l.Suffix()))
			})
		}
	}
}

// TestClaudeLooksAsItDoesElsewhere shows Claude Code's own screens, as the real
// client wrote them in a bottle of 120 by 40 cells, and keeps their pictures. The
// recordings are those that TestRealClaudeWorksInABottle leaves in build/shots.
func TestClaudeLooksAsItDoesElsewhere(t *testing.T) {
	for _, page := range []struct{ name, shows string }{
		{"prompt", "Claude Code"}, {"answer", "forty-two"}, {"permission", "Do you want to proceed?"}, {"tool", "1 result"},
	} {
		for _, l := range termshot.Looks {
			t.Run(page.name+l.Suffix(), func(t *testing.T) {
				from := "-dark.pty"
				if l.Light {
					from = "-light.pty"
				}
				out, err := os.ReadFile(filepath.Join("testdata", "claude-"+page.name+from))
				if err != nil {
					t.Fatal(err)
				}
				s := termshot.New(t, l, 120, 40)
				s.Print(out)
				s.Until("the page", func(text string) bool { return strings.Contains(text, page.shows) })
				s.Save(filepath.Join("..", "build", "shots", "terminal-claude-"+page.name+l.Suffix()))
			})
		}
	}
}

const goCode = `package main

import (
	"fmt"
	"strings"
)

// Greeting says hello to everybody who is named, in the order given.
type Greeting struct {
	Names []string
	Times int
}

func (g Greeting) String() string {
	var b strings.Builder
	for i := range g.Times {
		fmt.Fprintf(&b, "%02d: hello, %s\n", i+1, strings.Join(g.Names, " → "))
	}
	return b.String()
}

func main() {
	g := Greeting{Names: []string{"world", "мир", "世界", "🌍"}, Times: 3}
	if g.Times != 0x03 && len(g.Names) >= 4 {
		panic("three is three")
	}
	fmt.Print(g)
}
`

// boxes has all box-drawing characters and blocks that programs draw with.
const boxes = "" +
	"┌──────────────┬──────────────┐  ╔══════════╦══════════╗  ┏━━━━━━━┳━━━━━━━┓  ╭──────────╮\n" +
	"│ Left         │        Right │  ║ Double   ║   lines  ║  ┃ Heavy ┃ lines ┃  │ Rounded  │\n" +
	"├──────────────┼──────────────┤  ╠══════════╬══════════╣  ┣━━━━━━━╋━━━━━━━┫  ├╌╌╌╌╌╌╌╌╌╌┤\n" +
	"│ one          │            1 │  ║  ╒══╤══╕ ║  ╓──╥──╖ ║  ┃ ┍━┯━┑ ┃ ┎─┰─┒ ┃  │ ┄┄┄ ┈┈┈  │\n" +
	"│ two          │            2 │  ║  ╞══╪══╡ ║  ╟──╫──╢ ║  ┃ ┝━┿━┥ ┃ ┠─╂─┨ ┃  │ ┅┅┅ ┉┉┉  │\n" +
	"│ three        │            3 │  ║  ╘══╧══╛ ║  ╙──╨──╜ ║  ┃ ┕━┷━┙ ┃ ┖─┸─┚ ┃  │ ╎ ╏ ┆ ╱╳╲│\n" +
	"└──────────────┴──────────────┘  ╚══════════╩══════════╝  ┗━━━━━━━┻━━━━━━━┛  ╰──────────╯\n\n" +
	"▁▂▃▄▅▆▇█  ▏▎▍▌▋▊▉█  ░░▒▒▓▓██   ▀▀▀▀▄▄▄▄▐▐▐▐▌▌▌▌  ▖▗▘▝▞▚▙▛▜▟  ⠁⠃⠇⡇⣇⣧⣷⣿ ⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏\n" +
	"████████  ▉▉▉▉▉▉▉▉  ░░▒▒▓▓██   ████████████████  ▐▛███▜▌     ⣿⣿⣿⣿⣿⣿⣿⣿\n" +
	"                                                 ▝▜█████▛▘\n" +
	"                                                   ▘▘ ▝▝\n" +
	"\x1b[44;97m main \x1b[34;42m\ue0b0\x1b[30m ~/work \x1b[32;49m\ue0b0\x1b[m  \x1b[33m\ue0b2\x1b[30;43m 12:01 \x1b[m  \x1b[7m inverse \x1b[m   ⎿ ⏺ ✳ ✶ ✻ ✽ ✢ · ❯ ☐ ☒ ✔ ✘ ● ○ ◐ ▶ ◀ ↑ ↓ → ← … • ─▶ ◆ ★ ⚑\n"

const unicodePage = "" +
	"\x1b[1mWide and narrow, each row ends at the same bar\x1b[m\n" +
	"日本語のテキスト\x1b[27G|  Hiragana ひらがな, Katakana カタカナ, half ﾊﾝｶｸ\n" +
	"中文字符測試简体\x1b[27G|  Chinese 你好，世界。「引号」\n" +
	"한국어 텍스트\x1b[27G|  Korean 안녕하세요\n" +
	"Ελληνικά Кириллица\x1b[27G|  Greek, Cyrillic, עברית, العربية, हिन्दी, ไทย\n" +
	"e´ é ñ ö ﬁ ﬂ a̐ é̂ o̲\x1b[27G|  combining marks\n" +
	"\n" +
	"\x1b[1mEmoji\x1b[m\n" +
	"😀 😃 🎉 🚀 🐙 🍾 🔥 ✨\x1b[27G|  faces and things\n" +
	"✅ ❌ ⚡ ⭐ ⏰ ⌛ ☔ ♿\x1b[27G|  two cells by default\n" +
	"✳ ✳️ ⚠ ⚠️  ❤ ❤️  ☎ ☎️\x1b[27G|  text and emoji presentation\n" +
	"👍🏽 👋🏿 🧑🏻‍💻 👩‍💻\x1b[27G|  skin tones, professions\n" +
	"👨‍👩‍👧‍👦 👩‍❤️‍👨 🏳️‍🌈 🏴‍☠️\x1b[27G|  family, flags made of parts\n" +
	"🇬🇧 🇩🇪 🇯🇵 🇺🇳 1️⃣ #️⃣\x1b[27G|  flags, keycaps\n" +
	"\n" +
	"\x1b[1mSymbols\x1b[m\n" +
	"∀x∈ℝ: ⌈x⌉ = −⌊−x⌋  ∑∏∫√∞≈≠≤≥  ⊂⊃∪∩  αβγδ  ½ ¼ ² ³ ™ © ® € £ ¥ ₿\n" +
	"←↑→↓↔⇐⇒⇔ ⌘⌥⇧⌃⏎⌫⎋ ♠♣♥♦ ♪♫ ☀☁☂ ✓✗ ①②③ Ⅷ ℃ №\n"

const styles = "" +
	"\x1b[1mbold\x1b[m  \x1b[2mfaint\x1b[m  \x1b[3mitalic\x1b[m  \x1b[1;3mbold italic\x1b[m  \x1b[7minverse\x1b[m  \x1b[9mstrike\x1b[m  \x1b[53moverline\x1b[m  \x1b[4mgjpqy underlined\x1b[m\n\n" +
	"\x1b[4:1msingle gjpqy\x1b[m   \x1b[4:2mdouble gjpqy\x1b[m   \x1b[4:3mcurly gjpqy\x1b[m   \x1b[4:4mdotted gjpqy\x1b[m   \x1b[4:5mdashed gjpqy\x1b[m\n" +
	"\x1b[4:3;58:2::255:80:80mred curly misspeled\x1b[m   \x1b[4;58:5:33mblue line\x1b[m   \x1b[4:2;58:2::80:200:120;1mgreen double bold\x1b[m   \x1b[4:3m日本語 wave\x1b[m\n\n" +
	"\x1b[30m30 \x1b[31m31 \x1b[32m32 \x1b[33m33 \x1b[34m34 \x1b[35m35 \x1b[36m36 \x1b[37m37\x1b[m   \x1b[90m90 \x1b[91m91 \x1b[92m92 \x1b[93m93 \x1b[94m94 \x1b[95m95 \x1b[96m96 \x1b[97m97\x1b[m\n" +
	"\x1b[40m 40 \x1b[41m 41 \x1b[42m 42 \x1b[43m 43 \x1b[44m 44 \x1b[45m 45 \x1b[46m 46 \x1b[47m 47 \x1b[m   \x1b[100m100 \x1b[101m101 \x1b[102m102 \x1b[103m103 \x1b[104m104 \x1b[105m105 \x1b[106m106 \x1b[107m107 \x1b[m\n" +
	"\x1b[1;31mbold red\x1b[m \x1b[2;32mfaint green\x1b[m \x1b[3;34mitalic blue\x1b[m \x1b[38;2;255;140;0mtrue colour\x1b[m \x1b[48;2;60;20;90;38;2;240;220;255m on violet \x1b[m\n\n" +
	"The quick brown fox jumps over the lazy dog 0123456789 O0 Il1| {}[]()<> => != === -> ~~ `'\" @#$%^&*\n" +
	"\x1b[1mThe quick brown fox jumps over the lazy dog 0123456789\x1b[m\n" +
	"\x1b[3mThe quick brown fox jumps over the lazy dog 0123456789\x1b[m\n" +
	"\x1b]8;;https://smolmachines.com\x1b\\a link\x1b]8;;\x1b\\  \x1b[3mf\x1b[mj\x1b[3mff\x1b[m|  AVAToTyWa  ffi fl\n"
