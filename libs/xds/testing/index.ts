/** For tests: a control plane with the faults of a bad day, and what stands before it; a client that a test drives; resources. */
export { FakeControlPlane, type SeenRequest } from "./fake-control-plane.ts";
export { Relay } from "./relay.ts";
export {
  brokenCluster,
  type SampleListenerOptions,
  sampleCluster,
  sampleEndpoints,
  sampleListener,
  sampleRoute,
} from "./sample-resources.ts";
export { deltaClient, ScriptedClient, stateClient } from "./scripted-client.ts";
