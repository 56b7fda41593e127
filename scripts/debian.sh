# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# Sourced by the scripts that unpack Debian packages of other suites for tests. Packages are downloaded by apt with its
# signatures checked, from the mirror that this machine's own apt uses, into an apt state of their own; nothing is
# installed or configured, and the machine's apt is not touched.

PARKWATCH_CACHE=${PARKWATCH_CACHE:-${HOME:?}/.cache/parkwatch}

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# need COMMAND PACKAGE: stop with the package's name where the command is missing.
need() {
	command -v "$1" >/dev/null || die "'$1' is missing: apt-get install $2"
}

# debian_mirror: the URI of the Debian archive among this machine's apt sources, security left out.
debian_mirror() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk '$3 == "main" && $2 !~ /security|updates|backports/ { print $1; exit }'
}

# debian_apt STATE SUITE...: makes APT_CONFIG point to an apt that knows these suites of the mirror and keeps its state
# in the directory STATE, and updates its lists.
debian_apt() {
	local state=$1 mirror suite
	shift
	need apt-get apt
	need dpkg dpkg
	mirror=$(debian_mirror)
	[ -n "$mirror" ] || die "no Debian mirror among the apt sources of this machine"
	mkdir -p "$state"/{state/lists/partial,cache/archives/partial}
	for suite in "$@"; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
	done >"$state/sources.list"
	cat >"$state/apt.conf" <<-CONF
		Dir::State "$state/state";
		Dir::State::status "/dev/null";
		Dir::Cache "$state/cache";
		Dir::Etc::sourcelist "$state/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		APT::Sandbox::User "$(id -un)";
		APT::Architecture "amd64";
	CONF
	export APT_CONFIG=$state/apt.conf
	# a mirror may be busy for a moment
	apt-get -o Acquire::Retries=3 update -qq || die "cannot read the package lists of: $*"
}

# debian_unpack DIR PACKAGE...: downloads and unpacks into DIR.
debian_unpack() {
	local dir=$1 stage deb
	shift
	stage=$(mktemp -d "$dir/.deb.XXXXXX")
	(cd "$stage" && apt-get -o Acquire::Retries=3 download -qq "$@") || die "cannot download: $*"
	for deb in "$stage"/*.deb; do
		dpkg -x "$deb" "$dir"
	done
	rm -rf "$stage"
}

# locked FILE COMMAND...: one at a time on this machine.
locked() {
	local file=$1
	shift
	mkdir -p "$(dirname "$file")"
	(
		flock 9
		"$@"
	) 9>"$file"
}
