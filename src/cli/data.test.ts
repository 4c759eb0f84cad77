/** `fewbit data`, and data that is downloaded when it is first asked for. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { batchNames, tar } from "../data/cifar10.test.fixture.js";
import type { Mirror } from "../data/server.test.fixture.js";
import { serve } from "../data/server.test.fixture.js";
import { build, expectRefusal, fewbit, newFolder, training } from "./cli.test.fixture.js";

let folder: string;
let mirror: Mirror | undefined;
beforeAll(() => {
  build();
  folder = newFolder();
});
afterEach(async () => {
  await mirror?.close();
  mirror = undefined;
});
afterAll(() => rmSync(folder, { recursive: true }));

const names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"].map(
  (name) => `${name}-ubyte.gz`,
);

describe("mirrors without MNIST are reported, one failure per line", () => {
  const first =
    "cannot download train-images-idx3-ubyte.gz; name other mirrors with --mirror, or a folder that has it with --data-dir";

  test.each([
    "data mnist --cache cache",
    "train lenet5 --data mnist --out new",
    "train lenet5 --config mirrors.json",
    `eval run --data mnist`,
  ])("fewbit %s", async (command) => {
    if (command.startsWith("eval")) await fewbit(folder, `${training} --epochs 1 --out run --quiet`);
    mirror = await serve((response, _count, { url }) => {
      if (url?.startsWith("/page/")) response.end("<html>Sign in</html>");
      else response.writeHead(404).end();
    });
    const urls = ["page", "none/"].map((path) => `${mirror?.url}${path}`);
    writeFileSync(join(folder, "mirrors.json"), JSON.stringify({ data: "mnist", mirrors: urls }));
    const flags = command.includes("--config") ? "" : urls.map((url) => `--mirror ${url}`).join(" ");
    await expectRefusal(
      folder,
      `${command} ${flags}`,
      [
        first,
        `  ${urls[0]}/train-images-idx3-ubyte.gz: it is a web page`,
        `  ${urls[1]}train-images-idx3-ubyte.gz: the server answers 404`,
      ].join("\n"),
      { env: { FEWBIT_CACHE: "cache" } },
    );
    expect(existsSync(join(folder, "cache"))).toBe(false);
  });
});

// The real files, which only a mirror or FEWBIT_DATA/mnist has: their checksums are part of fewbit.
const { FEWBIT_DATA } = process.env;
if (FEWBIT_DATA !== undefined && existsSync(join(FEWBIT_DATA, "mnist"))) {
  test("CIFAR-10 is downloaded, unpacked, and known by the checksums that are part of fewbit", async () => {
    const files = Object.fromEntries(
      batchNames.map((name) => [
        name,
        execFileSync("xz", ["-dc", join(FEWBIT_DATA, "cifar10", `${name}.xz`)], { maxBuffer: 2 ** 25 }),
      ]),
    );
    mirror = await serve((response) => void response.end(tar(files)));
    const { url, requests } = mirror;
    const cache = join(folder, "cifar-cache");
    const { code, stdout, stderr } = await fewbit(folder, `data cifar10 --cache ${cache} --mirror ${url}`);
    expect([code, stderr, requests]).toEqual([0, "", ["/cifar-10-binary.tar.gz"]]);
    expect(stdout.split("\n").slice(1)).toEqual([
      `CIFAR-10 is in ${cache}/cifar10, six files with the right checksums`,
      `train on it with: npx fewbit train resnet20 --data cifar10 --data-dir ${cache}/cifar10`,
      "",
    ]);
    for (const name of batchNames)
      expect(readFileSync(join(cache, "cifar10", name)).equals(files[name])).toBe(true);
    rmSync(cache, { recursive: true });
  });

  describe("MNIST", () => {
    const original = (path: string) => readFileSync(join(FEWBIT_DATA, "mnist", path));
    let cache: string;
    beforeAll(async () => {
      cache = mkdtempSync(join(tmpdir(), "fewbit-cache-"));
      await fewbit(folder, `${training} --epochs 1 --out scored --quiet`);
    });
    afterAll(() => rmSync(cache, { recursive: true }));

    test("is downloaded once, and again where it is damaged or --force says so", async () => {
      mirror = await serve((response, _count, { url = "" }) => void response.end(original(url)));
      const { url, requests } = mirror;
      const command = `data mnist --cache ${cache} --mirror ${url}`;
      const text = await fewbit(folder, command);
      expect([text.code, text.stderr]).toEqual([0, ""]);
      const lines = text.stdout.trimEnd().split("\n");
      lines
        .slice(0, 4)
        .forEach((line, i) =>
          expect(line).toMatch(new RegExp(`^${names[i]}  [\\d.]+ [KM]iB from ${url}${names[i]}$`)),
        );
      expect(lines.slice(4)).toEqual([
        `MNIST is in ${cache}/mnist, four files with the right checksums`,
        `train on it with: npx fewbit train lenet5 --data mnist --data-dir ${cache}/mnist`,
      ]);
      expect(requests).toEqual(names.map((name) => `/${name}`));
      expect(readdirSync(join(cache, "mnist")).sort()).toEqual([...names].sort());

      const again = await fewbit(folder, `${command} --quiet`);
      expect(again).toEqual({
        code: 0,
        stdout: `MNIST is already in ${cache}/mnist, four files with the right checksums\n`,
        stderr: "",
      });
      expect(requests).toHaveLength(4);

      const damaged = join(cache, "mnist", names[3]);
      writeFileSync(damaged, original(names[3]).subarray(0, 1000));
      const mended = await fewbit(folder, `${command} --json`);
      expect(mended.stderr).toMatch(
        /^warning: .* does not count and is downloaded again: it does not unpack: unexpected end of file\n$/,
      );
      expect(JSON.parse(mended.stdout)).toEqual({
        data: "mnist",
        directory: join(cache, "mnist"),
        files: names.map((name, i) => ({
          path: join(cache, "mnist", name),
          from: i === 3 ? url + name : null,
        })),
      });
      await fewbit(folder, `${command} --force --quiet`);
      expect(requests).toHaveLength(9);
    });

    test("is downloaded when it is first asked for", async () => {
      mirror = await serve((response, _count, { url = "" }) => void response.end(original(url)));
      const env = { FEWBIT_CACHE: join(folder, "fresh") };
      const { code, stdout, stderr } = await fewbit(
        folder,
        `eval scored --data mnist --mirror ${mirror.url}`,
        { env },
      );
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout.trimEnd().split("\n")[4]).toMatch(/^\d+\.\d\d% of 10,000 test images of mnist right/);
      expect(mirror.requests).toHaveLength(4);
    });
  });
}
