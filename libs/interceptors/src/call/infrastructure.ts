/** Whether a method is one of health checks or reflection, which are not what a service is there for. */
export function isInfrastructure(path: string): boolean {
  return path.startsWith("/grpc.health.") || path.startsWith("/grpc.reflection.");
}
