import assert from "node:assert/strict";
import { test } from "node:test";
import { providerLock } from "../../infra/provider-lock.ts";
import { AWS_PROVIDER_VERSION } from "../../infra/provider-version.ts";

test("the lock file names the pinned version, and hashes that Terraform can read", () => {
  const text = providerLock();
  assert.match(text, new RegExp(`version += "${AWS_PROVIDER_VERSION.replaceAll(".", "\\.")}"`));
  const hashes = [...text.matchAll(/^ {4}"(.+)",$/gm)].map(([, hash]) => hash ?? "");
  assert.ok(hashes.every((hash) => /^(zh:[0-9a-f]{64}|h1:[A-Za-z0-9+/]{43}=)$/.test(hash)));
  assert.equal(new Set(hashes).size, hashes.length);
  assert.ok(hashes.some((hash) => hash.startsWith("zh:")) && hashes.some((hash) => hash.startsWith("h1:")));
});
