#!/bin/sh
# Installs the elfowl agent for the profile @NAME@. Run it as root; running it again brings it up to date.
set -eu
cd "$(dirname "$0")"

prefix=/opt/elfowl
settings=/etc/elfowl
python=${PYTHON:-python3}
requirement='@REQUIREMENT@'
system_packages='@SYSTEM_PACKAGES@'

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail "it writes to $prefix and /etc: run it as root, for example sudo sh install.sh"
case "$(uname -m)" in
    @MACHINES@) ;;
    *) fail "this package is for @ARCH@, this machine is $(uname -m): make one with another --profile" ;;
esac
if grep -q 'CAMERA/stream' agent.yaml && [ ! -e "$settings/agent.yaml" ]; then
    fail "agent.yaml names no camera yet: edit the line 'source' first"
fi

if [ -n "$system_packages" ]; then
    apt-get update
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $system_packages
fi
"$python" -c 'import sys; sys.exit(not (@PYTHON_TEST@))' ||
    fail "elfowl needs @PYTHON_WORDS@; name one with PYTHON=/path/to/python"

id elfowl > /dev/null 2>&1 ||
    useradd --system --user-group --home-dir /var/lib/elfowl --no-create-home --shell /usr/sbin/nologin elfowl
"$python" -m venv @VENV_OPTIONS@"$prefix"
@PIP_COMMANDS@

install -d -m 0750 -o root -g elfowl "$settings"
for file in @FILES@; do
    install -m 0640 -o root -g elfowl "$file" "$settings/$file"
done
if [ -e "$settings/agent.yaml" ]; then
    echo "install.sh: $settings/agent.yaml stays as it is"
else
    install -m 0640 -o root -g elfowl agent.yaml "$settings/agent.yaml"
fi
"$prefix/bin/elfowl-agent" check-config "$settings/agent.yaml"

install -m 0644 elfowl-agent.service /etc/systemd/system/elfowl-agent.service
systemctl daemon-reload
systemctl enable elfowl-agent.service
systemctl restart elfowl-agent.service
echo "install.sh: the agent runs; look on with: journalctl -fu elfowl-agent"
