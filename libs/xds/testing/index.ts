/** For tests: a control plane with the faults of a bad day, and what stands before it. */
export { FakeControlPlane, type SeenRequest } from "./fake-control-plane.ts";
export { Relay } from "./relay.ts";
