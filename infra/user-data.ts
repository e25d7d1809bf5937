/** What a machine does once, at its first start; Ansible does the rest. */
import type { Architecture } from "./settings.ts";

/** Of Session Manager: the package, and its unit. */
export const AGENT = "amazon-ssm-agent";
/** Where the balancer's second volume is mounted. */
export const JOURNAL_VOLUME = "/srv/lb-data";
/** What is kept on it, and so outlives the machine: the journal, what lbctl records of the cluster, and keys. */
export const ON_JOURNAL_VOLUME = ["/var/lib/lb-proxy", "/var/lib/lbctl", "/etc/lbctl"];
/** Where systemd reads more about the balancer's service, which Ansible brings. */
const LB_PROXY_SETTINGS = "/etc/systemd/system/lb-proxy.service.d";

export interface FirstStart {
  readonly architecture: Architecture;
  readonly region: string;
  /** Debian's images lack Session Manager's agent. */
  readonly agent: boolean;
  /** Terraform's expression for the volume's id, on the balancer. */
  readonly journalVolume: string | null;
}

/**
 * A script for cloud-init; python3 does the download, since cloud-init itself needs it and curl may not be there. Where it
 * failed, it can be run once more: what it did already it leaves as it is.
 */
export function userData({ architecture, region, agent, journalVolume }: FirstStart): string {
  return [
    "#!/bin/bash",
    "set -euo pipefail",
    "# For ten minutes: the way out, the lock of dpkg, the volume may come later than the machine.",
    "retry() {",
    "  local end=$((SECONDS + 600))",
    '  for _ in $(seq 120); do "$@" && return; [ $SECONDS -lt $end ] || break; sleep 5; done',
    "  return 1",
    "}",
    // First, so that there is a way in when the rest fails.
    ...(agent ? installAgent(region, architecture) : []),
    ...(journalVolume === null ? [] : mountJournal(journalVolume)),
    "",
  ].join("\n");
}

/** By TLS from AWS' own bucket; its signatures are by a key that AWS replaces, which a machine of later could not check. */
function installAgent(region: string, architecture: Architecture): string[] {
  const bucket = `https://s3.${region}.amazonaws.com/amazon-ssm-${region}`;
  const name = architecture === "arm64" ? "debian_arm64" : "debian_amd64";
  return [
    "retry python3 -c 'import socket, sys, urllib.request as u; socket.setdefaulttimeout(30); u.urlretrieve(*sys.argv[1:])' \\",
    `  ${bucket}/latest/${name}/${AGENT}.deb /run/${AGENT}.deb`,
    "# Unlike dpkg, apt waits for whoever updates packages at a first boot.",
    "export DEBIAN_FRONTEND=noninteractive",
    `retry apt-get -o DPkg::Lock::Timeout=60 -qy install /run/${AGENT}.deb`,
    `systemctl enable --now ${AGENT}`,
  ];
}

/**
 * By the volume's id, which the kernel's device names say nothing about. Formatted only when blkid finds nothing on it (2,
 * which it says of one that cannot be read as well) and it begins with zeros, as a new one does. Folders are bound from it
 * to where Ansible expects them. A boot without it goes on, so that there is a way in (nofail), after a minute and a half
 * of waiting (before): but without lb-proxy, which would begin an empty journal below the missing one. A file system is as
 * large as its volume after the next boot (growfs).
 */
function mountJournal(volume: string): string[] {
  const both = "nofail,x-systemd.before=local-fs.target";
  const binds = ON_JOURNAL_VOLUME.map((folder) => ({
    source: `${JOURNAL_VOLUME}/${folder.slice(1).replaceAll("/", "-")}`,
    folder,
  }));
  return [
    `device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$(echo '${volume}' | tr -d -)`,
    'at_boot() { grep -q " $2 " /etc/fstab || echo "$*" >>/etc/fstab; }',
    `at_boot "$device" ${JOURNAL_VOLUME} ext4 defaults,noatime,x-systemd.growfs,${both} 0 2`,
    ...binds.map(
      ({ source, folder }) =>
        `at_boot ${source} ${folder} none bind,x-systemd.requires-mounts-for=${JOURNAL_VOLUME},${both} 0 0`,
    ),
    `mkdir -p ${JOURNAL_VOLUME} ${LB_PROXY_SETTINGS}`,
    `printf '[Unit]\\nRequiresMountsFor=%s\\n' '${ON_JOURNAL_VOLUME.join(" ")}' >${LB_PROXY_SETTINGS}/journal-volume.conf`,
    "systemctl daemon-reload",
    'retry test -b "$device"',
    'found=0; blkid -p "$device" || found=$?',
    'is_new() { dd if="$1" bs=1M count=16 status=none | cmp -s -n $((16 << 20)) - /dev/zero; }',
    'case $found in 0) ;; 2) is_new "$device" && mkfs.ext4 -q -L lb-journal "$device" || exit 1 ;; *) exit 1 ;; esac',
    `mountpoint -q ${JOURNAL_VOLUME} || mount ${JOURNAL_VOLUME}`,
    ...binds.flatMap(({ source, folder }) => [
      `mkdir -p ${source} ${folder}`,
      `mountpoint -q ${folder} || mount ${folder}`,
    ]),
  ];
}
