import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesAboveBase, megabytes } from "./size.ts";

const histories = {
  "the classic builder": [
    { CreatedBy: '/bin/sh -c #(nop)  ENTRYPOINT ["node" "/app/dist/app/main.cjs"]', Size: "0" },
    { CreatedBy: "/bin/sh -c #(nop) COPY dir:168d4a in /app/ ", Size: "1350000" },
    { CreatedBy: "/bin/sh -c #(nop) WORKDIR /app", Size: "0" },
    { CreatedBy: "/bin/sh -c #(nop) COPY file:4d19 in /usr/local/bin/ ", Size: "388" },
    { CreatedBy: "", Size: "209000000" },
  ],
  BuildKit: [
    { CreatedBy: "COPY apps/server/dist/image/ /app/ # buildkit", Size: "1345904" },
    { CreatedBy: "WORKDIR /app", Size: "4096" },
    { CreatedBy: "COPY docker-entrypoint.sh /usr/local/bin/ # buildkit", Size: "388" },
    { CreatedBy: "RUN /bin/sh -c apt-get update # buildkit", Size: "80000000" },
  ],
};

for (const [builder, history] of Object.entries(histories)) {
  test(`the layers that the Dockerfile adds are found in the history of ${builder}`, () => {
    assert.equal(bytesAboveBase(history), 1_350_000);
    assert.equal(megabytes(bytesAboveBase(history)), "1.35 MB");
  });
}
