import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientRequest, createServer, get, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { MOST_STREAMS, Streams } from "../../../../proxy/admin/stats/stream.ts";
import type { HistoryAnswer, Problem, StreamMessage } from "../../../../proxy/api.ts";
import { until } from "../../../support/wait.ts";
import { basic, startAdmin, type TestAdmin } from "../fake-control.ts";

/** The stream of the stats page, as any client of server-sent events sees it. */

interface Message {
  readonly event: string;
  readonly id: string;
  readonly data: StreamMessage;
}

class Client {
  readonly request: ClientRequest;
  response: IncomingMessage | null = null;
  text = "";
  ended = false;
  broken = false;

  constructor(
    t: TestContext,
    { url }: TestAdmin,
    path = "/api/stream",
    headers: Record<string, string> = {},
  ) {
    const sent = { authorization: basic("admin"), ...headers };
    this.request = get(`${url}${path}`, { headers: sent, agent: false }, (response) => {
      this.response = response;
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        this.text += text;
      });
      response.on("end", () => {
        this.ended = true;
      });
      response.on("error", () => {
        this.broken = true;
      });
    });
    this.request.on("error", () => {
      this.broken = true;
    });
    t.after(() => this.request.destroy());
  }

  get messages(): Message[] {
    const blocks = this.text.split("\n\n").slice(0, -1);
    return blocks.filter((block) => block.includes("data: ")).map(parse);
  }

  async has(count: number): Promise<Message[]> {
    await until(() => this.messages.length >= count, { what: `${count} messages` });
    return this.messages;
  }
}

function parse(block: string): Message {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
  return { event: field("event"), id: field("id"), data: JSON.parse(field("data")) };
}

test("the stream sends each sample, and the page's markup of that moment", async (t) => {
  const admin = await startAdmin(t);
  const { id } = (await (await admin.call("/api/history")).json()) as HistoryAnswer;
  const client = new Client(t, admin, `/api/stream?after=${id}`);
  await client.has(1);
  Object.assign(admin.control.nodes[0] ?? {}, { lag: 42 });
  admin.history.sample(Date.now());
  const [first, second] = await client.has(2);
  assert.equal(client.response?.headers["content-type"], "text/event-stream; charset=utf-8");
  assert.match(client.text, /^retry: 1000\n\n/);
  assert.equal(first?.id, id);
  assert.equal(second?.data.tick.nodes.app1?.lag, 42);
  assert.equal(second?.id, second?.data.tick.id);
  assert.match(second?.data.page ?? "", /^<main id="live"[\s\S]*42[\s\S]*<\/main>$/);
});

test("who comes again gets what it missed, by Last-Event-ID", async (t) => {
  const admin = await startAdmin(t);
  const before = admin.history.last?.id ?? "";
  for (let index = 0; index < 5; index++) admin.history.sample(Date.now());
  const client = new Client(t, admin, "/api/stream?after=old", { "last-event-id": before });
  const messages = await client.has(5);
  assert.equal(messages.length, 5);
  assert.ok(
    messages.every(({ event }) => event === ""),
    "no reset",
  );
  assert.equal(messages.at(-1)?.id, admin.history.last?.id);
  assert.notEqual(messages.at(-1)?.data.page, "", "the last one has the page");
  assert.equal(messages[0]?.data.page, "", "the ones before need none");
});

test("who comes with another process' sample is told to begin anew", async (t) => {
  const admin = await startAdmin(t);
  const client = new Client(t, admin, "/api/stream", { "last-event-id": "1700000000000-17" });
  const [reset, now] = await client.has(2);
  assert.equal(reset?.event, "reset");
  assert.equal(now?.data.tick.id, admin.history.last?.id);
});

