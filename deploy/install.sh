#!/usr/bin/env bash
# Installs edge-daemon as a systemd service, or upgrades it: run it again. deploy/README.md says what
# goes where. Nothing that runs is touched until the new version is built and has checked the
# configuration; a service that does not become ready with it gets the old version back.
set -euo pipefail
umask 022

usage() {
    cat <<'TEXT'
usage: deploy/install.sh [OPTIONS] [WHEEL]

Installs this checkout, or a wheel of it, into /opt/edge-daemon. As root. Run again to upgrade.

  --service NAME   edge-daemon or edge-cloud; repeatable. Default: what is enabled, else edge-daemon
  --extras LIST    extras of the package, default: vvc
  --drop-in NAME   jetson, openvino or cheng2020: a shipped drop-in for edge-daemon.service; repeatable
  --rebuild        build the environment anew, with the newest allowed versions of its packages
  --venv DIR       use an environment in which edge-daemon is installed, instead of building one
  --no-start       neither enable nor start the services
  --root DIR       install below DIR, for an image: no users are made, and nothing is started
  --start          with --root: use the service manager all the same
  --uninstall      run deploy/uninstall.sh; --root and --purge are handed on

PYTHON=python3.12 deploy/install.sh chooses another Python.
TEXT
}

say() { echo "edge-daemon: $*" >&2; }
fail() { say "$@"; exit 1; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
services=() dropins=() extras=vvc wheel='' venv='' root='' start='' rebuild='' uninstall='' purge=()
while [ $# -gt 0 ]; do
    case $1 in
        --service | --extras | --drop-in | --venv | --root)
            [ $# -gt 1 ] || fail "$1 needs a value; see --help" ;;&
        --service) services+=("$2"); shift ;;
        --extras) extras=$2; shift ;;
        --drop-in) dropins+=("$2"); shift ;;
        --venv) venv=$(realpath -- "$2"); shift ;;
        --root) mkdir -p -- "$2"; root=$(realpath -- "$2"); shift ;;
        --rebuild) rebuild=yes ;;
        --no-start) start=no ;;
        --start) start=yes ;;
        --uninstall) uninstall=yes ;;
        --purge) purge=(--purge) ;;
        --help | -h) usage; exit ;;
        -*) fail "unknown option $1; see --help" ;;
        *) wheel=$(realpath -- "$1") ;;
    esac
    shift
