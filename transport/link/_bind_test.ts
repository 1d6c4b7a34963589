import { assertEquals, assertStringIncludes, assertThrows } from "../../tests/_assert.ts";
import { bindError, checkedOptions } from "./_bind.ts";

function failure(code: string, message = "it failed", name = "Error"): Error {
  return Object.assign(new Error(message), { code, name });
}

Deno.test("bind errors: each says what, where and what to do", () => {
  const table: [Error, string, string, string][] = [
    [
      failure("EADDRINUSE"),
      "127.0.0.1",
      "ADDRESS_IN_USE",
      "port 9000 of 127.0.0.1 is taken: choose another port, or 0",
    ],
    [failure("", "in use", "AddrInUse"), "::", "ADDRESS_IN_USE", "port 9000 of :: is taken"],
    [failure("EADDRNOTAVAIL"), "192.0.2.7", "INVALID_ARG", "not an address of this machine"],
    [failure("EADDRNOTAVAIL"), "::1", "SOCKET", "IPv6 is off on this machine; bind 0.0.0.0"],
    [failure("EAFNOSUPPORT"), "::", "SOCKET", "IPv6 is off on this machine; bind 0.0.0.0"],
    [failure("", "Requires net access", "NotCapable"), "::", "SOCKET", "--allow-net=[::]:9000"],
    [failure("EPERM"), "localhost", "SOCKET", "--allow-net=localhost:9000"],
    [failure("EACCES"), "0.0.0.0", "SOCKET", "port above 1023"],
    [failure("ENOTFOUND", "unknown"), "nosuch.invalid", "INVALID_ARG", 'cannot bind "nosuch.invalid"'],
    [
      failure("EMFILE", "too many open files"),
      "0.0.0.0",
      "SOCKET",
      "0.0.0.0:9000: too many files are open; raise",
    ],
  ];
  for (const [cause, host, condition, text] of table) {
    const error = bindError(cause, { host, port: 9000 });
    assertEquals(error.condition, condition);
    assertStringIncludes(error.message, text);
    assertEquals(error.cause, cause);
  }
});

Deno.test("bind arguments: the border values of a port", () => {
  assertEquals(checkedOptions({ host: "::FFFF:127.0.0.1", port: 0 }), { host: "127.0.0.1", port: 0 });
  assertEquals(checkedOptions({ host: "::", port: 65535 }).port, 65535);
  for (const port of [-1, 65536, 1.5, NaN]) {
    assertThrows(() => checkedOptions({ host: "::", port }), RangeError, "port");
  }
  assertThrows(() => checkedOptions({ host: "", port: 1 }), TypeError, "empty");
});
