/** Fetches the WebAssembly kernels: in browsers, and in bundles for them. */
import { firstLineOf, UserError } from "../errors.js";
import type { WasmModule } from "./wasm.js";

declare const WebAssembly: { compile(bytes: Uint8Array): Promise<WasmModule> };

/**
 * Fetches the module, for browsers; in Node it reads the file.
 *
 * @param url default: this package's own `wasm/fewbit.wasm`. Vite's build and webpack find it by this expression;
 * docs/web.md says what other bundlers need.
 * @throws UserError if the file is missing or is not the module.
 */
export async function fetchWasm(url: string | URL = ownFile()): Promise<WasmModule> {
  const { bytes, type } = (await fromDisk(url)) ?? (await fromServer(url));
  if (!isWasm(bytes)) {
    const start = new TextDecoder().decode(bytes.subarray(0, 24));
    const what = bytes.length === 0 ? "empty" : `no WebAssembly: it begins with ${JSON.stringify(start)}`;
    throw new UserError(`${String(url)} is ${what}${type === null ? "" : ` (${type})`}; ${remedy}`);
  }
  return WebAssembly.compile(bytes);
}

const remedy =
  'with Vite, give its configuration optimizeDeps: { exclude: ["fewbit"] }; ' +
  "with others, give fetchWasm the address at which you serve this package's wasm/fewbit.wasm (docs/web.md)";

interface Fetched {
  readonly bytes: Uint8Array;
  readonly type: string | null;
}

function ownFile(): URL {
  try {
    return new URL("../../wasm/fewbit.wasm", import.meta.url);
  } catch {
    throw new UserError(
      "fetchWasm cannot find this package's wasm/fewbit.wasm from a bundle of CommonJS, where code does not know its own address; give it the file's address",
    );
  }
}

/** In Node, whose `fetch` reads no files. Undefined elsewhere, and for an address on the web. */
async function fromDisk(url: string | URL): Promise<Fetched | undefined> {
  const onWeb = /^(?!file:)[a-z][a-z\d+.-]+:/i.test(String(url)); // one letter and a colon are a drive of Windows
  // Asked for by name, so that no bundler looks for Node's modules.
  const load = typeof process === "undefined" ? undefined : process.getBuiltinModule;
  if (onWeb || load === undefined) return undefined;
  const { readFile } = load("node:fs/promises");
  const path = String(url).startsWith("file:") ? new URL(url) : url;
  try {
    return { bytes: await readFile(path), type: null };
  } catch (error) {
    throw new UserError(`${String(url)} cannot be read (${firstLineOf(error)}); ${remedy}`);
  }
}

async function fromServer(url: string | URL): Promise<Fetched> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new UserError(`${String(url)} cannot be fetched (${firstLineOf(error)}); ${remedy}`);
  }
  if (!response.ok) throw new UserError(`${String(url)} cannot be fetched (${response.status}); ${remedy}`);
  return { bytes: new Uint8Array(await response.arrayBuffer()), type: response.headers.get("content-type") };
}

const isWasm = (bytes: Uint8Array): boolean => [0x00, 0x61, 0x73, 0x6d].every((byte, i) => bytes[i] === byte);
