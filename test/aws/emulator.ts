/** AWS on this machine: moto, with Debian's images in it. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { startProcess } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { venv } from "./venv.ts";

export interface Emulator {
  /** `http://127.0.0.1:…` */
  readonly url: string;
  /** For every tool that follows the AWS chain. */
  readonly env: Readonly<Record<string, string>>;
  /** What is there: ids or names, by kind. */
  there(): Promise<Readonly<Record<string, readonly string[]>>>;
  /** Names of the images that fit. */
  images(filters: unknown): Promise<readonly string[]>;
  /** Starts a machine past Terraform. */
  run(image: string): Promise<Readonly<Record<string, readonly string[]>>>;
}

const REGION = "eu-central-1";

export async function startEmulator(t: TestContext): Promise<Emulator> {
  const bin = await venv();
  const images = join(tempFolder(t), "images.json");
  await writeFile(images, JSON.stringify([image("amd64", "x86_64"), image("arm64", "arm64")]));
  const { url } = await startProcess(t, {
    name: "moto_server",
    command: join(bin, "moto_server"),
    args: ["-H", "127.0.0.1", "-p", "0"],
    env: { ...process.env, MOTO_AMIS_PATH: images, MOTO_IAM_LOAD_MANAGED_POLICIES: "true" },
    ready: /Running on (http:\/\/127\.0\.0\.1:\d+)/,
    timeout: 60_000,
  });
  const ask = async (...args: string[]): Promise<unknown> => {
    const script = join(import.meta.dirname, "emulated.py");
    const { stdout } = await promisify(execFile)(join(bin, "python"), [script, url, REGION, ...args]);
    return JSON.parse(stdout);
  };
  return {
    url,
    env: {
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_REGION: REGION,
      AWS_EC2_METADATA_DISABLED: "true",
    },
    there: async () => (await ask("there")) as Record<string, string[]>,
    images: async (filters) => (await ask("images", JSON.stringify(filters))) as string[],
    run: async (ami) => (await ask("run", ami)) as Record<string, string[]>,
  };
}

/** As Debian names and describes them. */
function image(inName: string, architecture: string) {
  return {
    ami_id: `ami-0deb12${architecture === "arm64" ? "a" : "b"}`,
    name: `debian-12-${inName}-20250601-2000`,
    description: "Debian 12 (20250601-2000)",
    owner_id: "136693071363",
    public: true,
    virtualization_type: "hvm",
    architecture,
    state: "available",
    platform: null,
    image_type: "machine",
    hypervisor: "xen",
    root_device_name: "/dev/xvda",
    root_device_type: "ebs",
    sriov: "simple",
    tags: {},
  };
}
