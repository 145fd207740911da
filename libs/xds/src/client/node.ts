/** Who the client is to a control plane, which may answer each node, or each cluster of nodes, in another way. */
export interface XdsNode {
  /** Unique among the clients. For istiod `sidecar~10.0.0.1~pod.namespace~namespace.svc.cluster.local`. Default: the host's name. */
  readonly id?: string | undefined;
  /** The group of clients that this one belongs to. Default: none. */
  readonly cluster?: string | undefined;
  /** Where the client runs. Default: unknown. */
  readonly locality?:
    | {
        readonly region?: string | undefined;
        readonly zone?: string | undefined;
        readonly subZone?: string | undefined;
      }
    | undefined;
  /** What else the control plane should know, as JSON. Default: none. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}