done
[ "$root" != / ] || root=''
[ -z "$uninstall" ] || exec "$here/uninstall.sh" ${root:+--root "$root"} "${purge[@]}"
[ ${#purge[@]} = 0 ] || fail "--purge goes with --uninstall"
[ -n "$start" ] || start=$([ -n "$root" ] && echo later || echo yes)
for service in "${services[@]}"; do
    [ -f "$here/systemd/$service.service" ] || fail "no such service: $service; see --help"
done
for dropin in "${dropins[@]}"; do
    [ -f "$here/systemd/$dropin.conf" ] || fail "no such drop-in: $dropin; see --help"
done
[ -z "$wheel" ] || [ -f "$wheel" ] || fail "no such wheel: $wheel"
[ -z "$venv" ] || [ -x "$venv/bin/python" ] || fail "$venv is no Python environment"
if [ -z "$root" ]; then
    [ "$(id -u)" = 0 ] || fail "run it as root, or with --root DIR"
    for program in systemctl systemd-sysusers systemd-tmpfiles runuser; do
        command -v "$program" >/dev/null || fail "$program is missing; without systemd use --root"
    done
fi

prefix=/opt/edge-daemon
opt=$root$prefix
etc=$root/etc/edge-daemon
units=$root/etc/systemd/system
mkdir -p "$opt/releases" "$etc" "$units"
exec 9<"$opt"
flock --nonblock 9 || fail "another installation is running"
# As in the units.
export ORT_DISABLE_TELEMETRY=1
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

# The name of a release says what it was made of, so that the same again is found to be there.
name_release() {
    local checkout=$here/.. version
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$checkout/pyproject.toml" | head -n 1)
    {
        echo "$extras $("${PYTHON:-python3}" --version) $venv"
        if [ -n "$wheel" ]; then sha256sum <"$wheel"; fi
        cd "$checkout"
        find edge_daemon kernels models export deploy pyproject.toml setup.py -type f \
            ! -path '*/__pycache__/*' ! -name '*.so' -print0 | sort -z | xargs -0 sha256sum
    } >"$scratch/made-of"
    release=$version-$(sha256sum <"$scratch/made-of" | cut -c 1-12)
    [ -z "$rebuild" ] || release=$release-$(date +%Y%m%d%H%M%S)
}

build_environment() {
    local target=$1 source=$wheel python home
    # The services see neither /home nor /root.
    python=$(realpath -- "$(command -v "${PYTHON:-python3}")")
    for home in /home/ /root/; do
        case $python in
            "$home"*) fail "the services cannot use $python: name a Python outside $home" ;;
        esac
    done
    "$here/prepare.sh" "$target"
    if [ -z "$source" ]; then
        # Built from a copy: setuptools writes beside the sources, and takes along what lies there.
        source=$scratch/source
        mkdir "$source"
        (cd "$here/.." && cp -r edge_daemon kernels models export pyproject.toml setup.py \
            MANIFEST.in README.md LICENSE "$source")
    fi
    "$target/bin/pip" install --quiet "$source${extras:+[$extras]}"
    if [ -n "$root" ]; then
        # Scripts name their interpreter by its path, which in the image is without the root.
        { grep -rlIF -- "$opt" "$target/bin" "$target/pyvenv.cfg" || true; } |
            xargs -r sed -i "s|$opt|$prefix|g"
    fi
}

build_release() {
    local directory=$opt/releases/$release
    if [ -e "$directory/.complete" ]; then
        say "$release is built already"
        return
    fi
    say "building $release"
    rm -rf -- "$directory"
    mkdir -p "$directory/share"
    if [ -n "$venv" ]; then
        ln -s "$venv" "$directory/venv"
    else
        build_environment "$directory/venv"
    fi
    cp "$here"/systemd/* "$here/uninstall.sh" "$directory/share"
    touch "$directory/.complete"
}

make_users_and_keys() {
    local share=$opt/releases/$release/share
    install -D -m 644 "$share/sysusers.conf" "$root/etc/sysusers.d/edge-daemon.conf"
    install -D -m 644 "$share/tmpfiles.conf" "$root/etc/tmpfiles.d/edge-daemon.conf"
    if [ -z "$root" ]; then
        systemd-sysusers edge-daemon.conf
        systemd-tmpfiles --create edge-daemon.conf
    fi
}

# A configuration is the operator's. Where what is shipped has changed, it is put beside it.
place_configuration() {
    local config=$etc/edge-daemon.toml shipped=$opt/releases/$release/share/edge-daemon.toml
    if [ ! -e "$config" ]; then
        install -m 644 "$shipped" "$config"
    elif cmp -s "$config" "$shipped"; then
        rm -f "$config.new"
    elif [ -z "$previous" ] || ! cmp -s "$opt/releases/$previous/share/edge-daemon.toml" "$shipped"; then
        install -m 644 "$shipped" "$config.new"
        say "your /etc/edge-daemon/edge-daemon.toml stays; what is new is in edge-daemon.toml.new"
    fi
}

check_configuration() {
    local user=()
    [ -n "$root" ] || user=(runuser -u "${services[0]}" --)
    (cd / && "${user[@]}" "$opt/releases/$release/venv/bin/python" -I -m edge_daemon \
        check-config "$etc/edge-daemon.toml") && return
    [ "$release" = "$previous" ] || rm -rf -- "$opt/releases/$release"
    fail "$release does not take the configuration, and was not installed: see above"
}

ours=(edge-daemon.service edge-cloud.service edge-daemon.service.d)

remember_units() {
    local item
    mkdir "$scratch/before"
    for item in "${ours[@]}"; do
        [ ! -e "$units/$item" ] || cp -a "$units/$item" "$scratch/before"
    done
}

units_changed() {
    local item
    for item in "${ours[@]}"; do
        [ -e "$scratch/before/$item" ] || [ -e "$units/$item" ] || continue
        diff -rN "$scratch/before/$item" "$units/$item" >/dev/null || return 0
    done
    return 1
}

place_units() {
    local share=$opt/releases/$release/share unit dropin
    for unit in edge-daemon edge-cloud; do
        install -m 644 "$share/$unit.service" "$units/$unit.service"
    done
    for dropin in "${dropins[@]}"; do
        install -D -m 644 "$share/$dropin.conf" "$units/edge-daemon.service.d/$dropin.conf"
    done
}

# Puts a release in force: the link that the units name, replaced in one step.
activate() {
    ln -sfn "releases/$1" "$opt/current.next"
    mv -T "$opt/current.next" "$opt/current"
    mkdir -p "$root/usr/local/bin"
    ln -sfn "$prefix/current/venv/bin/edge-daemon" "$root/usr/local/bin/edge-daemon"
    if [ -z "$root" ] || [ "$start" = yes ]; then systemctl daemon-reload; fi
}

enable_service() {
    if [ "$start" = yes ]; then
        systemctl enable --quiet "$1.service"
    else
        mkdir -p "$units/multi-user.target.wants"
        ln -sfn "/etc/systemd/system/$1.service" "$units/multi-user.target.wants/$1.service"
    fi
}

# Returns once the service says that it is ready. Where nothing changed, it is left alone.
bring_up() {
    local verb=start
    if [ "$release" != "$previous" ] || units_changed; then verb=restart; fi
    systemctl "$verb" "$1.service" && systemctl is-active --quiet "$1.service"
}

roll_back() {
    local item service
    say "$1 did not become ready with $release; its log: journalctl -u $1"
    [ -n "$previous" ] || fail "there is no version to go back to"
    for item in "${ours[@]}"; do rm -rf -- "${units:?}/$item"; done
    cp -a "$scratch/before/." "$units"
    activate "$previous"
    for service in "${services[@]}"; do
        systemctl restart "$service.service" || say "$service does not start with $previous either"
    done
    [ "$release" = "$previous" ] || rm -rf -- "$opt/releases/$release"
    fail "went back to $previous"
}

previous=$(basename -- "$(readlink "$opt/current" || true)")
if [ ${#services[@]} = 0 ]; then
    for service in edge-daemon edge-cloud; do
        [ ! -L "$units/multi-user.target.wants/$service.service" ] || services+=("$service")
    done
    [ ${#services[@]} -gt 0 ] || services=(edge-daemon)
fi
name_release
build_release
make_users_and_keys
place_configuration
check_configuration
remember_units
place_units
activate "$release"
if [ "$start" != no ]; then
    for service in "${services[@]}"; do
        enable_service "$service"
        if [ "$start" = yes ]; then bring_up "$service" || roll_back "$service"; fi
    done
    # The one before stays, to go back to by hand.
    if [ "$release" != "$previous" ]; then
        find "$opt/releases" -mindepth 1 -maxdepth 1 \
            ! -name "$release" ! -name "${previous:-$release}" -exec rm -rf -- {} +
    fi
fi
say "$release is installed"
