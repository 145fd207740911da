import assert from "node:assert/strict";

/** Sockets, servers, children and timers: what a closed thing must not leave. Pipes are the test runner's own. */
const kinds =
  /^(TCPSocketWrap|TCPServerWrap|TLSWrap|UDPWrap|ProcessWrap|Timeout|Immediate|FSEventWrap|GetAddrInfoReqWrap)$/;

/**
 * Fails when the process still holds a socket, a listening server, a child or a timer that keeps it alive. Handles close
 * in the turns of the event loop after they were asked to, so a few are granted.
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