test("the viewer's stream has no buttons, the admin's at the same time has", async (t) => {
  const admin = await startAdmin(t);
  const viewer = new Client(t, admin, "/api/stream", { authorization: basic("viewer") });
  const owner = new Client(t, admin);
  await viewer.has(2);
  await owner.has(2);
  admin.history.sample(Date.now());
  const pages = [(await viewer.has(3)).at(-1)?.data.page ?? "", (await owner.has(3)).at(-1)?.data.page ?? ""];
  assert.doesNotMatch(pages[0] ?? "", /data-ask/);
  assert.match(pages[1] ?? "", /data-ask/);
  assert.match(pages[0] ?? "", /signed in as guest/);
});

test("open streams are bounded; one that closes makes room", async (t) => {
  const admin = await startAdmin(t);
  const clients = Array.from({ length: MOST_STREAMS }, () => new Client(t, admin));
  await Promise.all(clients.map((client) => client.has(1)));
  const refused = await admin.call("/api/stream");
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "5");
  assert.equal(((await refused.json()) as Problem).code, "too_many_streams");
  assert.equal((await admin.call("/api/status")).status, 200, "everything else is answered");
  clients[0]?.request.destroy();
  await until(async () => {
    const again = new Client(t, admin);
    const [response] = (await once(again.request, "response")) as [IncomingMessage];
    return response.statusCode === 200;
  });
});

test("close ends the streams, and does not wait for them", async (t) => {
  const admin = await startAdmin(t);
  const client = new Client(t, admin);
  await client.has(1);
  await admin.admin.close();
  await until(() => client.ended, { what: "the end of the stream" });
  assert.equal(client.broken, false, "an end, not a reset");
});

test("a reload of the passwords ends the streams: whoever looks signs in anew", async (t) => {
  const admin = await startAdmin(t);
  const client = new Client(t, admin);
  await client.has(1);
  admin.admin.reload(admin.config);
  await until(() => client.ended, { what: "the end of the stream" });
});

test("a reader that does not read is let go, and the others go on", async (t) => {
  const { control, history } = await startAdmin(t);
  const streams = new Streams({ control, history });
  const server = createServer((_request, response) => streams.open(response, null, null));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const open = () => {
    const socket = connect(port, "127.0.0.1");
    t.after(() => socket.destroy());
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return socket;
  };
  open().pause();
  open().resume();
  await until(() => streams.size === 2);
  // As many samples as fill what the system keeps for a connection, and what may wait here.
  await until(
    () => {
      history.sample(Date.now());
      return streams.size === 1;
    },
    { timeout: 50_000, what: "the end of the deaf reader" },
  );
});

test("HEAD of the stream ends at once", async (t) => {
  const { call } = await startAdmin(t);
  const response = await call("/api/stream", { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "");
});

test("without anyone looking nothing is rendered", async (t) => {
  const admin = await startAdmin(t);
  const client = new Client(t, admin);
  await client.has(1);
  client.request.destroy();
  let asked = 0;
  const { control } = admin;
  const isReady = control.isReady.bind(control);
  control.isReady = () => {
    asked++;
    return isReady();
  };
  await until(() => {
    asked = 0;
    admin.history.sample(Date.now());
    return asked === 0;
  });
});

test("large answers are compressed for those who take that, and only for them", async (t) => {
  const { url, history } = await startAdmin(t);
  for (let index = 0; index < 100; index++) history.sample(Date.now());
  const sizes: number[] = [];
  for (const accepted of ["identity", "gzip;q=0, br", "gzip"]) {
    const headers = { authorization: basic("admin"), "accept-encoding": accepted };
    const request = get(`${url}/api/history`, { headers, agent: false });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const bytes = Buffer.concat(await response.toArray());
    const zipped = response.headers["content-encoding"] === "gzip";
    assert.equal(zipped, accepted === "gzip", accepted);
    assert.equal(response.headers["content-length"], String(bytes.length));
    const answer = JSON.parse(String(zipped ? gunzipSync(bytes) : bytes)) as HistoryAnswer;
    assert.equal(answer.at.length, 101);
    sizes.push(bytes.length);
  }
  assert.ok((sizes[2] ?? 0) * 5 < (sizes[0] ?? 0), String(sizes));
});
