import type { Chromium } from "@grpc-lb/program/testing";
import { type Browser, chromium } from "playwright-core";

/** Starts Chromium without a window. */
export const launchChromium = ({ executablePath, args }: Chromium): Promise<Browser> =>
  chromium.launch({ executablePath, args: [...args] });
