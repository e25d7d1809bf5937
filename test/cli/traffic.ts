/** Reads and writes one after the other, each on four lanes, until told to stop. */
export interface Traffic {
  stop(): Promise<{ readonly failures: readonly string[]; readonly reads: number; readonly writes: number }>;
}

export function startTraffic(url: string): Traffic {
  const failures: string[] = [];
  const done = { reads: 0, writes: 0 };
  let stopped = false;
  const lane = async (send: () => Promise<void>) => {
    while (!stopped) await send().catch((error: unknown) => failures.push(String(error)));
  };
  const write = async () => {
    const body = new URLSearchParams({ username: `u${Math.random()}`, password: "x" });
    const answer = await fetch(`${url}/register`, { method: "POST", body });
    if (answer.status !== 201) failures.push(`register: ${answer.status} ${await answer.text()}`);
    else await answer.arrayBuffer();
    done.writes += 1;
  };
  const read = async () => {
    const answer = await fetch(`${url}/healthz`);
    if (answer.status !== 200) failures.push(`read: ${answer.status} ${await answer.text()}`);
    else await answer.arrayBuffer();
    done.reads += 1;
  };
  const lanes = [...Array(4)].flatMap(() => [lane(write), lane(read)]);
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(lanes);
      return { failures, ...done };
    },
  };
}
