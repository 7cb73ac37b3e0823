#!/usr/bin/env bash
# Sees to it that programs which Python packages cannot bring are there.
#
#   scripts/system-packages.sh git node postgresql …
#
# Names: git, git-lfs, ssh, sshd, python-venv, node, chromium, postgresql. What is missing is installed with apt-get
# when the caller is root; anyone else is told the command, and the exit code is 1.
set -euo pipefail

has() { command -v "$1" >/dev/null 2>&1; }

# Gives the Debian packages that bring $1, or nothing when it is there already.
missing() {
  case "$1" in
    git) has git || echo git ;;
    ssh) { has ssh && has ssh-keygen; } || echo openssh-client ;;
    sshd) has sshd || [ -x /usr/sbin/sshd ] || echo openssh-server ;;
    git-lfs) has git-lfs || echo git-lfs ;;
    python-venv) python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv ;;
    node)
      has node || echo nodejs
      has npm || echo npm
      ;;
    chromium) has chromium || echo chromium ;;
    postgresql) has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql ;;
    *)
      echo "system-packages.sh: '$1' is not a name it knows" >&2
      exit 2
      ;;
  esac
}

wanted=()
for name in "$@"; do
  found=$(missing "$name")
  for package in $found; do wanted+=("$package"); done
done
[ ${#wanted[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! has apt-get; then
  echo "These system packages are missing: ${wanted[*]}. Install them with:" >&2
  echo "  sudo apt-get install --no-install-recommends ${wanted[*]}" >&2
  exit 1
fi
echo "installing system packages: ${wanted[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
