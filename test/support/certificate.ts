import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Files of a certificate and its key, as the config names them. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/**
 * Makes a self-signed certificate and its key, by the system's openssl; what is there already is replaced.
 * @param name its common name
 * @param days until it expires; -1: it did yesterday
 */
export function makeCertificate({ cert, key }: CertificateFiles, name: string, days = 2): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const request = openssl(["req", ...curve, "-subj", `/CN=${name}`, "-keyout", key]);
  // Not in one step: `req -x509` makes no certificate that has expired.
  openssl(["x509", "-req", "-signkey", key, "-days", `${days}`, "-out", cert], request);
}

/** As `makeCertificate`, as `<name>.cert.pem` and `<name>.key.pem` in `folder`. */
export function certificateIn(folder: string, name: string, days?: number): CertificateFiles {
  const files = { cert: join(folder, `${name}.cert.pem`), key: join(folder, `${name}.key.pem`) };
  makeCertificate(files, name, days);
  return files;
}

function openssl(args: readonly string[], input = ""): string {
  return execFileSync("openssl", args, { input, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] });
}
