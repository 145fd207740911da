/** For the tests: a service with a method of each kind, real servers and clients on port 0, and a recorder of log entries. */
export { createEchoClient, type EchoClient, type EchoHandlers, echo, echoService } from "./echo-service.ts";
export { MetricRecorder, type Recorded } from "./metric-recorder.ts";
export { retryConfig } from "./retry-config.ts";
export {
  answers,
  type CallInput,
  call,
  type Kind,
  kinds,
  LogRecorder,
  type Outcome,
  Rig,
  type ServeOptions,
} from "./rig.ts";
export { SpanRecorder } from "./span-recorder.ts";
