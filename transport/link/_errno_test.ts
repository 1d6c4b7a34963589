import { assert, assertEquals } from "../../tests/_assert.ts";
import { bindError } from "./_bind.ts";
import { isErrno, systemError } from "./_errno.ts";

Deno.test("errno: failures to bind are those of every kind of link", () => {
  const table: [number, string, string][] = [
    [98, "127.0.0.1", "ADDRESS_IN_USE"],
    [99, "192.0.2.7", "INVALID_ARG"],
    [99, "::1", "SOCKET"],
    [97, "::", "SOCKET"],
    [13, "0.0.0.0", "SOCKET"],
    [24, "0.0.0.0", "SOCKET"],
    [12345, "0.0.0.0", "SOCKET"],
  ];
  for (const [number, host, condition] of table) {
    assertEquals(bindError(systemError("bind", number), { host, port: 9 }).condition, condition, `${number}`);
  }
});

Deno.test("errno: an error says which call failed and why, known or not", () => {
  assertEquals(systemError("sendmmsg", 101).message, "network is unreachable (sendmmsg: ENETUNREACH)");
  assertEquals(systemError("sendmmsg", 4095).message, "failed (sendmmsg: E4095)");
  assert(isErrno(11, "EINTR", "EAGAIN"));
  assert(!isErrno(12, "EINTR", "EAGAIN"));
});
