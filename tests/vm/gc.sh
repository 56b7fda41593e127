# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Guest test: gc:ATTACH:VERSION. Collections of the Go program `counts`, copied by a probe at the end of each, are the
# lines that it prints itself with GODEBUG=gctrace=1; none is missing.
attach=$1 version=$2 name=gc-$attach-$2
mkdir -p "/tmp/$name"
cd "/tmp/$name"
mkfifo in out
GODEBUG=gctrace=1 "/targets/counts-$version" <in >out 2>trace &
target=$!
exec 3>in 4<out
read -r ready <&4

collect() { # one collection
	echo "gc 1" >&3
	read -r answer <&4
}

collect # so that there is a last one, which is the first line
parkwatch gc -p "$target" --format gctrace --attach "$attach" >got 2>log &
watch=$!
tries=0
until [ -s got ]; do
	tries=$((tries + 1))
	if [ $tries -gt 600 ] || ! kill -0 $watch 2>/dev/null; then
		cat log
		exit 1
	fi
	usleep 100000
done
for i in 1 2 3 4 5 6 7 8 9 10; do collect; done
tries=0
until [ "$(wc -l <got)" -ge 11 ] || [ $tries -gt 100 ]; do
	tries=$((tries + 1))
	usleep 100000
done
kill -INT $watch
wait $watch || { cat log; exit 1; }
echo quit >&3
wait $target
grep '^gc [0-9]' trace >lines
if [ -s log ] || grep -vxFf lines got || [ "$(wc -l <got)" != "$(wc -l <lines)" ]; then
	cat log got lines
	echo "not ok - $name: the program's own lines, all of them"
	exit 1
fi
echo "ok - $name: the program's own lines, all of them"
