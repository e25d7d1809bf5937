import assert from "node:assert/strict";
import { test } from "node:test";
import { spanContextOf, withSpanContext } from "../../../proxy/tracing/trace-headers.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

test("a valid traceparent is read, whatever the case of its name; tracestates are joined in their order", () => {
  const headers = ["TraceParent", `00-${TRACE}-${SPAN}-01`, "tracestate", "a=1", "Tracestate", "b=2"];
  const context = spanContextOf(headers);
  assert.deepEqual([context?.traceId, context?.spanId, context?.traceFlags], [TRACE, SPAN, 1]);
  assert.equal(context?.traceState?.serialize(), "a=1,b=2");
});

test("a later version is read as far as it is known", () => {
  assert.equal(spanContextOf(["traceparent", `cc-${TRACE}-${SPAN}-01-what-comes`])?.traceId, TRACE);
});

test("two traceparents, or one with spaces around it, are none", () => {
  const one = ["traceparent", `00-${TRACE}-${SPAN}-01`];
  assert.equal(spanContextOf([...one, ...one]), null);
  assert.equal(spanContextOf(["traceparent", ` 00-${TRACE}-${SPAN}-01 `]), null);
  assert.equal(spanContextOf(["tracestate", "a=1"]), null);
});

test("what a list had is replaced, everything else stays as it is", () => {
  const before = ["Host", "x", "Traceparent", "old", "TRACESTATE", "old=1", "X-A", "1", "x-a", "2"];
  const context = { traceId: TRACE, spanId: SPAN, traceFlags: 0 };
  assert.deepEqual(withSpanContext(before, context), [
    "Host",
    "x",
    "X-A",
    "1",
    "x-a",
    "2",
    "traceparent",
    `00-${TRACE}-${SPAN}-00`,
  ]);
});
