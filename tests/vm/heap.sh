# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Guest test: heap:ATTACH:VERSION. Samples where the Go program `counts` allocates, while it starts some thousand
# goroutines, by probes attached by ATTACH (auto, perf, uprobe_multi).
attach=$1 version=$2 name=heap-$attach-$2
mkdir -p "/tmp/$name"
cd "/tmp/$name"
mkfifo "$name.in" "$name.out"
"/targets/counts-$version" <"$name.in" >"$name.out" &
target=$!
exec 3>"$name.in" 4<"$name.out"
read -r ready <&4
parkwatch heap -p "$target" --sample 100s --json --budget none --attach "$attach" >heap 2>log &
sampling=$!
tries=0
until grep -q sampling log; do
	tries=$((tries + 1))
	if [ $tries -gt 300 ] || ! kill -0 $sampling 2>/dev/null; then
		cat log
		exit 1
	fi
	usleep 100000
done
# The first hits may come before the probes are there: on and on until some are.
tries=0
while [ $tries -lt 30 ]; do
	echo "run 1000" >&3
	read -r answer <&4
	case $answer in *'"ok":true'*) ;; *) echo "run: $answer"; exit 1 ;; esac
	tries=$((tries + 1))
	[ $tries -lt 4 ] || break
done
kill -INT $sampling
wait $sampling || { cat log; exit 1; }
echo quit >&3
wait $target
grep -q '"source": "sampled"' heap || { cat log heap; exit 1; }
samples=$(sed -n 's/.*"samples": \([0-9]*\).*/\1/p' heap)
[ "$samples" -gt 20 ] || { echo "samples: $samples"; exit 1; }
grep -q '"function": "main\.' heap || { echo "no stack reaches the program"; head -60 heap; exit 1; }
echo "ok - $name: $samples samples, with the program's own frames"
