import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ServerCredentials } from "@grpc/grpc-js";
import { assertNothingLeft, makeCertificates } from "@grpc-lb/core/testing";
import { sourceBehaviours } from "../../testing/source-conformance.ts";
import { createXdsWorld } from "../../testing/xds/world.ts";

after(assertNothingLeft);

const certificates = makeCertificates();
const folder = mkdtempSync(join(tmpdir(), "xds-"));
const tokenFile = join(folder, "token");
writeFileSync(tokenFile, "right");
after(() => {
  certificates?.remove();
  rmSync(folder, { recursive: true });
});
const tls = certificates && {
  server: ServerCredentials.createSsl(null, [
    {
      cert_chain: readFileSync(certificates.server.certFile),
      private_key: readFileSync(certificates.server.keyFile),
    },
  ]),
  client: { tls: { caFile: certificates.caFile }, tokenFile },
};

// Most of the time they wait for a deadline, so they do it together; each has a control plane of its own.
for (const protocol of ["delta", "sotw"] as const) {
  describe(`a control plane with ${protocol}`, { concurrency: 4, timeout: 60_000 }, () => {
    for (const { name, cannot, run } of sourceBehaviours) {
      test(name, async (t) => {
        const { world, close } = await createXdsWorld(protocol, name.includes("credentials") ? tls : undefined);
        try {
          const why = cannot(world);
          if (why !== undefined) return t.skip(why);
          await run(world, "outbound|80||web");
        } finally {
          await close();
        }
      });
    }
  });
}
