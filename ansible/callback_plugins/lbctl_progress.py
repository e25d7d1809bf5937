"""Tells lbctl how a run goes: one JSON object a line, to the file or descriptor that LBCTL_PROGRESS names."""

from __future__ import annotations

import json
import os
import signal

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: lbctl_progress
type: aggregate
short_description: Progress of a playbook as JSON lines
description:
  - Writes one JSON object a line to the file named by the environment variable LBCTL_PROGRESS, or to the inherited
    descriptor 3 where it is C(fd:3); without it nothing.
  - Results of tasks with no_log come censored by Ansible itself, and without a diff.
"""

# A module's message may be a whole log.
LONGEST = 4000
LONGEST_DIFF = 20000


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lbctl_progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._items = {}
        where = os.environ.get("LBCTL_PROGRESS")
        if not where:
            self.disabled = True
            return
        # A descriptor may be a socket, which has no name to open.
        target = int(where[3:]) if where.startswith("fd:") else where
        mode = "w" if isinstance(target, int) else "a"
        self._file = open(target, mode, encoding="utf-8", buffering=1)

    def _write(self, event, **values):
        try:
            self._file.write(json.dumps({"event": event, **values}, default=str) + "\n")
        except BrokenPipeError:
            # lbctl was killed, and its lock went with it: nothing may go on, and Ansible would hang for ever with nobody to
            # read its warnings. lbctl starts it in a process group of its own.
            if os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)
            self.disabled = True

    def v2_playbook_on_play_start(self, play):
        self._write("play", name=play.get_name())

    def v2_runner_on_start(self, host, task):
        self._write("start", host=host.get_name(), **_named(task))

    def v2_runner_on_ok(self, result):
        self._result(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_skipped(self, result):
        self._result(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result):
        self._result(result, "unreachable")

    def v2_runner_item_on_failed(self, result):
        key = (result._host.get_name(), result._task._uuid)
        self._items.setdefault(key, []).append(_message(result._result))

    def v2_on_file_diff(self, result):
        diff = self._diff_of(result)
        if diff:
            self._write("diff", host=result._host.get_name(), **_named(result._task), diff=diff)

    def v2_playbook_on_no_hosts_matched(self):
        self._write("no_hosts")

    def v2_playbook_on_stats(self, stats):
        self._write("stats", hosts={host: stats.summarize(host) for host in sorted(stats.processed)})

    def _result(self, result, outcome):
        host = result._host.get_name()
        values = _named(result._task)
        if outcome in ("failed", "unreachable", "ignored"):
            items = self._items.pop((host, result._task._uuid), [])
            values["message"] = "; ".join(items) or _message(result._result)
        self._write("result", host=host, outcome=outcome, **values)

    def _diff_of(self, result):
        values = result._result
        results = values.get("results") if result._task.loop else [values]
        parts = []
        for one in results or []:
            if isinstance(one, dict) and one.get("diff") and one.get("changed"):
                parts.append(self._get_diff(one["diff"]))
        return "".join(parts)[:LONGEST_DIFF]


def _named(task):
    role = task._role.get_name() if task._role else None
    return {"role": role, "task": task.get_name().split(" : ", 1)[-1].strip()}


def _message(values):
    # The module unarchive keeps to itself what tar said.
    unpacking = values.get("extract_results") or {}
    if isinstance(unpacking, dict) and unpacking.get("err"):
        return str(unpacking["err"]).strip()[:LONGEST]
    for key in ("msg", "stderr", "module_stderr", "stdout", "reason"):
        text = str(values.get(key) or "").strip()
        if text and not (key == "msg" and text in ("MODULE FAILURE", "non-zero return code")):
            return text[:LONGEST]
    return str(values.get("msg") or "no message")[:LONGEST]
