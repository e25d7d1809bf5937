/** The certificate of the balancer's traffic port: what lbctl thinks of it, and whom it trusts. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../../cli/bench/ask.ts";
import { Sender } from "../../cli/bench/sender.ts";
import { certificateFindings, checkCertificate, readCertificate } from "../../cli/certificate.ts";
import { UserError } from "../../cli/errors.ts";
import { type CertificateFiles, certificateIn } from "../support/certificate.ts";
import { tempFolder } from "../support/temp-folder.ts";

const file = "/shop/lbctl.yaml";

test("a pair that can be used passes; none is none", (t) => {
  checkCertificate({ tls: certificateIn(tempFolder(t), "lb"), file });
  checkCertificate({ tls: null, file });
});

test("files that are not there, and another's key, are refused with their paths", (t) => {
  const folder = tempFolder(t);
  const [own, other] = [certificateIn(folder, "own"), certificateIn(folder, "other")];
  const missing = { cert: join(folder, "none.pem"), key: join(folder, "none.key") };
  assert.deepEqual(problemsOf(missing), [
    `tls/cert: expected a readable file at ${missing.cert}, got ENOENT`,
    `tls/key: expected a readable file at ${missing.key}, got ENOENT`,
  ]);
  assert.deepEqual(problemsOf({ cert: own.cert, key: other.key }), [
    `tls/key: expected the key of the certificate in ${own.cert}, got another`,
  ]);
});

test("doctor says until when it is good, and that it has expired", (t) => {
  const folder = tempFolder(t);
  const good = certificateFindings({ tls: certificateIn(folder, "good", 5), file });
  assert.deepEqual(
    good.map(({ check, ok }) => [check, ok]),
    [["certificate", true]],
  );
  assert.match(good[0]?.found ?? "", /^until 20\d\d-/);
  const [expired] = certificateFindings({ tls: certificateIn(folder, "old", -1), file });
  assert.equal(expired?.ok, false);
  assert.match(expired?.found ?? "", /expired on/);
  assert.match(expired?.mend ?? "", /lbctl deploy/);
  assert.deepEqual(certificateFindings({ tls: null, file }), []);
});

test("lbctl trusts the cluster's own certificate, whoever signed it and whatever it names", async (t) => {
  const files = signedByAnother(tempFolder(t));
  assert.equal(await statusFrom(await server(t, files), readFileSync(files.cert, "utf8")), 200);
});

test("another certificate than the cluster's is no answer", async (t) => {
  const folder = tempFolder(t);
  const url = await server(t, certificateIn(folder, "stranger"));
  const own = certificateIn(folder, "own");
  assert.equal(await statusFrom(url, readFileSync(own.cert, "utf8")), "DEPTH_ZERO_SELF_SIGNED_CERT");
  assert.equal(await statusFrom(url, null), "DEPTH_ZERO_SELF_SIGNED_CERT", "as any client would");
});

test("its file is read where the balancer speaks HTTPS only", async () => {
  const certificate = "/nowhere/cert.pem";
  assert.equal(await readCertificate({ balancerUrl: "http://192.0.2.1", certificate }), null);
  assert.equal(await readCertificate({ balancerUrl: "https://192.0.2.1", certificate: null }), null);
  await assert.rejects(
    readCertificate({ balancerUrl: "https://192.0.2.1", certificate }),
    /expected the balancer's certificate in \/nowhere\/cert\.pem, got ENOENT/,
  );
});

function problemsOf(tls: CertificateFiles): readonly string[] {
  try {
    checkCertificate({ tls, file });
  } catch (error) {
    assert.ok(error instanceof UserError);
    assert.deepEqual([error.code, error.exitCode], ["certificate_not_usable", 2]);
    return error.problems;
  }
  return [];
}

async function server(t: TestContext, { cert, key }: CertificateFiles): Promise<string> {
  const https = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, response) => {
    response.end("well");
  });
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    https.closeAllConnections();
    https.close();
  });
  return `https://127.0.0.1:${(https.address() as AddressInfo).port}`;
}

/** As `lbctl bench` asks. @returns the status, or why there is none */
async function statusFrom(url: string, certificate: string | null): Promise<number | string | null> {
  const sender = new Sender(url, { connections: 1, timeoutMs: 10_000, certificate });
  try {
    const { status, failure } = await ask(sender, { method: "GET", path: "/", headers: [] });
    return failure ?? status;
  } finally {
    await sender.close();
  }
}

/** As an authority does it; the file has the first certificate of the chain alone. */
function signedByAnother(folder: string): CertificateFiles {
  const authority = certificateIn(folder, "authority");
  const own = certificateIn(folder, "lb.example.org");
  const openssl = (args: readonly string[], input = "") =>
    execFileSync("openssl", args, { input, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] });
  const request = openssl(["req", "-new", "-key", own.key, "-subj", "/CN=lb.example.org"]);
  const by = ["-CA", authority.cert, "-CAkey", authority.key, "-set_serial", "7"];
  openssl(["x509", "-req", ...by, "-days", "2", "-out", own.cert], request);
  return own;
}
