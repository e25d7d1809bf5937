/** lbctl.yaml as `lbctl init` writes it: every setting with its default. */
export const CONFIG_TEMPLATE = `# A cluster of lbctl. Every key may be left out; what stands here are the defaults.
# After a change: lbctl plan (what it means), lbctl deploy (do it).

# Its state is in .lbctl/<name>/ beside this file.
name: default

# Where it lives. local: supervised processes on this machine.
target: local

# App servers, 1 to 9. \`lbctl scale --nodes N\` writes it here.
nodes: 3

ports:
  traffic: 8080 # what clients talk to
  admin: 1936 # stats page, admin API, /metrics
  apps: 4567 # of app1; app2 has the next one, and so on
#  prometheus: 9090 # left out: the first free port from here on, and then always that; so for the next two
#  nodeExporter: 9100
#  grafana: 3000

admin:
  user: admin # the password is made: .lbctl/<name>/admin.password

# auto: what is installed here of Prometheus, node_exporter and Grafana runs beside a local cluster and watches it.
# off: nothing does. The stats page is there either way.
monitoring: auto

# Passed on to lb-proxy; docs/configuration.md lists every key.
proxy: {}
#  ack: all # whose acks a write waits for: all, quorum, one
#  health: { interval: 1s, timeout: 500ms, rise: 2, fall: 3 }
#  writes: { sendTimeout: 2s, ackTimeout: 5s, minInSync: 1 }
#  limits: { body: 1MiB, writesOpen: 10000 }
#  log: { level: info, access: true }
`;
