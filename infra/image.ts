/** The AMI that a machine starts from: Debian 12, or the one that is named. */
import { type Construct, DataAwsAmi } from "./cdktf.ts";
import { named } from "./named.ts";
import type { Architecture } from "./settings.ts";

/** Debian's account; https://wiki.debian.org/Cloud/AmazonEC2Image/Bookworm */
const DEBIAN = "136693071363";
/** As Debian's images call them. */
const IN_NAME: Readonly<Record<Architecture, string>> = { x86_64: "amd64", arm64: "arm64" };

/** One a stack and architecture. */
export class Images {
  readonly #scope: Construct;
  readonly #given: string | null;
  readonly #found = new Map<Architecture, string>();

  constructor(scope: Construct, given: string | null) {
    this.#scope = scope;
    this.#given = given;
  }

  /** Whether a machine is to follow it: a newer Debian must not replace machines that run. */
  get pinned(): boolean {
    return this.#given !== null;
  }

  idFor(architecture: Architecture): string {
    if (this.#given !== null) return this.#given;
    const id = this.#found.get(architecture) ?? this.#debian(architecture);
    this.#found.set(architecture, id);
    return id;
  }

  #debian(architecture: Architecture): string {
    const image = new DataAwsAmi(this.#scope, `debian-${architecture}`, {
      owners: [DEBIAN],
      mostRecent: true,
      filter: [
        { name: "name", values: [`debian-12-${IN_NAME[architecture]}-*`] },
        { name: "architecture", values: [architecture] },
        { name: "virtualization-type", values: ["hvm"] },
        { name: "root-device-type", values: ["ebs"] },
      ],
    });
    return named(`debian-${architecture}`, image).id;
  }
}
