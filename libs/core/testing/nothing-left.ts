import assert from "node:assert/strict";

/** Sockets, servers, child processes and timers. Pipes are not listed: the test runner has its own. */
const kinds =
  /^(TCPSocketWrap|TCPServerWrap|TLSWrap|UDPWrap|ProcessWrap|Timeout|Immediate|FSEventWrap|GetAddrInfoReqWrap)$/;

/**
 * Fails when the process still has a socket, a listening server, a child process or a timer that keeps it alive. Allows 50
 * turns of the event loop, because handles close some turns after `close()`.
 *
 * @throws AssertionError that lists the handles
 */
export async function assertNothingLeft(): Promise<void> {
  let left: string[] = [];
  for (let turn = 0; turn < 50; turn++) {
    left = process.getActiveResourcesInfo().filter((kind) => kinds.test(kind));
    if (left.length === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
    left = left.filter((kind) => kind !== "Immediate");
  }
  assert.deepEqual(left, [], "nothing may be left open");
}
