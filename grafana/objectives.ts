/**
 * What users are promised, and from where on someone is told. Dashboards and alerts have their figures from here;
 * change one, `npm run generate`, and both have it. Durations in seconds.
 */

/** Share of requests that must not end in a 5xx, over 30 days; the rest is the error budget. */
export const AVAILABILITY = 0.999;
export const ERROR_BUDGET = 1 - AVAILABILITY;

/** 99 of 100 requests are answered within this. */
export const READ_P99 = 0.1;
export const WRITE_P99 = 0.5;

/** Apdex: content up to here, tolerating up to four times as much; both are buckets of the histogram. */
export const APDEX_READ = 0.05;
export const APDEX_WRITE = 0.075;

/** A write may be on its way to a node for so long. */
export const OLDEST_UNDELIVERED = 300;
/** 99 of 100 fsyncs take less; the default ack timeout is 5 s, and a write waits for two fsyncs. */
export const FSYNC_P99 = 0.1;
/** Share of journal.maxSize in use. */
export const JOURNAL_FULL = 0.8;
/** Event loop lag; an idle process shows 0.01. */
export const EVENT_LOOP_P99 = 0.1;
export const CERTIFICATE_LEFT = 14 * 86_400;

/** The scrape job of the balancers; that of node_exporter is `node`. */
export const JOB = "lbctl";
export const HOST_JOB = "node";
