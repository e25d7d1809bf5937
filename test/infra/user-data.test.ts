import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { type FirstStart, userData } from "../../infra/user-data.ts";

const VOLUME = "vol-0123456789abcdef0";
const DEVICE = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0";
const GENERATOR = "/lib/systemd/system-generators/systemd-fstab-generator";
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
          const { status, stderr } = spawnSync("bash", ["--norc", "-n"], { input: script, encoding: "utf8" });
          assert.deepEqual([status, stderr], [0, ""]);
          // By it cloud-init knows a script.
          assert.match(script, /^#!\/bin\/bash\nset -euo pipefail\n/);
        });
      }
    }
  }

  test("a volume that is empty is formatted, mounted, and mounted again at every boot", (t) => {
    const machine = freshMachine(t, { blkid: 2 });
    const { ran, fstab } = machine.start(BALANCER);
    assert.deepEqual(
      ran.filter((line) => /^(mkfs|mount )/.test(line)),
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

  test("a boot without the volume goes on, so that there is a way in; but lb-proxy waits for it", (t) => {
    const machine = freshMachine(t, { blkid: 2 });
    for (const [, where = "", , options = ""] of machine.start(BALANCER).fstab) {
      assert.match(options, /\bnofail\b/, where);
    }
    assert.equal(
      machine.read("/etc/systemd/system/lb-proxy.service.d/journal-volume.conf"),
      "[Unit]\nRequiresMountsFor=/var/lib/lb-proxy /var/lib/lbctl /etc/lbctl\n",
    );
  });

  test("lb-proxy waits for the volume also where the first start stopped for want of it", (t) => {
    const machine = freshMachine(t, { blkid: 2, device: false });
    assert.equal(machine.start(BALANCER).fstab.length, 4);
    assert.match(
      machine.read("/etc/systemd/system/lb-proxy.service.d/journal-volume.conf"),
      /RequiresMounts/,
    );
  });

  test("what systemd makes of it: wanted at boot and waited for, not required; grown at every boot", {
    skip: !existsSync(GENERATOR) && "no systemd-fstab-generator here",
  }, (t) => {
    const machine = freshMachine(t, { blkid: 2 });
    machine.start(BALANCER);
    const units = machine.units();
    const mounts = ["srv-lb\\x2ddata", "var-lib-lb\\x2dproxy", "var-lib-lbctl", "etc-lbctl"].map(
      (name) => `${name}.mount`,
    );
    for (const mount of mounts) {
      assert.ok(units.includes(`local-fs.target.wants/${mount}`), `${mount} in ${units.join(", ")}`);
      assert.ok(!units.includes(`local-fs.target.requires/${mount}`), mount);
      assert.match(machine.read(join("units", mount)), /^Before=local-fs\.target$/m, mount);
    }
    assert.ok(units.some((name) => /^srv-lb\\x2ddata\.mount\.wants\/systemd-growfs@/.test(name)));
  });

  test("run once more it adds and formats nothing, and mounts what is not mounted", (t) => {
    const machine = freshMachine(t, { blkid: 2 });
    const first = machine.start(BALANCER);
    machine.stub("blkid", "exit 0");
    machine.stub("mountpoint", '[[ "$2" != */etc/lbctl ]]');
    const again = machine.start(BALANCER);
    assert.equal(again.code, 0);
    assert.deepEqual(again.fstab, first.fstab);
    const since = again.ran.slice(first.ran.length);
    assert.deepEqual(
      since.filter((line) => /^(mkfs|mount )/.test(line)),
      ["mount /etc/lbctl"],
    );
  });

  test("it tries again while packages are locked, and while there is no way out", (t) => {
    const machine = freshMachine(t, { blkid: 2 });
    machine.stub("apt-get", machine.failing(2, 100));
    machine.stub("python3", machine.failing(3, 1));
    const { code, ran } = machine.start({ ...BALANCER, journalVolume: null });
    assert.equal(code, 0);
    const times = (name: string) => ran.filter((line) => line.startsWith(`${name} `)).length;
    assert.deepEqual([times("apt-get"), times("python3")], [3, 4]);
    assert.ok(ran.some((line) => /^apt-get -o DPkg::Lock::Timeout=\d+ .*install/.test(line)));
  });

  test("without a way out at all the start fails, and does not try for ever", (t) => {
    const machine = freshMachine(t, { blkid: 2 });
    machine.stub("python3", "exit 1");
    const { code, ran } = machine.start({ ...BALANCER, journalVolume: null });
    assert.notEqual(code, 0);
    assert.equal(ran.filter((line) => line.startsWith("sleep ")).length, 120);
    assert.ok(!ran.some((line) => /^(apt-get|systemctl)/.test(line)));
  });

  test("systemd reads what was written before anything is mounted", (t) => {
    const { ran } = freshMachine(t, { blkid: 2 }).start(BALANCER);
    const reload = ran.indexOf("systemctl daemon-reload");
    assert.ok(reload >= 0 && reload < ran.indexOf("mount /srv/lb-data"));
  });

  test("apt asks nobody", (t) => {
    const machine = freshMachine(t, { blkid: 2 });
    machine.stub("apt-get", '[ "$DEBIAN_FRONTEND" = noninteractive ]');
    assert.equal(machine.start({ ...BALANCER, journalVolume: null }).code, 0);
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
      ran.filter((line) => /^(mkfs|mount )/.test(line)),
      [],
    );
  });

  for (const [what, content] of [
    ["holds something that blkid does not know", Buffer.alloc(32 << 20).fill(1, 4096, 4097)],
    ["cannot be read to its end", Buffer.alloc(1 << 20)],
  ] as const) {
    test(`a volume that ${what} is neither formatted nor mounted, and the start fails`, (t) => {
      const machine = freshMachine(t, { blkid: 2 });
      machine.write(DEVICE, content);
      const { code, ran } = machine.start(BALANCER);
      assert.notEqual(code, 0);
      assert.ok(!ran.some((line) => /^(mkfs|mount )/.test(line)));
    });
  }

  test("a volume that is attached later than the machine starts is waited for, as all are at AWS", (t) => {
    const machine = freshMachine(t, { blkid: 2, device: false });
    machine.stub("sleep", machine.after(3, `truncate --size=32M "${machine.path(DEVICE)}"`));
    const { code, ran } = machine.start(BALANCER);
    assert.equal(code, 0);
    assert.equal(ran.filter((line) => line.startsWith("sleep ")).length, 3);
    assert.ok(ran.includes(`mkfs.ext4 -q -L lb-journal ${DEVICE}`));
  });

  test("the agent comes first: a volume that never comes leaves a way in", (t) => {
    const { code, ran } = freshMachine(t, { blkid: 2, device: false }).start(BALANCER);
    assert.notEqual(code, 0);
    assert.ok(ran.includes("systemctl enable --now amazon-ssm-agent"));
    assert.ok(!ran.some((line) => /^(mkfs|mount )/.test(line)));
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
  const write = (path: string, content: string | Buffer) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), content);
  };
  write("calls", "");
  write("etc/fstab", "");
  mkdirSync(dirname(at(DEVICE)), { recursive: true });
  if (device) write(DEVICE, Buffer.alloc(32 << 20));
  const stub = (name: string, body: string) => {
    write(`bin/${name}`, `#!/bin/bash\necho "${name} $*" >>${at("calls")}\n${body}\n`);
    chmodSync(at(`bin/${name}`), 0o755);
  };
  for (const name of ["mount", "mkfs.ext4", "systemctl", "apt-get", "sleep", "python3"]) stub(name, "");
  stub("mountpoint", "exit 1");
  stub("blkid", `exit ${blkid}`);
  return {
    stub,
    write,
    path: at,
    /** Body of a stub that does something when it is called so often. */
    after: (times: number, what: string) =>
      `[ "$(grep -c "^$(basename "$0") " ${at("calls")})" -ne ${times} ] || ${what}`,
    /** Body of a stub that fails so often before it does not. */
    failing: (times: number, code: number) =>
      `[ "$(grep -c "^$(basename "$0") " ${at("calls")})" -gt ${times} ] || exit ${code}`,
    has: (path: string) => existsSync(at(path)),
    read: (path: string) => readFileSync(at(path), "utf8").replaceAll(root, ""),
    /** What systemd makes of fstab at a boot: names of unit files and of links to them. */
    units() {
      const [units, ...others] = ["units", "early", "late"].map(at);
      for (const folder of [units, ...others]) mkdirSync(folder ?? "");
      // Its own paths, not those of the folder.
      writeFileSync(at("fstab"), readFileSync(at("etc/fstab"), "utf8").replaceAll(root, ""));
      const env = { ...process.env, SYSTEMD_FSTAB: at("fstab"), SYSTEMD_IN_INITRD: "0" };
      spawnSync(GENERATOR, [units ?? "", ...others], { env });
      return readdirSync(units ?? "", { recursive: true }).map(String);
    },
    start(settings: FirstStart) {
      const script = userData(settings)
        .replaceAll(/(?<![\w.-])\/(dev\/disk|etc|srv|var|run)\b/g, `${root}$&`)
        .replace("#!/bin/bash", "")
        // A folder can have no block device in it.
        .replaceAll("test -b ", "test -e ");
      // Else it reads ~/.bashrc where it takes its standard input for a connection, and stubs are no longer the first.
      const { status } = spawnSync("bash", ["--norc", "-c", script], {
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
