/**
 * Whether a method, such as `/grpc.health.v1.Health/Check`, is one of health checks or reflection: what a service has for those who run
 * it. By default such methods need no token, are no part of metrics and traces, and have lines at level `debug`.
 */
export function isInfrastructure(path: string): boolean {
  return path.startsWith("/grpc.health.") || path.startsWith("/grpc.reflection.");
}
