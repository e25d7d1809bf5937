/** The port that each is known by: where a local cluster begins to look for a free one, and what machines of its own use. */
export const USUAL_PORTS = { prometheus: 9090, nodeExporter: 9100, grafana: 3000 } as const;
