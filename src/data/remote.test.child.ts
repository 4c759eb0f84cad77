/** A process that downloads as `remote.test.ts` tells it. */
import type { RemoteFile, RemoteOptions } from "./remote.js";
import { remoteFiles } from "./remote.js";

const [file, url, options] = JSON.parse(process.argv[2]) as [RemoteFile, string, RemoteOptions];
await remoteFiles("set", [file], [url], options);
