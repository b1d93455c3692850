#!/bin/sh
# Set up or update a cinescrub node on Debian 12 or later, as root:
#
#   sh packaging/node/install.sh [--models DIR] [WHEEL]
#
# WHEEL: what to install; default: the checkout that this script lies in, which is then compiled.
# --models DIR: an exported bundle to copy; default: it is exported here (fetches weights by pip).
# Done again it updates; settings, keys, models and spool stay.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
models= from=
while [ $# -gt 0 ]; do
  case $1 in
    --models) models=$2; shift 2 ;;
    -*) echo "unknown option $1: see the head of $0" >&2; exit 2 ;;
    *) from=$1; shift ;;
  esac
done
home=/opt/cinescrub state=/var/lib/cinescrub config=/etc/cinescrub
step() { printf '== %s\n' "$1"; }

[ "$(id -u)" = 0 ] || { echo "run it as root" >&2; exit 1; }
step "Debian packages"
packages="python3 python3-venv"
[ -n "$from" ] || packages="$packages gcc libc6-dev python3-dev" # compiles the JPEG core
apt-get update -q
# shellcheck disable=SC2086  # a list
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages

step "user and folders"
if ! id cinescrub > /dev/null 2>&1; then
  useradd --system --home-dir "$state" --no-create-home --shell /usr/sbin/nologin cinescrub
fi
install -d -m 0700 -o cinescrub -g cinescrub "$state"
install -d -m 0750 -o root -g cinescrub "$config"

step "programs in $home"
[ -x "$home/bin/python" ] || python3 -m venv "$home"
[ -n "$from" ] || from=$(cd "$here/../.." && pwd)
"$home/bin/pip" install --quiet --upgrade "$from[cpu,node]"

step "models in $state/models"
if [ -n "$models" ]; then
  cp -R "$models/." "$state/models"
elif [ ! -d "$state/models" ]; then
  # In an environment of its own, which goes: the node needs no exporter.
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  python3 -m venv "$scratch/venv"
  "$scratch/venv/bin/pip" install --quiet "$from[cpu,export]"
  "$scratch/venv/bin/cinescrub" export all --out "$state/models"
fi
chown -R cinescrub:cinescrub "$state/models"

step "settings in $config"
[ -e "$config/node.toml" ] || install -m 0640 -o root -g cinescrub "$here/node.toml" "$config/node.toml"

step "self-test"
su -s /bin/sh cinescrub -c "$home/bin/cinescrub doctor --models $state/models"

step "service"
install -m 0644 "$here/cinescrub.service" /etc/systemd/system/cinescrub.service
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable cinescrub
  systemctl restart cinescrub
  systemctl --no-pager status cinescrub
else
  echo "no systemd runs here: start it with"
  echo "  su -s /bin/sh cinescrub -c '$home/bin/cinescrub serve --config $config/node.toml'"
  echo "and set spool.work_folder to a folder that the user cinescrub owns"
fi
