#!/bin/sh
# The demo's stand-in for the claude command. It talks to nobody.
esc=$(printf '\033')
b="${esc}[1m"; d="${esc}[2m"; g="${esc}[38;5;72m"; o="${esc}[38;5;173m"; x="${esc}[0m"

case "$1" in
-v|--version) echo "demo (not Claude Code)"; exit 0 ;;
-p|--print) shift; echo "you typed: $*"; exit 0 ;;
esac

title() { [ -t 1 ] && printf '\033]0;%s\007' "$1"; }

rule() {
	cols=$(stty size 2>/dev/null | cut -d' ' -f2)
	[ "${cols:-0}" -gt 4 ] 2>/dev/null || cols=80
	[ "$cols" -gt 100 ] && cols=100
	printf '%s' "$d"
	i=0
	while [ $i -lt "$cols" ]; do printf '─'; i=$((i + 1)); done
	printf '%s\n' "$x"
}

title "✳ demo"
[ -t 1 ] && printf '\033[2J\033[H'
printf '\n'
printf '  %s▗▄▖%s    %sDemo session%s\n' "$g" "$x" "$b" "$x"
printf '  %s▐ ▌%s    %sno Claude Code inside: this script echoes what you type%s\n' "$g" "$x" "$d" "$x"
printf ' %s▟%s❯ %s▙%s    %s%s%s\n' "$g" "$o" "$g" "$x" "$d" "$(pwd)" "$x"
printf ' %s▜▄▄▄▛%s\n\n' "$g" "$x"
printf '  Type anything. %s!ls -l%s runs a shell command, %s/help%s tells more, %s/exit%s ends.\n\n' "$b" "$x" "$b" "$x" "$b" "$x"

trap 'printf "\n"' INT
while :; do
	rule
	printf '%s❯%s ' "$o" "$x"
	if ! IFS= read -r line; then
		# A signal interrupts the read; the end of input ends the demo.
		[ $? -gt 128 ] && continue
		printf '\n'
		break
	fi
	case "$line" in
	'') continue ;;
	/exit|/quit|exit|quit) break ;;
	/help) printf '\n  %s!COMMAND%s  run in the bottle'"'"'s shell\n  %s/clear%s    clear the screen\n  %s/exit%s     end the session\n\n' "$b" "$x" "$b" "$x" "$b" "$x" ;;
	/clear) printf '\033[2J\033[H' ;;
	'!'*)
		title "✳ ${line#!}"
		printf '\n'
		sh -c "${line#!}"
		code=$?
		[ $code -ne 0 ] && printf '%sexit code %s%s\n' "$d" "$code" "$x"
		printf '\n'
		title "✳ demo"
		;;
	*) printf '\n%s●%s you typed: %s%s%s\n\n' "$g" "$x" "$b" "$line" "$x" ;;
	esac
done
title ""
printf '%sThe demo session has ended.%s\n' "$d" "$x"
