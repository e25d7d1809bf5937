/** What a machine does once, at its first start; Ansible does the rest. */
import type { Architecture } from "./settings.ts";

/** Where the balancer's second volume is mounted. */
export const JOURNAL_VOLUME = "/srv/lb-data";
/** What is kept on it, and so outlives the machine: the journal, what lbctl records of the cluster, and keys. */
export const ON_JOURNAL_VOLUME = ["/var/lib/lb-proxy", "/var/lib/lbctl", "/etc/lbctl"];

export interface FirstStart {
  readonly architecture: Architecture;
  readonly region: string;
  /** Debian's images lack Session Manager's agent. */
  readonly agent: boolean;
  /** Terraform's expression for the volume's id, on the balancer. */
  readonly journalVolume: string | null;
}

/** A script for cloud-init; python3 does the download, since cloud-init itself needs it and curl may not be there. */
export function userData({ architecture, region, agent, journalVolume }: FirstStart): string {
  return [
    "#!/bin/bash",
    "set -euo pipefail",
    // First, so that there is a way in when the rest fails.
    ...(agent ? installAgent(region, architecture) : []),
    ...(journalVolume === null ? [] : mountJournal(journalVolume)),
    "",
  ].join("\n");
}

function installAgent(region: string, architecture: Architecture): string[] {
  const bucket = `https://s3.${region}.amazonaws.com/amazon-ssm-${region}`;
  const name = architecture === "arm64" ? "debian_arm64" : "debian_amd64";
  return [
    "# The way out may open a little later than the machine starts.",
    "for _ in $(seq 60); do",
    `  python3 -c 'import sys, urllib.request as u; u.urlretrieve(*sys.argv[1:])' \\`,
    `    ${bucket}/latest/${name}/amazon-ssm-agent.deb /run/amazon-ssm-agent.deb && break`,
    "  sleep 5",
    "done",
    "dpkg -i /run/amazon-ssm-agent.deb",
    "systemctl enable --now amazon-ssm-agent",
  ];
}

/**
 * By the volume's id, which the kernel's device names say nothing about. Formatted only when blkid says for certain that
 * nothing is on it (2). Folders are bound from it to where Ansible expects them.
 */
function mountJournal(volume: string): string[] {
  const options = "defaults,noatime,x-systemd.device-timeout=600";
  return [
    `device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$(echo '${volume}' | tr -d -)`,
    "# Terraform attaches it once the machine runs.",
    'for _ in $(seq 120); do [ -b "$device" ] && break; sleep 5; done',
    '[ -b "$device" ]',
    'found=0; blkid -p "$device" || found=$?',
    'case $found in 0) ;; 2) mkfs.ext4 -q -L lb-journal "$device" ;; *) exit 1 ;; esac',
    `echo "$device ${JOURNAL_VOLUME} ext4 ${options} 0 2" >>/etc/fstab`,
    `mkdir -p ${JOURNAL_VOLUME}`,
    "systemctl daemon-reload",
    `mount ${JOURNAL_VOLUME}`,
    ...ON_JOURNAL_VOLUME.flatMap((folder) => {
      const source = `${JOURNAL_VOLUME}/${folder.slice(1).replaceAll("/", "-")}`;
      return [
        `mkdir -p ${source} ${folder}`,
        `echo "${source} ${folder} none bind,x-systemd.requires-mounts-for=${JOURNAL_VOLUME} 0 0" >>/etc/fstab`,
        `mount ${folder}`,
      ];
    }),
  ];
}
