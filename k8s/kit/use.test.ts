/** use.sh in a kit with stand-ins for the installation and for docker. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

/** @param docker what `docker version` runs */
function useKit(t: TestContext, docker: string) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "grpc-lb-kit-")));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (path: string, text: string) => {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text, { mode: 0o755 });
  };
  write("bin/docker", `#!/bin/sh\ncase $1 in version) ${docker} ;; *) echo "docker $*" ;; esac\n`);
  const names = ["cache", "offline", "registry"].map((name) => `$npm_config_${name}`);
  write("kit/grpc-lb/.ci/install.sh", `echo "install $* ${names.join(" ")}"\n`);
  write("kit/kit.conf", "registry=https://registry.example/npm/\n");
  cpSync(join(import.meta.dirname, "use.sh"), join(folder, "kit/use.sh"));
  const env = { PATH: `${join(folder, "bin")}:${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync("sh", [join(folder, "kit/use.sh")], {
    cwd: tmpdir(),
    env,
    encoding: "utf8",
  });
  return { status, stderr, lines: stdout.split("\n"), kit: join(folder, "kit") };
}

test("the kit installs from its own cache, by the address of the registry that filled it, and loads the images", (t) => {
  const { status, lines, kit, stderr } = useKit(t, "true");
  assert.equal(status, 0, stderr);
  assert.deepEqual(lines.slice(0, 2), [
    `install --include=dev ${kit}/npm-cache true https://registry.example/npm/`,
    "docker load --quiet --input images.tar.gz",
  ]);
});

test("without docker the kit still serves the exercises that need no cluster", (t) => {
  const { status, lines } = useKit(t, "exit 1");
  assert.equal(status, 0);
  assert.match(lines[1] ?? "", /^docker does not run here/);
});
