import { type ChannelControlHelper, connectivityState, UnavailablePicker } from "../grpc-js.ts";

/** Why calls fail when there is no endpoint: the resolver's words, when it has any. */
export function noEndpointMessage(policy: string, note: string): string {
  return note || `${policy}: the resolver has found no endpoint`;
}

/** Has calls fail at once with a message. */
export function publishFailure(helper: ChannelControlHelper, message: string): void {
  helper.updateState(connectivityState.TRANSIENT_FAILURE, new UnavailablePicker({ details: message }), message);
}
