import type { Kubectl } from "../kubectl.ts";

/**
 * Runs in the server's container. Node is process 1 there, and the kernel keeps signals that would end process 1 from it; only the
 * inspector, which SIGUSR1 starts, can make it end at once, without a drain.
 */
const script = `
  process.kill(1, "SIGUSR1");
  const connect = async () => {
    const [{ webSocketDebuggerUrl }] = await (await fetch("http://127.0.0.1:9229/json/list")).json();
    const socket = new WebSocket(webSocketDebuggerUrl);
    const params = { expression: "setTimeout(process.reallyExit, 100, 137)" };
    socket.onopen = () => {
      socket.send(JSON.stringify({ id: 1, method: "Runtime.evaluate", params }));
      socket.close(); // a process that exits waits for its debugger to leave
    };
  };
  const fail = (error) => { console.error(error.message); process.exitCode = 1; };
  const retry = (left) => connect().catch((error) => left > 0 ? setTimeout(retry, 50, left - 1) : fail(error));
  retry(100);
`;

/** Ends the server process of a pod as a crash does; the kubelet starts the container again. */
export async function killServer(kubectl: Kubectl, pod: string): Promise<void> {
  const doing = `the server in ${pod} was killed`;
  const args = ["exec", pod, "--container", "server", "--", "node", "-e", script];
  const { code, stdout, problem } = await kubectl.try(args, { doing });
  // 137: the command was still running when its container ended.
  if (code !== 0 && !problem.includes("exit code 137"))
    throw new Error(`the server in ${pod} cannot be killed: ${problem || stdout.trim()}`);
}
