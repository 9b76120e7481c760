#!/bin/sh
# Installs what tests run against: the Debian packages of packages.txt beside this script, helm and moto, which are put into a cache outside the
# repository. Only what is missing; no service is started. Without root, or off Debian, it says what to install and lets the tests skip what needs
# it, unless TRSTCTL_REAL_PARTS=required.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/trstctl-parts
helm_version=v3.22.0
moto_version=5.2.5

say() { echo "test/parts: $*" >&2; }

# give_up ends the script: with success where tests may skip.
give_up() {
	say "$*"
	[ "${TRSTCTL_REAL_PARTS:-}" = required ] && exit 1
	exit 0
}

missing_packages() {
	for p in $(cat "$here/packages.txt"); do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' || echo "$p"
	done | sort -u
}

# apt runs apt-get without questions; it waits for another that runs.
apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" >"$log" 2>&1 || {
		cat "$log" >&2
		say "apt-get $1 failed"
		exit 1
	}
}

# hold_services has packages start nothing, by Debian's own means (policy-rc.d), unless the machine has a rule already.
hold_services() {
	[ -e /usr/sbin/policy-rc.d ] && return
	trap 'rm -f /usr/sbin/policy-rc.d "$log"' EXIT
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
}

install_packages() {
	missing=$(missing_packages | tr '\n' ' ')
	[ -z "$missing" ] && return
	if [ "$(id -u)" != 0 ]; then
		lacking="not root: tests need these Debian packages, install them with apt-get: $missing"
		return
	fi
	say "installing $missing"
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	hold_services
	apt update
	apt install -y --no-install-recommends $missing
}

# build_helm takes two to five minutes of CPU, once.
build_helm() {
	[ -x "$cache/bin/helm" ] && return
	say "building helm $helm_version into $cache/bin"
	mkdir -p "$cache/build"
	GOBIN="$cache/build" GOFLAGS= nice "${GO:-go}" install "helm.sh/helm/v3/cmd/helm@$helm_version"
	mkdir -p "$cache/bin"
	mv "$cache/build/helm" "$cache/bin/helm"
}

# build_moto is an S3 to test with; it takes half a minute, once.
build_moto() {
	[ -x "$cache/bin/moto_server" ] && return
	say "installing moto $moto_version into $cache/moto"
	rm -rf "$cache/moto"
	python3 -m venv "$cache/moto"
	"$cache/moto/bin/pip" install -q --disable-pip-version-check "moto[server]==$moto_version"
	mkdir -p "$cache/bin"
	ln -sf "$cache/moto/bin/moto_server" "$cache/bin/moto_server"
}

command -v dpkg-query >/dev/null || give_up "this is no Debian: install what corresponds to $(tr '\n' ' ' <"$here/packages.txt")"
# One at a time: several working copies may share the machine.
mkdir -p "$cache"
if [ -z "${TRSTCTL_PARTS_LOCKED:-}" ]; then
	TRSTCTL_PARTS_LOCKED=1 exec flock "$cache/lock" "$0"
fi
lacking=
install_packages
build_helm
build_moto
[ -z "$lacking" ] || give_up "$lacking"
