import { execFileSync } from "node:child_process";

/** Makes a self-signed certificate and its key, by the system's openssl; what is there already is replaced. */
export function makeCertificate(
  { cert, key }: { readonly cert: string; readonly key: string },
  name: string,
  days = 2,
): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const options = [...curve, "-days", String(days), "-subj", `/CN=${name}`];
  execFileSync("openssl", ["req", "-x509", ...options, "-keyout", key, "-out", cert], { stdio: "ignore" });
}
