import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_ROWS } from "../../proxy/errors.ts";

/** What clients and scripts go by. To add one, add it here, too; none is ever renamed or taken away. */
const CODES = `
  ack_timeout all_nodes_failed answer_too_large bad_framing bad_request bad_target bad_version below_min_in_sync
  body_timeout body_too_large client_left connect_refused cross_site data_dir_unwritable disk_full donor_held
  expectation_failed forbidden header_too_large idempotency_key_invalid idempotency_mismatch internal_error
  journal_behind_mark journal_corrupt journal_failed journal_full journal_locked journal_newer_format
  journal_other_cluster journal_purged journal_wrong_key key_set_aside last_in_sync loop_detected method_not_allowed
  no_bootstrap no_donor no_free_connection no_in_sync_node no_route not_resyncing not_set_aside quarantined
  read_timeout request_timeout resync_ended shutting_down snapshot_failed too_many_requests_open too_many_streams
  unauthorized unknown_node unknown_path unknown_write upgrade_refused write_skipped wrong_host
`;

test("the codes of the balancer's errors are stable", () => {
  assert.deepEqual(Object.keys(ERROR_ROWS).toSorted(), CODES.trim().split(/\s+/));
});
