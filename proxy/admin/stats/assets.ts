/** Script and style of the stats page; the build puts their text here, so that the bundle is one file. */
declare const LB_STATS_SCRIPT: string | undefined;
declare const LB_STATS_STYLE: string | undefined;

interface Assets {
  readonly script: string;
  readonly style: string;
}

/** Out of the bundle; where the balancer runs from its source, they are built when they are first asked for. */
export async function statsAssets(): Promise<Assets> {
  if (typeof LB_STATS_SCRIPT === "string" && typeof LB_STATS_STYLE === "string") {
    return { script: LB_STATS_SCRIPT, style: LB_STATS_STYLE };
  } else {
    const { bundlePage } = await import("./browser/bundle.mjs");
    return await bundlePage();
  }
}
