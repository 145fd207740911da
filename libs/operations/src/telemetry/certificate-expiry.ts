import type { Instruments } from "./telemetry.ts";

/** Says when certificates end. */
export interface CertificateExpiry {
  /**
   * @param name which certificate it is, such as `server`; never its content
   * @param expiresMs when it ends, in milliseconds since 1970, as `Date.now()`; undefined forgets it
   */
  set(name: string, expiresMs: number | undefined): void;
}

/** Creates the gauge `grpc.lb.tls.certificate.expiry`, in seconds since 1970, by `grpc.lb.tls.certificate`. Without metrics it does nothing. */
export function createCertificateExpiry({ meter }: Pick<Instruments, "meter">): CertificateExpiry {
  const expiries = new Map<string, number>();
  meter
    ?.createObservableGauge("grpc.lb.tls.certificate.expiry", { description: "When a certificate ends", unit: "s" })
    .addCallback((result) => {
      for (const [name, ms] of expiries) result.observe(ms / 1_000, { "grpc.lb.tls.certificate": name });
    });
  return {
    set(name, expiresMs) {
      if (expiresMs === undefined) expiries.delete(name);
      else expiries.set(name, expiresMs);
    },
  };
}
