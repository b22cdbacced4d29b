#!/usr/bin/env bash
# Removes what deploy/install.sh installed. Configuration, keys, spool, pictures and users stay, unless
# --purge is given: frames in the spool that the cloud does not have yet are gone then.
# usage: deploy/uninstall.sh [--purge] [--root DIR]
set -euo pipefail

root='' purge=''
while [ $# -gt 0 ]; do
    case $1 in
        --purge) purge=yes ;;
        --root) root=$(realpath -- "${2:?--root needs a directory}"); shift ;;
        *) echo "usage: deploy/uninstall.sh [--purge] [--root DIR]" >&2; exit 2 ;;
    esac
    shift
done
[ "$root" != / ] || root=''
[ -n "$root" ] || [ "$(id -u)" = 0 ] || { echo "run it as root, or with --root DIR" >&2; exit 1; }

units=$root/etc/systemd/system
for service in edge-daemon edge-cloud; do
    if [ -z "$root" ] && [ -e "$units/$service.service" ]; then
        systemctl disable --quiet --now "$service.service" || true
    fi
    rm -f "$units/multi-user.target.wants/$service.service" "$units/$service.service"
done
for dropin in jetson openvino cheng2020; do
    rm -f "$units/edge-daemon.service.d/$dropin.conf"
done
# The operator's own drop-ins stay.
rmdir "$units/edge-daemon.service.d" 2>/dev/null || true
[ -n "$root" ] || systemctl daemon-reload
rm -rf -- "$root/opt/edge-daemon"
rm -f "$root/usr/local/bin/edge-daemon"
rm -f "$root/etc/sysusers.d/edge-daemon.conf" "$root/etc/tmpfiles.d/edge-daemon.conf"

if [ -n "$purge" ]; then
    rm -rf -- "$root/etc/edge-daemon" "$root/var/lib/edge-daemon" "$root/var/lib/edge-cloud"
    rm -rf -- "$units/edge-daemon.service.d" "$units/edge-cloud.service.d"
    if [ -z "$root" ]; then
        for user in edge-daemon edge-cloud; do
            if id "$user" >/dev/null 2>&1; then userdel "$user"; fi
        done
    fi
fi
echo "edge-daemon: removed${purge:+, with configuration and data}" >&2
