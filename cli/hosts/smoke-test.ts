/** A read through the balancer's traffic port, as clients send one: the last step of a deploy. */
import { Agent, request } from "undici";
import { readCertificate, trusting } from "../certificate.ts";
import { errorCode, messageOf, UserError } from "../errors.ts";
import { clusterOf, type HostsRecord } from "./record.ts";
import { hostAndPort, openTunnel } from "./tunnel.ts";
import type { HostsWork } from "./work.ts";

const PATH = "/login";
/** In ms. */
const DEADLINE = 10_000;

/** What the balancer says where no node answers. */
interface Problem {
  readonly type?: string;
  readonly code?: string;
}

/**
 * Whatever a node answers is good: what its app thinks of the request is not looked at.
 * @returns what came, and from where, for people
 * @throws UserError where nothing or an error of the balancer's own came
 */
export async function smokeTest(work: HostsWork, record: HostsRecord): Promise<string> {
  const cluster = clusterOf(work.config, record, "127.0.0.1");
  const certificate = await readCertificate(cluster);
  const dispatcher = new Agent({ connect: { timeout: DEADLINE, ...trusting(certificate) } });
  try {
    const url = new URL(cluster.balancerUrl);
    const direct = await read(url, dispatcher, work.signal);
    if (typeof direct === "number") return `${direct} from ${url.origin}`;
    // A firewall may be between, as aws.trafficAddresses makes one.
    const { port } = hostAndPort(cluster.balancerUrl);
    await using tunnel = await openTunnel(work, [{ host: "127.0.0.1", port }]);
    const near = await read(
      new URL(`${url.protocol}//127.0.0.1:${tunnel.ports[0]}`),
      dispatcher,
      work.signal,
    );
    if (typeof near !== "number") throw failed(url.origin, `nothing (${near.failure})`);
    return `${near} on its host; from here ${url.origin} is not reached (${direct.failure})`;
  } finally {
    await dispatcher.destroy();
  }
}

/** @returns the status of the answer, or why there is none */
async function read(
  { origin }: URL,
  dispatcher: Agent,
  stop: AbortSignal,
): Promise<number | { readonly failure: string }> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(DEADLINE)]);
  const answer = await request(`${origin}${PATH}`, { dispatcher, signal })
    .then(async ({ statusCode, headers, body }) => ({ statusCode, headers, text: await body.text() }))
    .catch((error: unknown) => {
      stop.throwIfAborted();
      return { failure: errorCode(error) ?? messageOf(error) };
    });
  if ("failure" in answer) return answer;
  const { statusCode, headers, text } = answer;
  if (statusCode >= 500 && headers["content-type"] === "application/problem+json") {
    const { type = "", code } = JSON.parse(text) as Problem;
    if (type.startsWith("urn:lbctl:")) throw failed(origin, `${statusCode} ${code}`);
  }
  return statusCode;
}

function failed(url: string, got: string): UserError {
  return new UserError(`expected a node's answer to GET ${PATH} at ${url}, got ${got}`, {
    code: "smoke_test_failed",
    next: ["lbctl status   # all is installed; is a node in-sync?", "lbctl logs balancer"],
  });
}
