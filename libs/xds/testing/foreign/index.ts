/**
 * For tests: clients of xDS that nobody here wrote, @grpc/grpc-js-xds, grpc-go and Envoy; servers that they call; and calls that go on
 * while a test changes things.
 */
export { Calls, type CallsOptions, untilCalled } from "./calls.ts";
export { type ForeignClient, type ForeignClientKind, type ForeignClientOptions, foreignClients } from "./clients.ts";
export { callOverHttp } from "./grpc.ts";
export { type Pod, startPod } from "./pod.ts";
export { serveCalls } from "./serve-calls.ts";
