# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Guest test: counts:ATTACH:VERSION. Attaches to the Go program `counts` by ATTACH (auto, perf, uprobe_multi), has it
# start, end and park about a thousand goroutines in each of its ways, and hands both sides' numbers to the host.
attach=$1 version=$2 name=counts-$attach-$2
mkdir -p "/tmp/$name"
cd "/tmp/$name"
mkfifo "$name.in" "$name.out"
"/targets/counts-$version" <"$name.in" >"$name.out" &
target=$!
exec 3>"$name.in" 4<"$name.out"
read -r ready <&4

ask() { # COMMAND FILE
	echo "$1" >&3
	read -r answer <&4
	echo "$answer" >"$2"
	case $answer in *'"ok":true'*) ;; *) echo "$1: $answer"; return 1 ;; esac
}

emit() { # FILE NAME
	echo "emit $2.gz64"
	gzip -c "$1" | base64
	echo emitted
}

ask stats before
parkwatch trace -p "$target" -d 100s --all --json --budget none --attach "$attach" >trace 2>log &
trace=$!
tries=0
until grep -q counting log; do
	tries=$((tries + 1))
	if [ $tries -gt 300 ] || ! kill -0 $trace 2>/dev/null; then
		cat log
		exit 1
	fi
	usleep 100000
done
ask "run 1000" after
kill -INT $trace
wait $trace || { cat log; exit 1; }
ask "run 10" later
echo quit >&3
wait $target
emit before "$name.before"
emit after "$name.after"
emit trace "$name.trace"
echo "compare $name"
echo "ok - $name: attached, detached, the program unharmed"
