import { status } from "@grpc/grpc-js";
import type { Attributes } from "@opentelemetry/api";

/** The attributes of a method, made once: those of a start, and those of an end by status. */
export class MethodAttributes {
  readonly started: Attributes;
  readonly #ended: Attributes[] = [];

  constructor(started: Attributes) {
    this.started = started;
  }

  ended(code: status): Attributes {
    let attributes = this.#ended[code];
    if (!attributes) {
      attributes = { ...this.started, "grpc.status": status[code] ?? "UNKNOWN" };
      this.#ended[code] = attributes;
    }
    return attributes;
  }
}

/** The value of `grpc.method`: `pod.v1.PodService/GetPod`. */
export const methodName = (path: string): string => path.slice(1);
