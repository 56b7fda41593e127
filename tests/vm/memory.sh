# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Guest test: memory:VERSION. The limits of a cgroup v2 and of the one above it, which hosts with v1 cannot show: the
# tightest holds, with what is used in it.
version=$1 name=memory-$1 root=/sys/fs/cgroup
mkdir -p "/tmp/$name"
cd "/tmp/$name"
mount -t cgroup2 cgroup $root
echo +memory >$root/cgroup.subtree_control
mkdir -p $root/shop/web
echo +memory >$root/shop/cgroup.subtree_control
echo 96M >$root/shop/memory.max
echo 128M >$root/shop/web/memory.max
echo 80M >$root/shop/web/memory.high
mkfifo "$name.in" "$name.out"
sh -c 'echo $$ >/sys/fs/cgroup/shop/web/cgroup.procs; exec "$0"' "/targets/counts-$version" <"$name.in" >"$name.out" &
target=$!
exec 3>"$name.in" 4<"$name.out"
read -r ready <&4
parkwatch memory -p "$target" --json >memory 2>log || { cat log memory; exit 1; }
value() { sed -n "s/^ *\"$1\": \"*\([^\",]*\)\"*,*\$/\1/p" memory; }
same() { [ "$2" = "$3" ] || { echo "$1: expected $2, seen $3"; cat memory; exit 1; }; }
same "version" 2 "$(value cgroup_version)"
same "the tightest limit" $((96 << 20)) "$(value memory_max_bytes)"
same "whose it is" /shop "$(value memory_max_cgroup)"
same "memory.high" $((80 << 20)) "$(value memory_high_bytes)"
same "whose it is" /shop/web "$(value memory_high_cgroup)"
used=$(value memory_max_used_bytes) current=$(cat $root/shop/memory.current)
[ "$used" -gt 0 ] && [ "$used" -le $((current + (4 << 20))) ] && [ "$current" -le $((used + (4 << 20))) ] ||
	{ echo "used: $used, memory.current $current"; exit 1; }
parkwatch memory -p "$target" >text
grep -q '^limits: .*96.0 MiB' text || { cat text; exit 1; }
echo quit >&3
wait $target
umount $root || true
echo "ok - $name: limits of cgroup v2, $used bytes used of $((96 << 20))"
