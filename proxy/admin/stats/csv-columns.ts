/** HAProxy's columns, in its order (its management guide, 9.1 "CSV format"); tools find them by place or by name. */
export const CSV_COLUMNS = (
  "pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck," +
  "chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max," +
  "check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate," +
  "req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime," +
  "rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health," +
  "agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses," +
  "wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint," +
  "idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight"
).split(",");

/** A row: what isn't named is empty, as HAProxy leaves what doesn't apply. */
export type CsvRow = Readonly<Record<string, string | number | undefined>>;

/** Lines as HAProxy's: `# ` before the header, a comma after the last field. */
export function csvText(rows: readonly CsvRow[]): string {
  const lines = rows.map((row) => CSV_COLUMNS.map((column) => `${field(row[column] ?? "")},`).join(""));
  return `# ${CSV_COLUMNS.join(",")},\n${lines.join("\n")}\n\n`;
}

/**
 * One field (RFC 4180). Foreign text that a spreadsheet would take for a formula gets an apostrophe in front, which
 * makes it text there; control characters become spaces, so that a row stays a line.
 */
function field(value: string | number): string {
  if (typeof value === "number") return String(Math.round(value));
  const line = value.replace(/\p{Cc}/gu, " ");
  const text = /^[\s]*[=+\-@]/.test(line) ? `'${line}` : line;
  return /[",']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
