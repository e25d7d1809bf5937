#!/bin/sh
# mmdebstrap's hook: what the roles install goes into the root file system as a local package source, since the
# hosts of the lab have no way out. $1 is the new root.
set -eu
root=$1
packages="libatomic1 nftables prometheus prometheus-node-exporter prometheus-alertmanager"

chroot "$root" apt-get install --yes --no-install-recommends --download-only $packages >/dev/null
mkdir -p "$root/srv/packages"
mv "$root"/var/cache/apt/archives/*.deb "$root/srv/packages/"

# Grafana's own package is not in Debian: this one has its name, its user, its folders and its unit, and no Grafana.
stand_in=$root/tmp/grafana
mkdir -p "$stand_in/DEBIAN" "$stand_in/usr/lib/systemd/system" "$stand_in/etc/grafana/provisioning" "$stand_in/etc/default"
cp "$(dirname "$0")/grafana/control" "$(dirname "$0")/grafana/postinst" "$stand_in/DEBIAN/"
cp "$(dirname "$0")/grafana/grafana-server.service" "$stand_in/usr/lib/systemd/system/"
cp "$(dirname "$0")/grafana/grafana.ini" "$stand_in/etc/grafana/"
cp "$(dirname "$0")/grafana/grafana-server.default" "$stand_in/etc/default/grafana-server"
dpkg-deb --root-owner-group --build "$stand_in" "$root/srv/packages/grafana.deb" >/dev/null
rm -r "$stand_in"

cd "$root/srv/packages"
for package in *.deb; do
  dpkg-deb --field "$package"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' \
    "$package" "$(stat -c %s "$package")" "$(sha256sum "$package" | cut -d ' ' -f 1)"
done >Packages
echo 'deb [trusted=yes] file:/srv/packages ./' >"$root/etc/apt/sources.list"
chroot "$root" apt-get update -qq

chroot "$root" useradd --create-home --shell /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/admin"
chmod 0440 "$root/etc/sudoers.d/admin"
rm -f "$root"/etc/ssh/ssh_host_*
: >"$root/etc/machine-id"
chroot "$root" systemctl enable --quiet systemd-networkd
