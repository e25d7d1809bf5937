import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBlock } from "../../cli/address-block.ts";

test("a block is written in one way, however it was spelled", () => {
  for (const [given, text] of [
    ["192.0.2.0/24", "192.0.2.0/24"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["::/0", "::/0"],
    ["2001:DB8::/32", "2001:db8::/32"],
    ["2001:0db8:0000::0/32", "2001:db8::/32"],
    ["2001:db8:0:0:1:0:0:0/80", "2001:db8:0:0:1::/80"],
    ["1:2:3:4:5:6:7:8/128", "1:2:3:4:5:6:7:8/128"],
    ["::ffff:192.0.2.1", "::ffff:c000:201/128"],
  ] as const) {
    const block = parseBlock(given);
    assert.deepEqual([block?.text, block?.inside], [text, false], given);
  }
});

test("one address is a block of its own", () => {
  assert.equal(parseBlock("192.0.2.7")?.text, "192.0.2.7/32");
  assert.equal(parseBlock("2001:db8::7")?.text, "2001:db8::7/128");
});

test("an address from inside of a block is told from the block", () => {
  for (const [given, text] of [
    ["10.80.1.5/16", "10.80.0.0/16"],
    ["192.0.2.129/25", "192.0.2.128/25"],
    ["255.255.255.255/1", "128.0.0.0/1"],
    ["1.2.3.4/0", "0.0.0.0/0"],
    ["2001:db8:ffff::/33", "2001:db8:8000::/33"],
  ] as const) {
    const block = parseBlock(given);
    assert.deepEqual([block?.text, block?.inside], [text, true], given);
  }
});

test("what is no block", () => {
  for (const text of [
    "",
    "here",
    "999.1.1.1/99",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/1e1",
    "10.0.0/8",
    "010.0.0.0/8",
    "10.0.0.0/8/8",
    "2001:db8::/129",
    "2001:db8:::/32",
    "fe80::1%eth0",
    "[::1]/128",
  ]) {
    assert.equal(parseBlock(text), null, text);
  }
});
