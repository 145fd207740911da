import { status } from "@grpc/grpc-js";
import type { Clock } from "@grpc-lb/core";
import type { WatchRequest, WatchResponse } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { WatchCreateRequest, WatchService } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import type { Event } from "@grpc-lb/protos/etcd/api/mvccpb";
import { type RpcCall, RpcStatus } from "@grpc-lb/xds/channel";
import type { Cluster } from "./cluster.ts";
import { describeCancel } from "./error.ts";

/** What to watch. */
export interface RangeWatch {
  readonly cluster: Cluster;
  /** For messages: `watch server/`. */
  readonly what: string;
  /** One key, or with `rangeEnd` all keys from it to before that. */
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
  readonly startRevision: bigint;
  readonly clock: Clock;
  /** How long etcd may be silent before its progress is requested, in milliseconds. */
  readonly progressIntervalMs: number;
  /** How long each answer may take, in milliseconds. */
  readonly answerTimeoutMs: number;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /**
   * Called when etcd has confirmed the watch, reported its progress or reported changes. What came together is handed over
   * together: intermediate states do not matter.
   *
   * @param revision the newest revision of the store; 0 when the messages have none
   * @param isEnding whether etcd ends the watch with this: then it confirms nothing
   * @returns whether the watch may end
   */
  onProgress(events: readonly Event[], revision: bigint, isEnding: boolean): boolean;
}

/**
 * Watches until `onProgress` returns true, the revision turns out to be compacted, or the member ends the stream without an
 * error: the caller reads again then.
 *
 * The watch fails when etcd does not confirm it, or does not answer a progress request, within `answerTimeoutMs`: a frozen
 * member is noticed in no other way. Progress is an event or a revision; a message without both is none, however many there are.
 *
 * @throws RpcStatus or DiscoveryError when etcd cancels the watch, or is silent or unreachable
 */
export async function watchRange(watch: RangeWatch): Promise<void> {
  const { cluster, what, key, rangeEnd, startRevision, answerTimeoutMs, signal, onProgress } = watch;
  await cluster.stream(WatchService.watch, { what, timeoutMs: answerTimeoutMs, signal }, async (call) => {
    const ended = new AbortController();
    const progress = { isConfirmed: false, count: 0 };
    const value = WatchCreateRequest.fromPartial({
      key,
      startRevision,
      progressNotify: true,
      ...(rangeEnd && { rangeEnd }),
    });
    call.send({ requestUnion: { $case: "createRequest", value } });
    void endWhenSilent(watch, call, progress, ended.signal);
    try {
      for await (const responses of call.batches()) {
        if (signal.aborted) return;
        progress.isConfirmed ||= responses.some(({ created }) => created);
        const events = responses.flatMap((response) => response.events);
        const revision = responses.reduce((newest, { header }) => max(newest, header?.revision ?? 0n), 0n);
        const end = responses.find(({ canceled }) => canceled);
        if (progress.isConfirmed && (events.length > 0 || revision > 0n)) {
          progress.count += 1;
          if (onProgress(events, revision, end !== undefined)) return;
        }
        if (end && end.compactRevision > 0n) return;
        if (end) throw describeCancel(end.cancelReason);
      }
    } finally {
      ended.abort();
    }
  });
}

async function endWhenSilent(
  { clock, progressIntervalMs, answerTimeoutMs }: RangeWatch,
  call: RpcCall<WatchRequest, WatchResponse>,
  progress: { readonly isConfirmed: boolean; readonly count: number },
  ended: AbortSignal,
): Promise<void> {
  for (let isFirst = true; !ended.aborted; isFirst = false) {
    // etcd confirms the watch first; it answers a progress request only then.
    if (!isFirst) await clock.sleep(progressIntervalMs, ended, { background: true });
    if (ended.aborted) return;
    const before = progress.count;
    if (!isFirst) call.send({ requestUnion: { $case: "progressRequest", value: {} } });
    await clock.sleep(answerTimeoutMs, ended, { background: true });
    // What arrived while this process was busy is read first.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    if (ended.aborted) return;
    if (isFirst ? progress.isConfirmed : progress.count > before) continue;
    call.end(new RpcStatus(status.DEADLINE_EXCEEDED, `no answer for ${answerTimeoutMs} ms`));
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
