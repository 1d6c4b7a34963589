/** Enters network namespaces, so that one process holds sockets of several: a socket stays in the one that it was made in. */

import { closeSync, constants, openSync } from "node:fs";

const CLONE_NEWNET = 0x40000000;

/** Does something in a namespace that `ip netns` has made; what it opens before it waits for anything is in there. */
export async function inside<Result>(namespace: string, action: () => Promise<Result>): Promise<Result> {
  const library = Deno.dlopen("libc.so.6", { setns: { parameters: ["i32", "i32"], result: "i32" } });
  const [home, there] = ["/proc/thread-self/ns/net", `/run/netns/${namespace}`].map((path) =>
    openSync(path, constants.O_RDONLY)
  );
  const enter = (descriptor: number) => {
    if (library.symbols.setns(descriptor, CLONE_NEWNET) !== 0) throw new Error(`setns ${namespace} failed`);
  };
  try {
    enter(there);
    let running: Promise<Result>;
    try {
      running = action();
    } finally {
      enter(home);
    }
    return await running;
  } finally {
    for (const descriptor of [home, there]) closeSync(descriptor);
    library.close();
  }
}
