import assert from "node:assert/strict";
import { test } from "node:test";
import { findInjectionLabels, type Webhook } from "./injection.ts";

const absent = (key: string) => ({ key, operator: "DoesNotExist" });
const within = (key: string, value: string) => ({ key, operator: "In", values: [value] });
const notRefused = { key: "sidecar.istio.io/inject", operator: "NotIn", values: ["false"] };

/** The webhooks that an istiod of a revision installs, as istioctl 1.31 writes them. */
function revisioned(revision: string): Webhook[] {
  return [
    {
      namespaceSelector: { matchExpressions: [within("istio.io/rev", revision), absent("istio-injection")] },
      objectSelector: { matchExpressions: [notRefused] },
    },
    {
      namespaceSelector: { matchExpressions: [absent("istio.io/rev"), absent("istio-injection")] },
      objectSelector: { matchExpressions: [notRefused, within("istio.io/rev", revision)] },
    },
  ];
}

/** Those of the default istiod: also for namespaces and pods that name no revision. */
const byDefault: Webhook[] = [
  ...revisioned("default"),
  {
    namespaceSelector: { matchExpressions: [within("istio-injection", "enabled")] },
    objectSelector: { matchExpressions: [notRefused] },
  },
  {
    namespaceSelector: { matchExpressions: [absent("istio-injection"), absent("istio.io/rev")] },
    objectSelector: { matchExpressions: [within("sidecar.istio.io/inject", "true"), absent("istio.io/rev")] },
  },
];
const off: Webhook = {
  namespaceSelector: { matchLabels: { "istio.io/deactivated": "never-match" } },
  objectSelector: { matchLabels: { "istio.io/deactivated": "never-match" } },
};

const plain = { "sidecar.istio.io/inject": "true" };
const cases = [
  ["the default injector selects the plain label", [off, ...byDefault], {}, "", { labels: plain }],
  [
    "the same in a namespace with istio-injection=enabled",
    byDefault,
    { "istio-injection": "enabled" },
    "",
    { labels: plain },
  ],
  [
    "a namespace of a revision needs only the plain label",
    revisioned("v1"),
    { "istio.io/rev": "v1" },
    "",
    { labels: plain },
  ],
  [
    "an injector of a revision selects its label",
    revisioned("v1"),
    {},
    "",
    { labels: { ...plain, "istio.io/rev": "v1" } },
  ],
  [
    "the requested revision is used",
    [...byDefault, ...revisioned("v2")],
    {},
    "v2",
    { labels: { ...plain, "istio.io/rev": "v2" } },
  ],
] as const;

for (const [name, webhooks, namespace, wanted, expected] of cases) {
  test(name, () => assert.deepEqual(findInjectionLabels(webhooks, namespace, wanted), expected));
}

const errors = [
  [
    "with two revisions the error lists them",
    [...revisioned("v1"), ...revisioned("v2")],
    {},
    "",
    /v1, v2.*ISTIO_REV=v1/,
  ],
  ["an unknown revision is an error that lists the known ones", byDefault, {}, "v9", /no revision v9.*default/],
  [
    "a namespace that disables injection is an error",
    byDefault,
    { "istio-injection": "disabled" },
    "",
    /istio-injection=disabled/,
  ],
  ["deactivated webhooks select nothing", [off], {}, "", /injects no pod/],
] as const;

for (const [name, webhooks, namespace, wanted, pattern] of errors) {
  test(name, () => {
    const found = findInjectionLabels(webhooks, namespace, wanted);
    assert.match("error" in found ? found.error : JSON.stringify(found), pattern);
  });
}
