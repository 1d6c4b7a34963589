import { assert, assertEquals } from "../../tests/_assert.ts";
import { checkService } from "./health.ts";

Deno.test("health: well is who answers with 200 to 299; who leads elsewhere, errs or is not there, is not", async () => {
  const answers: Record<string, () => Response> = {
    "/well": () => new Response("well"),
    "/created": () => new Response(null, { status: 204 }),
    "/moved": () => new Response(null, { status: 302, headers: { location: "/well" } }),
    "/broken": () => new Response(null, { status: 503 }),
  };
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => answers[new URL(request.url).pathname](),
  );
  const address = `127.0.0.1:${server.addr.port}`;
  const look = async (health_check?: string, protocol = "http") =>
    (await checkService({ protocol, address, ...(health_check !== undefined && { health_check }) })).ok;
  const looks = await Promise.all(Object.keys(answers).map((path) => look(path)));
  assertEquals(looks, [true, true, false, false]);
  assertEquals([await look(), await look("/broken", "tcp")], [true, true], "a connection is enough");
  const { ms } = await checkService({ protocol: "tcp", address });
  assert(ms > 0);
});

Deno.test("health: nobody there, nonsense for an address, and who never answers", async () => {
  const check = async (address: string, health_check?: string) =>
    (await checkService({ protocol: "http", address, ...(health_check !== undefined && { health_check }) }))
      .ok;
  assertEquals(await check("127.0.0.1:1"), false);
  assertEquals(await check("127.0.0.1:1", "/health"), false);
  assertEquals(await check("nonsense"), false);
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const started = performance.now();
  assertEquals(await check(`127.0.0.1:${(silent.addr as Deno.NetAddr).port}`, "/health"), false);
  assert(performance.now() - started < 30_000);
});
