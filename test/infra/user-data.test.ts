import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { type FirstStart, userData } from "../../infra/user-data.ts";

const VOLUME = "vol-0123456789abcdef0";
const DEVICE = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0";
const BALANCER: FirstStart = {
  architecture: "x86_64",
  region: "eu-central-1",
  agent: true,
  journalVolume: VOLUME,
};

suite("the first start's script", () => {
  for (const architecture of ["x86_64", "arm64"] as const) {
    for (const agent of [true, false]) {
      for (const journalVolume of [VOLUME, null]) {
        test(`is bash: ${architecture}, ${agent ? "" : "no "}agent, ${journalVolume ?? "no volume"}`, () => {
          const script = userData({ ...BALANCER, architecture, agent, journalVolume });
          const { status, stderr } = spawnSync("bash", ["-n"], { input: script, encoding: "utf8" });
          assert.deepEqual([status, stderr], [0, ""]);
        });
      }
    }
  }

  test("a volume that is empty is formatted, mounted, and mounted again at every boot", (t) => {
    const machine = freshMachine(t, { blkid: 2 });
    const { ran, fstab } = machine.start(BALANCER);
    assert.deepEqual(
      ran.filter((line) => /^(mkfs|mount)/.test(line)),
      [
        `mkfs.ext4 -q -L lb-journal ${DEVICE}`,
        "mount /srv/lb-data",
        "mount /var/lib/lb-proxy",
        "mount /var/lib/lbctl",
        "mount /etc/lbctl",
      ],
    );
    assert.deepEqual(
      fstab.map(([what, where, type]) => [what, where, type]),
      [
        [DEVICE, "/srv/lb-data", "ext4"],
        ["/srv/lb-data/var-lib-lb-proxy", "/var/lib/lb-proxy", "none"],
        ["/srv/lb-data/var-lib-lbctl", "/var/lib/lbctl", "none"],
        ["/srv/lb-data/etc-lbctl", "/etc/lbctl", "none"],
      ],
    );
  });

  test("folders are bound from the volume, after it is mounted", (t) => {
    const { fstab } = freshMachine(t, { blkid: 2 }).start(BALANCER);
    for (const [, where = "", , options = ""] of fstab.slice(1)) {
      assert.match(options, /^bind,/, where);
      assert.match(options, /x-systemd\.requires-mounts-for=\/srv\/lb-data/, where);
    }
  });

  test("every mount has its folder", (t) => {
    const machine = freshMachine(t, { blkid: 2 });
    const { fstab } = machine.start(BALANCER);
    for (const [what = "", where = ""] of fstab) {
      assert.ok(machine.has(what), what);
      assert.ok(machine.has(where), where);
    }
  });

  test("a volume with a file system on it is never formatted", (t) => {
    const { ran } = freshMachine(t, { blkid: 0 }).start(BALANCER);
    assert.deepEqual(
      ran.filter((line) => line.startsWith("mkfs")),
      [],
    );
    assert.ok(ran.includes("mount /srv/lb-data"));
  });

  test("a volume that blkid is not sure of is neither formatted nor mounted, and the start fails", (t) => {
    const { code, ran } = freshMachine(t, { blkid: 8 }).start(BALANCER);
    assert.notEqual(code, 0);
    assert.deepEqual(
      ran.filter((line) => /^(mkfs|mount)/.test(line)),
      [],
    );
  });

  test("the agent comes first: a volume that never comes leaves a way in", (t) => {
    const { code, ran } = freshMachine(t, { blkid: 2, device: false }).start(BALANCER);
    assert.notEqual(code, 0);
    assert.ok(ran.includes("systemctl enable --now amazon-ssm-agent"));
    assert.ok(!ran.some((line) => /^(mkfs|mount)/.test(line)));
  });

  test("a node gets the agent and no volume; without Session Manager it has nothing to do", (t) => {
    const { ran, fstab } = freshMachine(t, { blkid: 2 }).start({ ...BALANCER, journalVolume: null });
    assert.ok(ran.includes("systemctl enable --now amazon-ssm-agent"));
    assert.deepEqual(fstab, []);
    const without = freshMachine(t, { blkid: 2 }).start({ ...BALANCER, agent: false, journalVolume: null });
    assert.deepEqual([without.code, without.ran], [0, []]);
  });
});

interface Stubs {
  /** What blkid says of the device: 0 something is on it, 2 nothing is, 8 it can't tell. */
  readonly blkid: number;
  /** False: the volume is never attached. */
  readonly device?: boolean;
}

/** A folder that the script takes for the machine's root, with stubs that write down how they were called. */
function freshMachine(t: TestContext, { blkid, device = true }: Stubs) {
  // Its name has no space, as the paths that it stands for.
  const root = mkdtempSync(join(tmpdir(), "lbctl-start-"));
  t.after(() => rmSync(root, { recursive: true }));
  const at = (path: string) => join(root, path);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  write("calls", "");
  write("etc/fstab", "");
  if (device) write(DEVICE, "");
  const stub = (name: string, body: string) => {
    write(`bin/${name}`, `#!/bin/bash\necho "${name} $*" >>${at("calls")}\n${body}\n`);
    chmodSync(at(`bin/${name}`), 0o755);
  };
  for (const name of ["mount", "mkfs.ext4", "systemctl", "dpkg", "apt-get", "sleep"]) stub(name, "");
  stub("python3", 'touch "$4"');
  stub("blkid", `exit ${blkid}`);
  return {
    has: (path: string) => existsSync(at(path)),
    start(settings: FirstStart) {
      const script = userData(settings)
        .replaceAll(/(?<![\w.-])\/(dev\/disk|etc|srv|var|run)\b/g, `${root}$&`)
        .replace("#!/bin/bash", "")
        // A folder can have no block device in it.
        .replaceAll("[ -b ", "[ -e ");
      const { status } = spawnSync("bash", ["-c", script], {
        env: { ...process.env, PATH: [at("bin"), process.env.PATH].join(delimiter) },
      });
      const lines = (file: string) =>
        readFileSync(at(file), "utf8").replaceAll(root, "").split("\n").filter(Boolean);
      return {
        code: status,
        ran: lines("calls"),
        fstab: lines("etc/fstab").map((line) => line.split(/\s+/)),
      };
    },
  };
}
